"""`KubeClusterConfig` to subclass, and the traitlets of `c.KubeBackend`."""

from typing import Any

from traitlets import Dict, Unicode

from dask_gateway_server.backends.base import Backend, ClusterConfig

__all__ = ("KubeBackend", "KubeClusterConfig")


class KubeClusterConfig(ClusterConfig):
    """The configuration of one cluster on Kubernetes.

    A subclass may have traitlets of its own, `@default`, `@validate` and `@observe`. What its fields come to is what
    the cluster gets; a TraitError is told to the user.
    """


class KubeBackend(Backend):
    """The traitlets of `c.KubeBackend`. They are settings of the gateway: nothing runs an object of this class."""

    gateway_instance = Unicode("", help="This installation's name.", config=True)
    common_labels: Any = Dict(help="Labels of every object that the gateway makes.", config=True)
    common_annotations: Any = Dict(help="Annotations of every object that the gateway makes.", config=True)
