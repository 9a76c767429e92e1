"""The API over HTTP: an ASGI application. Paths, who asks and may they, faults; then `endpoints` or a document."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qsl, unquote

from gateway_local.apiserver import discovery, openapi
from gateway_local.apiserver.authentication import Authenticator
from gateway_local.apiserver.authorization import Authorizer
from gateway_local.apiserver.catalog import Catalog
from gateway_local.apiserver.endpoints import Endpoints, Target, classify_verb
from gateway_local.apiserver.errors import StatusError, method_not_allowed, no_such_path, not_acceptable
from gateway_local.apiserver.faults import Faults
from gateway_local.apiserver.messages import Answer, Request, Response, Stream, error_response, json_response
from gateway_local.apiserver.representations import negotiate

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

log = logging.getLogger(__name__)

_HEALTH = frozenset({"healthz", "livez", "readyz"})
_LARGEST_BODY = 3 * 1024 * 1024
"""Bytes; the limit of Kubernetes' API server."""


class Application:
    """The ASGI application.

    Parameters
    ----------
    requests
        Counts requests by (verb, resource).
    """

    def __init__(
        self,
        catalog: Catalog,
        endpoints: Endpoints,
        faults: Faults,
        authenticator: Authenticator,
        authorizer: Authorizer,
        requests: Counter[tuple[str, str]],
    ) -> None:
        self._catalog = catalog
        self._endpoints = endpoints
        self._faults = faults
        self._authenticator = authenticator
        self._authorizer = authorizer
        self._requests = requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"this application speaks HTTP only, not {scope['type']}")
        answer: Answer
        try:
            request = await _read(scope, receive)
            answer = await self._answer(request)
        except StatusError as error:
            answer = error_response(error)
        except Exception as error:
            log.exception("unhandled error in %s %s", scope["method"], scope["path"])
            answer = error_response(StatusError(500, "InternalError", f"Internal error occurred: {error!r}"))
        if isinstance(answer, Response):
            await _send(answer, send)
        else:
            await self._stream(answer, scope["path"], receive, send)

    async def _answer(self, request: Request) -> Answer:
        parts = [unquote(part) for part in request.path.strip("/").split("/")]
        if parts[0] in _HEALTH and request.method == "GET":
            return Response(b"ok", media_type="text/plain")
        user = self._authenticator.authenticate(request.headers.get("authorization", ""))
        target = self._target(parts)
        if target is None:
            return self._document(parts, request)
        verb = classify_verb(request.method, target, dict(request.query))
        resource = target.kind.plural + (f"/{target.subresource}" if target.subresource else "")
        self._requests[verb, resource] += 1
        if self._faults.rules:
            await self._meet_faults(verb, target.kind.plural, request.path)
        if verb:
            self._authorizer.check(user, verb, target, request.query.get("fieldSelector", ""))
        return await self._endpoints.answer(verb, target, request)

    async def _meet_faults(self, verb: str, resource: str, path: str) -> None:
        for fault in self._faults.meet(verb, resource, path):
            if fault.latency:
                await asyncio.sleep(fault.latency)
            if fault.code:
                raise fault.error()

    def _target(self, parts: list[str]) -> Target | None:
        """What a path names, or None for the documents that are not about objects."""
        if parts[0] == "api" and len(parts) > 2:
            group, version, rest = "", parts[1], parts[2:]
        elif parts[0] == "apis" and len(parts) > 3:
            group, version, rest = parts[1], parts[2], parts[3:]
        else:
            return None
        namespace: str | None = None
        if rest[0] == "namespaces" and len(rest) > 2 and not (len(rest) == 3 and rest[2] == "status"):
            namespace, rest = rest[1], rest[2:]
        if len(rest) > 3:
            raise no_such_path()
        plural, name, subresource = [*rest, "", ""][:3]
        kind = self._catalog.find(group, version, plural)
        if kind.namespaced == (namespace is None) and (name or not kind.namespaced):
            raise no_such_path()
        return Target(kind, namespace, name, subresource)

    def _document(self, parts: list[str], request: Request) -> Response:
        if request.method != "GET":
            raise method_not_allowed() if parts[0] in ("api", "apis", "version", "openapi") else no_such_path()
        document = self._find_document(parts, request.headers.get("accept", ""))
        if document is None:
            raise no_such_path()
        response = json_response(document)
        if document.get("kind") == "APIGroupDiscoveryList":
            media_type = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
            return Response(response.body, media_type=media_type)
        return response

    def _find_document(self, parts: list[str], accept: str) -> dict[str, Any] | None:
        document: dict[str, Any] | None = None
        match parts:
            case [""]:
                document = {"paths": ["/api", "/apis", "/healthz", "/openapi/v2", "/openapi/v3", "/version"]}
            case ["version"]:
                document = discovery.VERSION
            case ["api" | "apis"] if negotiate(accept) == "APIGroupDiscoveryList":
                document = discovery.aggregated(self._catalog, core=parts == ["api"])
            case ["api"]:
                document = discovery.api_versions()
            case ["apis"]:
                document = discovery.group_list(self._catalog)
            case ["api", version]:
                document = discovery.resource_list(self._catalog, "", version)
            case ["apis", group]:
                document = discovery.group(self._catalog, group)
            case ["apis", group, version]:
                document = discovery.resource_list(self._catalog, group, version)
            case ["openapi", *rest]:
                document = self._find_openapi(rest, accept)
        return document

    def _find_openapi(self, parts: list[str], accept: str) -> dict[str, Any] | None:
        if accept and "json" not in accept and "*/*" not in accept:
            raise not_acceptable(("application/json",))
        match parts:
            case ["v2"]:
                return openapi.version_2(self._catalog)
            case ["v3"]:
                return openapi.index(self._catalog)
            case ["v3", "api", version]:
                return openapi.version_3(self._catalog, "", version)
            case ["v3", "apis", group, version]:
                return openapi.version_3(self._catalog, group, version)
            case _:
                return None

    async def _stream(self, stream: Stream, path: str, receive: Receive, send: Send) -> None:
        """Send the pieces until they end, the client is gone, or `faults` drops the watch."""
        await send(_start(200, stream.media_type))
        producer = asyncio.ensure_future(self._produce(stream, path, send))
        listener = asyncio.ensure_future(_disconnect(receive))
        end = producer.cancel
        if stream.watched:
            self._faults.watch_began(stream.watched, end)
        try:
            await asyncio.wait({producer, listener}, return_when=asyncio.FIRST_COMPLETED)
            is_gone = listener.done()
        finally:
            self._faults.watch_ended(end)
            producer.cancel()
            listener.cancel()
            results = await asyncio.gather(producer, listener, return_exceptions=True)
        if error := next((r for r in results if isinstance(r, Exception)), None):
            log.error("a stream of %s broke", path, exc_info=error)
        if not is_gone:
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _produce(self, stream: Stream, path: str, send: Send) -> None:
        async for piece in _closing(stream.pieces):
            troubled = stream.watched and self._faults.rules
            body = self._faults.trouble(stream.watched, path, piece) if troubled else piece
            if body:
                await send({"type": "http.response.body", "body": body, "more_body": True})


async def _closing(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The pieces; whoever makes them is told when nobody listens any longer."""
    try:
        async for piece in pieces:
            yield piece
    finally:
        if close := getattr(pieces, "aclose", None):
            await close()


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _read(scope: Scope, receive: Receive) -> Request:
    query: dict[str, str] = {}
    for key, value in parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True):
        query.setdefault(key, value)
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    body = b""
    if scope["method"] not in ("GET", "HEAD"):
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                break
            body += message.get("body", b"")
            if len(body) > _LARGEST_BODY:
                raise StatusError(413, "RequestEntityTooLarge", f"Request entity too large: limit is {_LARGEST_BODY}")
            if not message.get("more_body"):
                break
    return Request(scope["method"], scope["path"], query, headers, body)


def _start(status: int, media_type: str, headers: list[tuple[bytes, bytes]] | None = None) -> dict[str, Any]:
    return {
        "type": "http.response.start",
        "status": status,
        "headers": [(b"content-type", media_type.encode()), *(headers or ())],
    }


async def _send(response: Response, send: Send) -> None:
    headers = [(b"content-length", str(len(response.body)).encode())]
    headers += [(name.encode(), value.encode("utf-8")) for name, value in response.headers]
    await send(_start(response.status, response.media_type, headers))
    await send({"type": "http.response.body", "body": response.body})
