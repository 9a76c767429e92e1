"""What the Kubernetes API sends, from bytes to plain dicts."""

from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import httpx
import orjson

from gateway_common.errors import KubeUnavailable
from gateway_common.kube_errors import error_from_status, error_from_transport


class WatchEvent(NamedTuple):
    """`type` is ADDED, MODIFIED, DELETED or BOOKMARK; what comes as ERROR is raised instead."""

    type: str
    object: dict[str, Any]


def parse_json(content: bytes) -> Any:
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise KubeUnavailable(f"the Kubernetes API answered what is not JSON: {content[:80]!r}") from error


async def parse_events(chunks: AsyncIterator[bytes]) -> AsyncIterator[WatchEvent]:
    """The events of a watch, one a line; a last line without its end was cut off and is dropped.

    From the raw stream: decoding it to lines of text first costs as much as parsing it. Raises a KubeError when the
    connection breaks.
    """
    rest = b""
    try:
        async for chunk in chunks:
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                event = parse_json(line)
                if event["type"] == "ERROR":
                    raise error_from_status(event["object"])
                yield WatchEvent(event["type"], event["object"])
    except httpx.HTTPError as error:
        raise error_from_transport(error) from error
