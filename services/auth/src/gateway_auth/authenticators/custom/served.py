"""The service's own authenticators for `super().authenticate(request)` in subclasses of the known classes."""

from typing import Any

from dask_gateway_server import auth as face
from dask_gateway_server.models import User
from gateway_auth.authenticators.base import Authenticator
from gateway_auth.authenticators.custom.request import CustomRequest
from gateway_auth.authenticators.jupyterhub.loading import load_jupyterhub
from gateway_auth.authenticators.kerberos.loading import load_kerberos
from gateway_auth.authenticators.simple import SimpleAuthenticator
from gateway_auth.outcomes import Refused
from gateway_common.configuration.auth import AuthGroup, JupyterHubSettings, KerberosSettings


class Served:
    """The service's own authenticator as a class of the operator's sees it."""

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator

    async def start(self) -> None:
        """Open what it needs."""
        await self._authenticator.start()

    async def close(self) -> None:
        """Close it."""
        await self._authenticator.close()

    async def authenticate(self, request: CustomRequest) -> "User | tuple[User, Any]":
        """The user, with the headers that the answer must carry where there are any; raises HTTPUnauthorized."""
        outcome = await self._authenticator.authenticate(request.as_received)
        if isinstance(outcome, Refused):
            raise face.unauthorized(", ".join(outcome.challenges))
        principal = outcome.principal
        user = User(principal.name, principal.groups, principal.admin)
        return (user, dict(outcome.headers)) if outcome.headers else user


def served_for(instance: face.Authenticator, auth: AuthGroup) -> Served | None:
    """By the traitlets of the instance; None for classes that stand on their own. Raises InvalidConfig."""
    if isinstance(instance, face.SimpleAuthenticator):
        return Served(SimpleAuthenticator(instance.password or ""))
    if isinstance(instance, face.JupyterHubAuthenticator):
        traits = {
            "api_token": instance.jupyterhub_api_token or None,
            "api_url": instance.jupyterhub_api_url or None,
            "service_name": instance.jupyterhub_service_name,
            "use_service_access_scopes": instance.use_service_access_scopes,
            "tls_key": instance.tls_key or None,
            "tls_cert": instance.tls_cert or None,
            "tls_ca": instance.tls_ca or None,
        }
        return Served(load_jupyterhub(_with(auth, jupyterhub=JupyterHubSettings.model_validate(traits))))
    if isinstance(instance, face.KerberosAuthenticator):
        traits = {"service_name": instance.service_name, "keytab": instance.keytab}
        return Served(load_kerberos(_with(auth, kerberos=KerberosSettings.model_validate(traits))))
    return None


def _with(auth: AuthGroup, **parts: Any) -> AuthGroup:
    return auth.model_copy(update=parts)
