"""The logs of pods: asked for here, kept by whoever runs the pods."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from gateway_local.apiserver.errors import StatusError, bad_request
from gateway_local.apiserver.messages import Answer, Query, Response, Stream
from gateway_local.apiserver.storage import Stored

_TEXT = "text/plain"


@dataclass(frozen=True, slots=True)
class LogRequest:
    """Which part of which container's log somebody wants."""

    namespace: str
    pod: str
    container: str
    previous: bool = False
    tail_lines: int | None = None
    since: datetime | None = None
    timestamps: bool = False
    limit_bytes: int | None = None


class LogSource(Protocol):
    """Where logs come from: the kubelet. Both calls raise `LookupError`, with the reason, when there is no such log."""

    async def read(self, request: LogRequest) -> bytes:
        """The log as it is now."""

    def follow(self, request: LogRequest) -> AsyncIterator[bytes]:
        """The log as it is now and as it grows, until the container ends."""


async def pod_log(source: LogSource | None, pod: Stored, query: Query) -> Answer:
    """Answer GET .../pods/{name}/log. `StatusError` 400 for a container that is not there or has not started."""
    request = _parse(pod, query)
    if source is None:
        raise StatusError(500, "InternalError", "no kubelet runs pods here: there are no logs")
    try:
        if query.get("follow", "").lower() in ("true", "1"):
            return Stream(source.follow(request), _TEXT)
        text = await source.read(request)
    except LookupError as error:
        raise bad_request(str(error.args[0]) if error.args else "no log") from error
    return Response(text, media_type=_TEXT)


def _parse(pod: Stored, query: Query) -> LogRequest:
    names = [container["name"] for container in pod.object["spec"].get("containers", ())]
    names += [container["name"] for container in pod.object["spec"].get("initContainers", ())]
    container = query.get("container", "")
    if not container:
        if len(names) > 1:
            choices = " ".join(names)
            raise bad_request(f"a container name must be specified for pod {pod.name}, choose one of: [{choices}]")
        container = names[0]
    elif container not in names:
        raise bad_request(f"container {container} is not valid for pod {pod.name}")
    since = None
    if seconds := _number(query, "sinceSeconds"):
        since = datetime.now(UTC) - timedelta(seconds=seconds)
    elif text := query.get("sinceTime"):
        try:
            since = datetime.fromisoformat(text)
        except ValueError as error:
            raise bad_request(f"sinceTime: {error}") from error
    return LogRequest(
        namespace=pod.namespace,
        pod=pod.name,
        container=container,
        previous=query.get("previous", "").lower() in ("true", "1"),
        tail_lines=_number(query, "tailLines"),
        since=since,
        timestamps=query.get("timestamps", "").lower() in ("true", "1"),
        limit_bytes=_number(query, "limitBytes"),
    )


def _number(query: Query, name: str) -> int | None:
    text = query.get(name, "")
    if not text:
        return None
    if not text.isdigit():
        raise bad_request(f"{name}: {text} is not a number")
    return int(text)
