"""How calls to the Kubernetes API are carried out: sessions, retries, rate limit, counting. Knows no verb and no kr8s.

Requests and watches go through a `Channel` each, so that what happens to one session never touches the other.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, NamedTuple, Protocol

import httpx
import orjson

from gateway_common.backoff import retry_delay, system_random
from gateway_common.errors import Invalid, KubeError
from gateway_common.kube_decode import parse_json
from gateway_common.kube_errors import error_from_answer
from gateway_common.resources import Resource
from gateway_common.token_bucket import TokenBucket

#: Called after each HTTP exchange with the verb, the resource and the HTTP status (0: no answer).
CallHook = Callable[[str, Resource, int], None]

#: Called each time before a request is sent that may change something; raises to keep it from being sent.
Permit = Callable[[], None]

_READING = frozenset(("get", "list", "watch"))

#: Seconds until a server that does not even accept a connection counts as away.
CONNECT_TIMEOUT = 5.0


#: A path segment that needs no escaping and leads nowhere else.
_SAFE_NAME = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._:-]+")


class Session(Protocol):
    """One pool of connections with one set of credentials."""

    def send(
        self, method: str, path: str, *, stream: bool, **options: Any
    ) -> AbstractAsyncContextManager[httpx.Response]: ...

    async def close(self) -> None: ...


class Call(NamedTuple):
    """One request, whether sending it twice does no harm, and whether its answer is text instead of JSON."""

    verb: str
    method: str
    resource: Resource
    path: str
    params: dict[str, Any] | None = None
    body: Any = None
    content_type: str = "application/json"
    idempotent: bool = True
    is_text: bool = False


class Channel:
    """Sends through one session, and replaces it when the API server no longer accepts its credentials.

    Service account tokens and the like are renewed on disk while we run. The old session is closed only when its
    last call has ended: closing it at once would cut running calls.
    """

    def __init__(self, session: Session, open_session: Callable[[], Awaitable[Session]]) -> None:
        self._session = session
        self._open_session = open_session
        self._renewing = asyncio.Lock()
        self._running: dict[Session, int] = {}

    @classmethod
    async def open(cls, open_session: Callable[[], Awaitable[Session]]) -> "Channel":
        return cls(await open_session(), open_session)

    async def close(self) -> None:
        for session in {self._session, *self._running}:
            await session.close()

    @asynccontextmanager
    async def send(
        self, method: str, path: str, *, stream: bool = False, **options: Any
    ) -> AsyncGenerator[httpx.Response, None]:
        """The answer, whatever its status; after a 401 the answer to a second try with fresh credentials."""
        session = self._session
        async with self._counted(session), session.send(method, path, stream=stream, **options) as response:
            if response.status_code != 401:
                yield response
                return
        session = await self._renew(session)
        async with self._counted(session), session.send(method, path, stream=stream, **options) as response:
            yield response

    async def _renew(self, refused: Session) -> Session:
        async with self._renewing:
            if self._session is refused:
                self._session = await self._open_session()
                if refused not in self._running:
                    await refused.close()
            return self._session

    @asynccontextmanager
    async def _counted(self, session: Session) -> AsyncGenerator[None, None]:
        self._running[session] = self._running.get(session, 0) + 1
        try:
            yield
        finally:
            self._running[session] -= 1
            if not self._running[session]:
                del self._running[session]
                if session is not self._session:
                    await session.close()


class Caller:
    """Carries out calls: waits for the rate limit, repeats what may be repeated, translates what went wrong."""

    def __init__(
        self,
        requests: Channel,
        watches: Channel,
        *,
        timeout: float,
        limit: TokenBucket | None = None,
        on_call: CallHook | None = None,
        permit: Permit | None = None,
    ) -> None:
        self._requests = requests
        self._watches = watches
        self._timeout = httpx.Timeout(timeout, connect=min(timeout, CONNECT_TIMEOUT))
        self._limit = limit
        self._on_call = on_call
        self._permit = permit
        self._rng = system_random()

    async def close(self) -> None:
        await self._watches.close()
        await self._requests.close()

    async def call(self, call: Call) -> Any:
        """The parsed answer; raises a KubeError."""
        content = None if call.body is None else orjson.dumps(call.body)
        attempt = 1
        while True:
            await self._take_token()
            if self._permit and call.verb not in _READING:
                self._permit()
            try:
                return await self._exchange(call, content)
            except KubeError as error:
                delay = retry_delay(error, attempt, idempotent=call.idempotent, rng=self._rng)
                if delay is None:
                    raise
            attempt += 1
            await asyncio.sleep(delay)

    @asynccontextmanager
    async def stream(self, call: Call, silence_seconds: float) -> AsyncGenerator[httpx.Response, None]:
        """The answer once its head is there, to be read as it comes. Never repeated: the caller knows where it was.

        Raises KubeUnavailable when nothing comes for `silence_seconds`.
        """
        timeout = httpx.Timeout(silence_seconds, connect=CONNECT_TIMEOUT)
        await self._take_token()
        code = 0
        try:
            async with self._watches.send(
                call.method, call.path, stream=True, params=call.params, timeout=timeout
            ) as response:
                code = response.status_code
                if response.is_error:
                    raise error_from_answer(code, await response.aread(), response.headers)
                yield response
        finally:
            self._count(call, code)

    async def _exchange(self, call: Call, content: bytes | None) -> Any:
        code = 0
        try:
            async with self._requests.send(
                call.method,
                call.path,
                params=call.params,
                content=content,
                headers={"Content-Type": call.content_type},
                timeout=self._timeout,
            ) as response:
                code = response.status_code
                if response.is_error:
                    raise error_from_answer(code, response.content, response.headers)
                return response.content.decode(errors="replace") if call.is_text else parse_json(response.content)
        finally:
            self._count(call, code)

    async def _take_token(self) -> None:
        if self._limit:
            await self._limit.take()

    def _count(self, call: Call, code: int) -> None:
        if self._on_call:
            self._on_call(call.verb, call.resource, code)


def resource_path(resource: Resource, namespace: str | None, name: str = "", subresource: str = "") -> str:
    """The URL path of an object or a namespace's collection; raises Invalid for what would lead elsewhere."""
    if resource.namespaced and not namespace:
        raise Invalid(f"a {resource.kind} is in a namespace, and none was named")
    for part in (namespace, name, subresource):
        if part and not _SAFE_NAME.fullmatch(part):
            raise Invalid(f"{part[:80]!r} is no name for a {resource.kind}")
    return resource.path(namespace, name, subresource)
