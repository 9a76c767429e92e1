"""The auth service, as this service calls it: the one place that does."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx
import orjson

from gateway_api.errors import (
    AuthenticationRequired,
    AuthenticatorFailed,
    InvalidRequest,
    TemporarilyUnavailable,
    TooManyAttempts,
)
from gateway_common.principal import Principal
from gateway_common.request_id import HEADER, choose_request_id

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: Seconds that a caller is told to wait when auth is away: about what a restart takes.
RETRY_AFTER = 2.0


@dataclass(frozen=True, slots=True)
class UserRequest:
    """What there is to know about a request's sender. Header names are in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    client: str


@dataclass(frozen=True, slots=True)
class Authenticated:
    """Auth's answer about good credentials; times are in seconds."""

    principal: Principal
    token: str
    expires_in: float
    reusable_for: float
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class StartedLogin:
    """A browser's sign-in that has begun: where to send it, and what it has to keep for so many seconds."""

    location: str
    state: str
    flow: str
    expires_in: float


@dataclass(frozen=True, slots=True)
class FinishedLogin:
    """A user who has signed in, and to which cluster's pages they wanted to go."""

    session: Authenticated
    return_to: str
    dashboard: str


@dataclass(frozen=True, slots=True)
class Methods:
    """How users can prove who they are.

    `challenges`: what a request without credentials is answered, as `WWW-Authenticate` values. `reads_whole_request`:
    credentials may be elsewhere than in the Authorization header. `login`: browsers can sign in by redirect.
    """

    challenges: tuple[str, ...]
    reads_whole_request: bool
    login: bool


class AuthClient:
    """Calls to the auth service. Each raises TemporarilyUnavailable where it does not answer properly."""

    def __init__(self, base_url: str, *, timeout: float, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._http = httpx.AsyncClient(base_url=base_url, timeout=timeout, trust_env=False, transport=transport)

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def authenticate(self, request: UserRequest, dashboard: str = "") -> Authenticated:
        """Ask who sends this request; `dashboard`: the cluster whose pages the session shall be good for.

        Raises AuthenticationRequired, or InvalidRequest for a user who can't be served.
        """
        body = {
            "method": request.method,
            "path": request.path,
            "query": request.query,
            "headers": dict(request.headers),
            "client": request.client,
            "dashboard": dashboard,
        }
        request_id = choose_request_id(request.headers.get(HEADER.lower()))
        answer = await self._call("POST", "/authenticate", body, {HEADER: request_id})
        return _understood(answer, _authenticated)

    async def start_login(self, redirect_uri: str, return_to: str, dashboard: str) -> StartedLogin:
        """Begin to sign a browser in."""
        body = {"redirect_uri": redirect_uri, "return_to": return_to, "dashboard": dashboard}
        answer = await self._call("POST", "/login/start", body)
        return _understood(answer, _started)

    async def finish_login(self, flow: str, state: str, code: str, client: str) -> FinishedLogin:
        """What came of it; raises AuthenticationRequired and InvalidRequest, as `authenticate` does."""
        body = {"flow": flow, "state": state, "code": code, "client": client}
        answer = await self._call("POST", "/login/finish", body)
        return _understood(answer, _finished)

    async def jwks(self) -> Mapping[str, Any]:
        """The public keys of session tokens."""
        answer = await self._call("GET", "/.well-known/jwks.json")
        _require_ok(answer)
        return _document(answer)

    async def methods(self) -> Methods:
        """How users can prove who they are."""
        answer = await self._call("GET", "/methods")
        _require_ok(answer)
        document = _document(answer)
        try:
            challenges = tuple(map(str, document["challenges"]))
            return Methods(challenges, bool(document["reads_whole_request"]), bool(document["login"]))
        except (KeyError, TypeError) as error:
            raise _malformed(answer) from error

    async def _call(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        content = None if body is None else orjson.dumps(body)
        headers = {**(headers or {}), **({} if body is None else {"Content-Type": "application/json"})}
        try:
            return await self._http.request(method, path, content=content, headers=headers)
        except httpx.HTTPError as error:
            logger.warning("The auth service did not answer %s: %s", path, error or type(error).__name__)
            raise _unavailable() from error


def _understood(answer: httpx.Response, read: Callable[[Mapping[str, Any]], T]) -> T:
    """What a good answer says; raises for others."""
    # 404: of a browser that comes back from signing in where nobody is sent to sign in, or not any more
    if answer.status_code in (401, 404):
        raise AuthenticationRequired(tuple(answer.headers.get_list("WWW-Authenticate")))
    if answer.status_code == 429:
        raise TooManyAttempts(_retry_after(answer))
    if answer.status_code == 413:
        raise InvalidRequest("The request's headers are too long")
    document = _document(answer)
    if answer.status_code == 422:
        raise InvalidRequest(str(document.get("error", "")))
    if document.get("from_class") is True:
        raise AuthenticatorFailed(answer.status_code, str(document.get("error", "")))
    _require_ok(answer)
    try:
        return read(document)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _malformed(answer) from error


def _started(document: Mapping[str, Any]) -> StartedLogin:
    return StartedLogin(
        str(document["location"]), str(document["state"]), str(document["flow"]), float(document["expires_in"])
    )


def _finished(document: Mapping[str, Any]) -> FinishedLogin:
    return FinishedLogin(_authenticated(document["session"]), str(document["return_to"]), str(document["dashboard"]))


def _authenticated(document: Mapping[str, Any]) -> Authenticated:
    principal = document["principal"]
    return Authenticated(
        principal=Principal(
            str(principal["name"]),
            tuple(principal["groups"]),
            bool(principal["admin"]),
            dict(principal.get("attributes") or {}),
        ),
        token=str(document["token"]),
        expires_in=float(document["expires_in"]),
        reusable_for=float(document["reusable_for"]),
        headers={str(name): str(value) for name, value in document["headers"].items()},
    )


def _document(answer: httpx.Response) -> Mapping[str, Any]:
    try:
        document = orjson.loads(answer.content)
    except orjson.JSONDecodeError as error:
        raise _malformed(answer) from error
    if not isinstance(document, dict):
        raise _malformed(answer)
    return document


def _retry_after(answer: httpx.Response) -> float:
    text = answer.headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdigit() else RETRY_AFTER


def _require_ok(answer: httpx.Response) -> None:
    if answer.status_code != 200:
        request_id = answer.headers.get(HEADER, "unknown")
        logger.warning(
            "The auth service answered %s with %d, request %s", answer.url.path, answer.status_code, request_id
        )
        raise _unavailable()


def _malformed(answer: httpx.Response) -> TemporarilyUnavailable:
    logger.error("The auth service's answer to %s (%d) is not understood", answer.url.path, answer.status_code)
    return _unavailable()


def _unavailable() -> TemporarilyUnavailable:
    return TemporarilyUnavailable("Authentication is not available now", RETRY_AFTER)
