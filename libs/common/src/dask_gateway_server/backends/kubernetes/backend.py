"""`KubeClusterConfig` to subclass, and the traitlets of `c.KubeBackend`."""

from typing import Any

from traitlets import Dict, Unicode
from traitlets.config import Configurable

from dask_gateway_server.backends.base import Backend, ClusterConfig

__all__ = ("KubeBackend", "KubeClusterConfig")


class KubeClusterConfig(ClusterConfig):
    """The configuration of one cluster on Kubernetes.

    A subclass may have traitlets of its own, `@default`, `@validate` and `@observe`. What its fields come to is what
    the cluster gets; a TraitError is told to the user.
    """


class _NotRun(type(Configurable)):  # type: ignore[misc]  # traitlets' own metaclass has no name of its own
    """A class of settings: what its methods did is done elsewhere, and whoever asks for them hears of it."""

    def __getattr__(cls, name: str) -> Any:
        raise AttributeError(_not_run(cls, name))

    def __setattr__(cls, name: str, value: Any) -> None:
        if callable(value) and not name.startswith("_"):
            raise AttributeError(_not_run(cls, name))
        super().__setattr__(name, value)


def _not_run(cls: type, name: str) -> str:
    return (
        f"there is no {cls.__name__}.{name}: the class holds settings, and no object of it runs. What clusters are "
        "made of can be changed by the handler of cluster_options, by a cluster_config_class, by extraPodConfig and by "
        "extraContainerConfig"
    )


class KubeBackend(Backend, metaclass=_NotRun):
    """The traitlets of `c.KubeBackend`. They are settings of the gateway: nothing runs an object of this class."""

    gateway_instance = Unicode("", help="This installation's name.", config=True)
    common_labels: Any = Dict(help="Labels of every object that the gateway makes.", config=True)
    common_annotations: Any = Dict(help="Annotations of every object that the gateway makes.", config=True)
