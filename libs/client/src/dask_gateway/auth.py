"""How a user proves who they are: one small class a scheme.

An auth object does no I/O. It sees the answer in which the gateway asks for authentication (status 401) and gives the
headers to ask again with. Subclass :class:`GatewayAuth` for a scheme of your own, and name it in the configuration
(``gateway.auth.type: package.module.Class``) or pass it to ``Gateway(auth=...)``.
"""

import getpass
import os
from base64 import b64encode
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import dask

from dask_gateway.config import configured_mapping
from dask_gateway.spnego import negotiate_token, start_negotiation

__all__ = ("BasicAuth", "GatewayAuth", "JupyterHubAuth", "KerberosAuth", "TokenAuth", "get_auth")


class URL(Protocol):
    """The address that was asked."""

    @property
    def host(self) -> str: ...


class Response(Protocol):
    """As much of an HTTP answer as authentication may look at. Header names are case-insensitive."""

    @property
    def status(self) -> int: ...
    @property
    def status_code(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def url(self) -> URL: ...


class GatewayAuth:
    """Base class of authentication schemes."""

    def __init__(self, **kwargs: Any) -> None:
        """Take the values of ``gateway.auth.kwargs``; a scheme names the ones it needs."""

    def pre_request(self, resp: Response) -> tuple[Mapping[str, str], Any]:
        """Headers to repeat a request with, and a context for :meth:`post_response`.

        resp: the answer with status 401.
        """
        return {}, None

    def post_response(self, resp: Response, context: Any = None) -> None:
        """Look at the answer to the repeated request, for schemes in which the server proves itself too.

        context: what :meth:`pre_request` returned.
        """


class BasicAuth(GatewayAuth):
    """User name and password (RFC 7617), in Latin-1. Without arguments: the login name and no password."""

    def __init__(self, username: str | None = None, password: str | None = None) -> None:
        self.username = getpass.getuser() if username is None else username
        self.password = "" if password is None else password

    def pre_request(self, resp: Response) -> tuple[Mapping[str, str], Any]:
        credentials = f"{self.username}:{self.password}".encode("latin1")
        return {"Authorization": f"Basic {b64encode(credentials).decode()}"}, None


class JupyterHubAuth(GatewayAuth):
    """A JupyterHub API token; without one, that of the notebook server (``JUPYTERHUB_API_TOKEN``)."""

    def __init__(self, api_token: str | None = None) -> None:
        token = api_token if api_token is not None else os.environ.get("JUPYTERHUB_API_TOKEN")
        if token is None:
            raise ValueError(
                "No JupyterHub API token provided, and JUPYTERHUB_API_TOKEN environment variable not found"
            )
        self.api_token = token

    def pre_request(self, resp: Response) -> tuple[Mapping[str, str], Any]:
        return {"Authorization": f"jupyterhub {self.api_token}"}, None


class TokenAuth(GatewayAuth):
    """A bearer token (RFC 6750), as an OpenID Connect issuer gives them out.

    token: the token, or a function that returns a fresh one. Default: ``DASK_GATEWAY_TOKEN``, else what is in the file
    ``DASK_GATEWAY_TOKEN_FILE``, which is read each time: mounted tokens are replaced before they expire.
    """

    def __init__(self, token: str | Callable[[], str] | None = None) -> None:
        if token is None and not {"DASK_GATEWAY_TOKEN", "DASK_GATEWAY_TOKEN_FILE"} & os.environ.keys():
            raise ValueError("No token: pass one, or set DASK_GATEWAY_TOKEN or DASK_GATEWAY_TOKEN_FILE")
        self._token = token

    def pre_request(self, resp: Response) -> tuple[Mapping[str, str], Any]:
        return {"Authorization": f"Bearer {self._current().strip()}"}, None

    def _current(self) -> str:
        if callable(self._token):
            return self._token()
        if self._token is not None:
            return self._token
        token = os.environ.get("DASK_GATEWAY_TOKEN")
        return token if token is not None else Path(os.environ["DASK_GATEWAY_TOKEN_FILE"]).read_text()


class KerberosAuth(GatewayAuth):
    """The user's Kerberos ticket (SPNEGO, RFC 4559), with proof of the server's identity."""

    def pre_request(self, resp: Response) -> tuple[Mapping[str, str], Any]:
        token, accept_reply = start_negotiation(resp.url.host)
        return {"Authorization": f"Negotiate {token}"}, accept_reply

    def post_response(self, resp: Response, context: Any = None) -> None:
        reply = negotiate_token(resp.headers.get("www-authenticate", ""))
        if not reply:
            raise PermissionError(f"Kerberos authentication with {resp.url.host} failed: the server sent no proof")
        context(reply)


_SCHEMES: dict[str, Callable[..., GatewayAuth]] = {
    "basic": BasicAuth,
    "jupyterhub": JupyterHubAuth,
    "kerberos": KerberosAuth,
    "token": TokenAuth,
}


def get_auth(auth: str | Callable[..., Any] | GatewayAuth | None = None) -> GatewayAuth:
    """The auth object to use.

    auth: an instance (used as it is), a class or factory, one of "basic", "jupyterhub", "kerberos" and "token", an
    import path, or None for what the configuration says. Anything but an instance is created with
    ``gateway.auth.kwargs``.
    """
    if isinstance(auth, GatewayAuth):
        return auth
    if auth is None:
        auth = dask.config.get("gateway.auth.type", None)
    if isinstance(auth, str):
        auth = _SCHEMES[auth] if auth in _SCHEMES else _import_path(auth)
    if not callable(auth):
        raise TypeError(f"auth must be a GatewayAuth, a class of one or its name, got {auth!r}")
    created = auth(**configured_mapping("auth.kwargs"))
    if not isinstance(created, GatewayAuth):
        raise TypeError(f"auth must be instance of GatewayAuth, got {created!r}")
    return created


def _import_path(path: str) -> Any:
    module, _, name = path.rpartition(".")
    if not module:
        raise ImportError(f"Failed to import {path!r}: expected one of {sorted(_SCHEMES)} or 'package.module.Class'")
    try:
        return getattr(import_module(module), name)
    except AttributeError:
        raise ImportError(f"Failed to import {path!r}: {module} has no {name!r}") from None
