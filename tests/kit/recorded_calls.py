"""What somebody asks of the Kubernetes API, as RBAC sees it: taken down where requests leave the process."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple
from unittest.mock import patch

import httpx

from gateway_common.kube_transport import AiohttpTransport
from gateway_common.rights import Rule

_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch"}


class Access(NamedTuple):
    """A request's attributes for authorization; `resource` with its subresource: `pods/log`."""

    verb: str
    group: str
    resource: str
    namespace: str


_recording: ContextVar[set[Access] | None] = ContextVar("recording", default=None)


def allowed(rules: Iterable[Rule], namespace: str = "") -> set[Access]:
    """What rules allow."""
    return {
        Access(verb, rule.resource.group, "/".join(filter(None, (rule.resource.plural, rule.subresource))), namespace)
        for rule in rules
        for verb in rule.verbs
    }


def read_access(request: httpx.Request) -> Access:
    """What the API server reads from a path (apiserver's RequestInfo)."""
    parts = request.url.path.strip("/").split("/")
    group = parts[1] if parts[0] == "apis" else ""
    rest = parts[3:] if group else parts[2:]
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2:
        namespace, rest = rest[1], rest[2:]
    named = len(rest) > 1
    resource = "/".join((rest[0], *rest[2:]))
    if request.method == "DELETE":
        verb = "delete" if named else "deletecollection"
    elif request.method == "GET":
        verb = "get" if named else "watch" if request.url.params.get("watch") == "true" else "list"
    else:
        verb = _VERBS[request.method]
    return Access(verb, group, resource, namespace)


@contextmanager
def recorded(found: set[Access]) -> Iterator[None]:
    """Put into `found` what is asked in this context, and what tasks ask, for as long as they run, that begin in it."""
    token = _recording.set(found)
    try:
        yield
    finally:
        _recording.reset(token)


@contextmanager
def recorder() -> Iterator[None]:
    """While this lasts, recording works."""
    original = AiohttpTransport.handle_async_request

    async def record(self: AiohttpTransport, request: httpx.Request) -> httpx.Response:
        if (found := _recording.get()) is not None:
            found.add(read_access(request))
        return await original(self, request)

    with patch.object(AiohttpTransport, "handle_async_request", record):
        yield
