"""A JupyterHub's REST API, as far as it says who a user is (U-005 to U-008)."""

import logging
import ssl
from collections.abc import Iterable, Mapping
from typing import Any

import httpx
import orjson

from gateway_auth.outcomes import SourceUnavailable
from gateway_common.errors import InvalidConfig
from gateway_common.principal import Principal

logger = logging.getLogger(__name__)


class JupyterHub:
    """A hub's REST API.

    Parameters
    ----------
    api_url
        Such as `http://hub:8081/hub/api`.
    service_name
        The gateway's name as a service of the hub: tokens without the right to access it are refused. Empty: every
        token of the hub will do.
    admins
        Whether the hub's administrators are the gateway's.
    timeout
        Seconds that an answer may take.
    tls
        For a hub with internal TLS, else the system's authorities count.
    """

    def __init__(
        self,
        api_url: str,
        *,
        service_name: str = "",
        admins: bool = True,
        timeout: float = 10.0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._api_url = api_url.rstrip("/")
        self._service_name = service_name
        self._admins = admins
        # no redirects: a token goes to the hub that is configured, and nowhere else
        self._http = httpx.AsyncClient(timeout=timeout, trust_env=False, verify=tls or True)

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def oauth_client(self, token: str) -> str:
        """What a service of the hub is called as a client of its OAuth provider, by its token.

        Raises SourceUnavailable, also where the token is not that of a service.
        """
        answer = await self._owner(token)
        document = read_document(answer) if answer.status_code == 200 else {}
        if document.get("kind") != "service":
            logger.error("Browsers can't sign in: gateway.auth.jupyterhub.apiToken is of no service of the hub")
            raise SourceUnavailable("The hub does not know the gateway as one of its services")
        return f"service-{document.get('name', '')}"

    async def user(self, token: str) -> Principal | str:
        """Whose token it is, or why it is refused, for the log; raises SourceUnavailable."""
        answer = await self._owner(token)
        # an invalid token is 403 for the hub, a user who is gone is 404
        if answer.status_code in (401, 403, 404):
            return f"the hub does not know the token ({answer.status_code})"
        document = read_document(answer)
        try:
            scopes = document.get("scopes") or ()
            if self._service_name and not _may_access(self._service_name, scopes):
                return f"the token has no scope access:services!service={self._service_name}"
            return self._principal(document)
        except (KeyError, TypeError) as error:
            raise _odd(answer) from error

    async def _owner(self, token: str) -> httpx.Response:
        return await self.ask("GET", "/user", headers={"Authorization": f"token {token}"})

    async def ask(self, method: str, path: str, **request: Any) -> httpx.Response:
        """An answer with a status below 500; raises SourceUnavailable."""
        try:
            answer = await self._http.request(method, self._api_url + path, **request)
        except httpx.HTTPError as error:
            logger.warning("JupyterHub does not answer: %s", error or type(error).__name__)
            raise SourceUnavailable("JupyterHub does not answer") from error
        if answer.status_code == 429 or answer.status_code >= 500:
            logger.warning("JupyterHub answered %s with %d", path, answer.status_code)
            raise SourceUnavailable("JupyterHub does not answer properly")
        return answer

    def _principal(self, document: Mapping[str, Any]) -> Principal:
        name, kind = str(document["name"]), str(document.get("kind", "user"))
        # a service must not pose as a user, nor a user with a colon in the name as a service
        if kind != "user" or ":" in name:
            name = f"{kind}:{name}"
        groups = tuple(map(str, document.get("groups") or ()))
        return Principal(name, groups, self._admins and document.get("admin") is True)


def read_document(answer: httpx.Response) -> Mapping[str, Any]:
    """The JSON object of a good answer; raises SourceUnavailable."""
    try:
        document = orjson.loads(answer.content)
    except orjson.JSONDecodeError as error:
        raise _odd(answer) from error
    if answer.status_code != 200 or not isinstance(document, dict):
        raise _odd(answer)
    return document


def load_tls(key: object, certificate: object, authority: object) -> ssl.SSLContext | None:
    """What to show to the hub and what to know it by, as files; raises InvalidConfig."""
    if not (key or certificate or authority):
        return None
    try:
        context = ssl.create_default_context(cafile=str(authority) if authority else None)
        if certificate:
            context.load_cert_chain(str(certificate), str(key) if key else None)
    except (OSError, ssl.SSLError) as error:
        raise InvalidConfig(f"auth.jupyterhub: tls_key, tls_cert and tls_ca can't be used: {error}") from error
    return context


def _may_access(service: str, scopes: Iterable[str]) -> bool:
    return not {"access:services", f"access:services!service={service}"}.isdisjoint(scopes)


def _odd(answer: httpx.Response) -> SourceUnavailable:
    logger.error("JupyterHub's answer (%d) is not understood", answer.status_code)
    return SourceUnavailable("JupyterHub does not answer properly")
