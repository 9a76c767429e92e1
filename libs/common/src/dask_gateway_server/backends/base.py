"""What configuration code knows of every backend."""

from typing import Any

from traitlets import Any as AnyTrait
from traitlets import Unicode, default
from traitlets.config import Configurable, LoggingConfigurable

from dask_gateway_server.traitlets import field_traits

__all__ = ("Backend", "ClusterConfig", "PublicException")


class PublicException(Exception):
    """What the operator's code may raise to tell a user no."""


class ClusterConfig(Configurable):
    """A cluster's configuration as a traitlets class: one traitlet for each field, of the same name.

    Subclass `dask_gateway_server.backends.kubernetes.KubeClusterConfig` to add defaults, checks and traitlets, and name
    the subclass in `c.KubeBackend.cluster_config_class`.
    """

    vars().update(field_traits())

    # What these are by default depends on other fields; `Any`, since the traitlets come from the model.

    @default("worker_threads")
    def _default_worker_threads(self) -> int:
        cores: Any = self.worker_cores  # type: ignore[attr-defined]
        return max(int(cores), 1)

    @default("worker_cores_limit")
    def _default_worker_cores_limit(self) -> Any:
        return self.worker_cores  # type: ignore[attr-defined]

    @default("worker_memory_limit")
    def _default_worker_memory_limit(self) -> Any:
        return self.worker_memory  # type: ignore[attr-defined]

    @default("scheduler_cores_limit")
    def _default_scheduler_cores_limit(self) -> Any:
        return self.scheduler_cores  # type: ignore[attr-defined]

    @default("scheduler_memory_limit")
    def _default_scheduler_memory_limit(self) -> Any:
        return self.scheduler_memory  # type: ignore[attr-defined]

    def to_dict(self) -> dict[str, Any]:
        """All values by the traitlets' names, a subclass's own included."""
        return {name: getattr(self, name) for name in self.trait_names(config=True)}


class Backend(LoggingConfigurable):
    """The traitlets of `c.Backend`. They are settings of the gateway: nothing runs an object of this class."""

    cluster_options = AnyTrait(None, allow_none=True, help="Options, or a function of the user.", config=True)
    cluster_config_class = AnyTrait(None, allow_none=True, help="The class of clusters' configurations.", config=True)
    api_url = Unicode("", help="Where schedulers reach the api.", config=True)
