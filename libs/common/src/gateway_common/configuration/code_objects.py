"""Objects of the operator's code that settings hold, or name by their place: found, and checked for what they are."""

import logging
import traceback
from typing import Any

from dask_gateway_server import auth
from dask_gateway_server.backends.kubernetes import KubeBackend
from dask_gateway_server.options import Options, OptionsSource
from dask_gateway_server.traitlets import import_place
from gateway_common.errors import InvalidConfig

logger = logging.getLogger(__name__)

#: What `gateway.auth.type` chooses.
AUTHENTICATOR_PLACES = {
    "simple": "dask_gateway_server.auth.SimpleAuthenticator",
    "kerberos": "dask_gateway_server.auth.KerberosAuthenticator",
    "jupyterhub": "dask_gateway_server.auth.JupyterHubAuthenticator",
}


def load_options(source: Any) -> OptionsSource | None:
    """Options, a function of the user, or either's place; None where there is no code. Raises InvalidConfig."""
    if source is None or source == "":
        return None
    found = _imported(source)
    if not (isinstance(found, Options) or callable(found)):
        raise InvalidConfig(
            "expected Options of dask_gateway_server.options, a function of the user that returns them, or either's "
            f"place as module:attribute, got a Python {type(found).__name__}"
        )
    return found  # type: ignore[no-any-return]  # the attribute of a module that only the operator knows


def load_authenticator(place: Any) -> type[auth.Authenticator]:
    """The class itself or its place, checked; raises InvalidConfig."""
    found = _imported(place)
    if isinstance(found, type) and issubclass(found, auth.Authenticator):
        return found
    raise InvalidConfig("expected a subclass of dask_gateway_server.auth.Authenticator, or its import path")


def kind_of(authenticator: type[auth.Authenticator]) -> str:
    """What `gateway.auth.type` calls it."""
    place = f"{authenticator.__module__}.{authenticator.__qualname__}"
    return next((kind for kind, known in AUTHENTICATOR_PLACES.items() if known == place), "custom")


def check_backend_class(place: Any) -> None:
    """Raise InvalidConfig unless it is the Kubernetes backend: what another one does would not be done."""
    if place is not KubeBackend and str(place).replace(":", ".") not in _KUBE_BACKEND:
        raise InvalidConfig(
            "there is no other backend than dask_gateway_server.backends.kubernetes.KubeBackend, and nothing runs the "
            "methods of a subclass: what they do for a user's cluster can be done by cluster_options, by a "
            "cluster_config_class, or by gateway.groups and gateway.limits in values"
        )


_KUBE_BACKEND = {
    f"{module}.KubeBackend" for module in ("dask_gateway_server.backends.kubernetes", KubeBackend.__module__)
}


def _imported(place: Any) -> Any:
    """What is at a place; what is no text is no place."""
    if not isinstance(place, str):
        return place
    try:
        return import_place(place)
    except (Exception, SystemExit) as error:  # importing runs the operator's code
        if not isinstance(error, ImportError | AttributeError):
            logger.error("%s can't be imported\n%s", place, "".join(traceback.format_exception(error)))
        raise InvalidConfig(f"{place!r} can't be imported: {type(error).__name__}: {error}") from error
