"""Authenticators to name in `c.DaskGateway.authenticator_class`, and to subclass.

    class MyAuthenticator(JupyterHubAuthenticator):
        async def authenticate(self, request):
            user = await super().authenticate(request)
            ...

An authenticator is made once a process; `setup` runs before the first request and `cleanup` after the last.
"""

import os
import ssl
from typing import Any

from traitlets import Bool, Integer, Unicode, default
from traitlets.config import LoggingConfigurable

from dask_gateway_server.models import User

__all__ = (
    "Authenticator",
    "JupyterHubAuthenticator",
    "KerberosAuthenticator",
    "SimpleAuthenticator",
    "User",
    "unauthorized",
)


def unauthorized(kind: str) -> Exception:
    """The error to raise for a request without good credentials; `kind` is the scheme that the user is asked for."""
    from aiohttp import web  # noqa: PLC0415 - a service that only reads the configuration has no use for it

    return web.HTTPUnauthorized(headers={"WWW-Authenticate": kind}, reason="Invalid credentials")


class Authenticator(LoggingConfigurable):
    """Base of all authenticators. `self.log` is where to log, `self.config` the whole configuration code's `c`."""

    cookie_name = Unicode(help="No longer used: sessions are tokens.", config=True)
    cache_max_age = Integer(300, help="Seconds for which a user's groups and rights may go unrefreshed.", config=True)

    async def setup(self, app: Any) -> None:
        """Prepare: open sessions, read keys. `app` is an aiohttp Application, of which no routes are served."""

    async def cleanup(self) -> None:
        """Close what `setup` opened."""

    async def authenticate(self, request: Any) -> "User | tuple[User, Any]":
        """The request's user, or the user and a context for `pre_response`; raises `unauthorized(...)`."""
        raise NotImplementedError(f"{type(self).__name__} must say how to authenticate: it has no authenticate method")

    async def pre_response(self, request: Any, response: Any, context: Any) -> None:
        """Change the response of a request that was authenticated, where the protocol has something to say to it."""


class ServedAuthenticator(Authenticator):
    """An authenticator whose work is the auth service's, which puts its own in `served`."""

    served: Any = None

    async def setup(self, app: Any) -> None:
        """Open what the service's own authenticator needs."""
        if self.served is not None:
            await self.served.start()

    async def cleanup(self) -> None:
        """Close it."""
        if self.served is not None:
            await self.served.close()

    async def authenticate(self, request: Any) -> "User | tuple[User, Any]":
        """As the service does it by itself, with the traitlets of this class."""
        if self.served is None:
            raise NotImplementedError(f"{type(self).__name__}.authenticate is for the auth service to call")
        found: User | tuple[User, Any] = await self.served.authenticate(request)
        return found

    async def pre_response(self, request: Any, response: Any, context: Any) -> None:
        """Add the headers that the protocol asks for."""
        if isinstance(context, dict):
            response.headers.update(context)


class SimpleAuthenticator(ServedAuthenticator):
    """One password for everybody, or none."""

    password = Unicode(None, allow_none=True, help="The password; not set: any will do.", config=True)


class KerberosAuthenticator(ServedAuthenticator):
    """Kerberos tickets by SPNEGO."""

    service_name = Unicode("HTTP", help="The service's name in its principal.", config=True)
    keytab = Unicode("dask_gateway.keytab", help="The file with the service's key.", config=True)


class JupyterHubAuthenticator(ServedAuthenticator):
    """Tokens of a JupyterHub.

    For subclasses there are, from `setup` on, `self.session`, an aiohttp ClientSession, and `self.ssl_context`, which
    has the certificates of the three `tls` traitlets, or is None.
    """

    jupyterhub_api_token = Unicode(help="The gateway's own token, as a service of the hub.", config=True)
    jupyterhub_api_url = Unicode(help="The hub's API.", config=True)
    jupyterhub_service_name = Unicode(help="The gateway's name as a service of the hub.", config=True)
    use_service_access_scopes = Bool(help="Take only tokens that may access the service.", config=True)
    tls_key = Unicode("", help="The private key to show to the hub.", config=True)
    tls_cert = Unicode("", help="The certificate that belongs to `tls_key`.", config=True)
    tls_ca = Unicode("", help="The authority that signed the hub's certificate.", config=True)

    session: Any = None
    ssl_context: Any = None

    async def setup(self, app: Any) -> None:
        """Open `session`, and read the certificates into `ssl_context`."""
        from aiohttp import ClientSession  # noqa: PLC0415 - as above

        await super().setup(app)
        if self.tls_ca or self.tls_cert:
            self.ssl_context = ssl.create_default_context(cafile=self.tls_ca or None)
            if self.tls_cert:
                self.ssl_context.load_cert_chain(self.tls_cert, self.tls_key or None)
        self.session = ClientSession()

    async def cleanup(self) -> None:
        """Close `session`."""
        if self.session is not None:
            await self.session.close()
        await super().cleanup()

    @default("jupyterhub_api_token")
    def _default_api_token(self) -> str:
        return os.environ.get("JUPYTERHUB_API_TOKEN", "")

    @default("jupyterhub_api_url")
    def _default_api_url(self) -> str:
        return os.environ.get("JUPYTERHUB_API_URL", "")

    @default("jupyterhub_service_name")
    def _default_service_name(self) -> str:
        return os.environ.get("JUPYTERHUB_SERVICE_NAME", "")

    @default("use_service_access_scopes")
    def _default_use_service_access_scopes(self) -> bool:
        return bool(self.jupyterhub_service_name)
