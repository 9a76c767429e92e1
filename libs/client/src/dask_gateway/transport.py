"""HTTP with a gateway: one session, authentication when asked for, and its errors in our terms.

The only module that imports httpx. The first request of a session goes out without credentials; a 401 makes the auth
object add them; after that the gateway's session cookie does.
"""

import ssl
from collections.abc import Mapping
from typing import Any

import httpx

from dask_gateway.auth import GatewayAuth
from dask_gateway.config import configured
from dask_gateway.errors import GatewayClusterError, GatewayResponseError, GatewayServerError

# A gateway holds a waiting request for 20 s. What takes longer than this is lost, not slow.
_TIMEOUT = httpx.Timeout(300.0, connect=60.0)


class Transport:
    """A session with the gateway at ``address``; it connects when used, also after it was closed."""

    def __init__(self, address: str, auth: GatewayAuth) -> None:
        self.address = address
        self.auth = auth
        self._proxy = configured("http-client.proxy")
        self._session: httpx.AsyncClient | None = None

    async def request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Send a request and return the JSON of its answer, None when that is empty.

        Raises ``ValueError`` (404, 422), GatewayClusterError (409), GatewayServerError (500), GatewayResponseError
        (other refusals, and a 404 that is not the gateway's), ``ConnectionError`` and ``TimeoutError``.
        """
        if self._session is None:
            self._session = _open_session(self._proxy)
        url = self.address + path
        try:
            response = await self._authenticated(self._session, method, url, body)
        except httpx.TimeoutException as error:
            raise TimeoutError(f"The gateway at {self.address} did not answer in time") from error
        except httpx.TransportError as error:
            raise ConnectionError(f"Failed to reach the gateway at {self.address}: {error}") from error
        if response.status_code >= 400:
            raise _refusal(response)
        return self._json(response)

    async def close(self) -> None:
        """Close the session's connections and forget its cookies."""
        session, self._session = self._session, None
        if session is not None:
            await session.aclose()

    async def _authenticated(
        self, session: httpx.AsyncClient, method: str, url: str, body: Mapping[str, Any] | None
    ) -> httpx.Response:
        response = await session.request(method, url, json=body)
        if response.status_code != 401:
            return response
        headers, context = self.auth.pre_request(AuthResponse(response))
        response = await session.request(method, url, json=body, headers=headers)
        self.auth.post_response(AuthResponse(response), context)
        return response

    def _json(self, response: httpx.Response) -> Any:
        if not response.content:
            return None
        try:
            return response.json()
        except ValueError:
            kind = response.headers.get("content-type", "something")
            raise GatewayServerError(
                f"{response.url} answered with {kind} instead of JSON: is {self.address} the address of a gateway?"
            ) from None


class AuthResponse:
    """What auth objects see of an answer: its status under both names that are in use, its headers and its URL."""

    def __init__(self, response: httpx.Response) -> None:
        self.status = self.status_code = response.status_code
        self.headers: Mapping[str, str] = response.headers
        self.url = response.url


def _open_session(proxy: bool | str | None) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        proxy=proxy if isinstance(proxy, str) else None,
        trust_env=proxy is True,
        # The machine's own authorities (and SSL_CERT_FILE), as everything else on it uses, not certifi's.
        verify=ssl.create_default_context(),
        follow_redirects=True,
        timeout=_TIMEOUT,
    )


def _refusal(response: httpx.Response) -> Exception:
    message = _error_text(response)
    match response.status_code:
        case 404 if message is None:
            # The gateway says 404 in JSON. A proxy that has just started says it of every address.
            return GatewayResponseError(404, f"There is no gateway at {response.url}, or it is being restarted")
        case 404 | 422:
            return ValueError(message or response.text)
        case 409:
            return GatewayClusterError(message or response.text)
        case 500:
            return GatewayServerError(message or response.text)
        case status:
            return GatewayResponseError(status, message or response.text)


def _error_text(response: httpx.Response) -> str | None:
    """The gateway's own words; None if they are not the gateway's, but a proxy's page or a plain text."""
    try:
        return str(response.json()["error"])
    except (ValueError, KeyError, TypeError):
        return None
