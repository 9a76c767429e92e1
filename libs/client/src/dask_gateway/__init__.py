"""Client of Dask Gateway: start, find, scale and stop Dask clusters that a gateway runs.

Names are imported when they are first used (PEP 562): a scheduler imports this package only for
:mod:`dask_gateway.scheduler_preload`, and must not pay for an HTTP client, widgets and a command line.
Only the configuration defaults are registered at once, so that ``dask.config`` knows the ``gateway`` keys.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from dask_gateway import config as config

if TYPE_CHECKING:
    from dask_gateway.auth import BasicAuth, GatewayAuth, JupyterHubAuth, KerberosAuth, TokenAuth
    from dask_gateway.client import Gateway
    from dask_gateway.cluster import GatewayCluster
    from dask_gateway.errors import (
        GatewayClusterError,
        GatewayResponseError,
        GatewayServerError,
        GatewayWarning,
    )
    from dask_gateway.options import Options
    from dask_gateway.report import ClusterReport, ClusterStatus

__all__ = (
    "BasicAuth",
    "ClusterReport",
    "ClusterStatus",
    "Gateway",
    "GatewayAuth",
    "GatewayCluster",
    "GatewayClusterError",
    "GatewayResponseError",
    "GatewayServerError",
    "GatewayWarning",
    "JupyterHubAuth",
    "KerberosAuth",
    "Options",
    "TokenAuth",
)

_HOMES = {
    "auth": ("BasicAuth", "GatewayAuth", "JupyterHubAuth", "KerberosAuth", "TokenAuth"),
    "client": ("Gateway",),
    "cluster": ("GatewayCluster",),
    "errors": ("GatewayClusterError", "GatewayResponseError", "GatewayServerError", "GatewayWarning"),
    "options": ("Options",),
    "report": ("ClusterReport", "ClusterStatus"),
}
_MODULE_OF = {name: module for module, names in _HOMES.items() for name in names}
_SUBMODULES = frozenset({"auth", "client", "comm", "options"})  # reachable after `import dask_gateway` alone


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415 (20 ms that hardly anybody needs)

        return version("dask-gateway")
    if name in _SUBMODULES:
        return import_module(f"dask_gateway.{name}")
    if name in _MODULE_OF:
        return getattr(import_module(f"dask_gateway.{_MODULE_OF[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_SUBMODULES, "__version__"})
