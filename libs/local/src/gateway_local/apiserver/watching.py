"""Watches: the changes of a resource as a stream of events, in the order in which they happened.

k8s.io/apiserver/pkg/storage/cacher: beginning at a version, or with what exists; 410 as an ERROR event when the
history does not reach back; an object that leaves a selection is DELETED, one that enters it is ADDED.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import orjson

from gateway_local.apiserver.errors import StatusError
from gateway_local.apiserver.kinds import Kind
from gateway_local.apiserver.messages import Query
from gateway_local.apiserver.queries import (
    Selection,
    invalid_list_options,
    parse_selection,
    parse_version,
)
from gateway_local.apiserver.storage import Change, Compacted, Overflow, Storage, Stored

__all__ = ["Encoder", "Overflow", "WatchOptions", "parse_watch_options", "watch"]

Encoder = Callable[[Stored], bytes]

INITIAL_EVENTS_END = "k8s.io/initial-events-end"
_NOW = -1
_SHORTEST_DEFAULT_TIMEOUT = 1800
"""Seconds: a watch without timeoutSeconds lasts between this and twice as long, so that not all end at once."""


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """What a watch asks for.

    `since` is None to begin with everything that exists, and -1 to begin with what comes next.
    """

    selection: Selection
    namespace: str | None
    since: int | None
    bookmarks: bool
    announce_end_of_initial_events: bool
    timeout: float
    bookmark_interval: float = 60.0


def parse_watch_options(kind: Kind, namespace: str | None, query: Query) -> WatchOptions:
    """The options of a watch request. `StatusError` 400 or 422."""
    version = query.get("resourceVersion", "")
    match = query.get("resourceVersionMatch", "")
    initial = query.get("sendInitialEvents", "")
    bookmarks = _is_true(query.get("allowWatchBookmarks", ""))
    if initial and match != "NotOlderThan":
        raise invalid_list_options(
            "resourceVersionMatch", "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        )
    if match and not initial:
        raise invalid_list_options(
            "resourceVersionMatch", "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
        )
    wanted = parse_version(version) if version else 0
    everything = _is_true(initial) if initial else not wanted
    return WatchOptions(
        selection=parse_selection(kind, query),
        namespace=namespace,
        since=None if everything else wanted or _NOW,
        bookmarks=bookmarks,
        announce_end_of_initial_events=_is_true(initial) and bookmarks,
        timeout=_timeout(query.get("timeoutSeconds", "")),
    )


def _is_true(text: str) -> bool:
    return text.lower() in ("true", "1")


def _timeout(text: str) -> float:
    seconds = parse_version(text) if text else 0
    # spreads load, proves nothing: a plain generator will do
    return seconds or _SHORTEST_DEFAULT_TIMEOUT * (1 + random.random())  # noqa: S311


async def watch(
    storage: Storage, kind: Kind, options: WatchOptions, encode: Encoder, form: str = "json"
) -> AsyncIterator[bytes]:
    """The events as lines of JSON, several in one piece where several are due.

    `encode` writes an object in the `form` that the client asked for; events of one form are encoded once for all
    watchers.
    """
    table = storage.open(kind.key)
    clock = asyncio.get_running_loop()
    deadline = clock.time() + options.timeout
    with table.subscribe(options.namespace) as subscription:
        try:
            first = _initial(storage, kind, options, encode, form)
        except Compacted:
            yield _error(f"too old resource version: {options.since} ({storage.version})")
            return
        yield b"".join(first)
        next_bookmark = clock.time() + options.bookmark_interval
        while not subscription.closed:
            now = clock.time()
            if now >= deadline:
                if options.bookmarks:
                    yield _bookmark(kind, storage.version)
                return
            until = min(deadline, next_bookmark) if options.bookmarks else deadline
            try:
                changes = await subscription.take(until - now)
            except Overflow:
                yield _error("too many changes since the last read")
                return
            since = options.since or 0
            news = (change for change in changes if change.version > since)
            lines = [line for change in news if (line := _line(change, options.selection, encode, form))]
            if options.bookmarks and clock.time() >= next_bookmark:
                lines.append(_bookmark(kind, storage.version))
                next_bookmark = clock.time() + options.bookmark_interval
            if lines:
                yield b"".join(lines)


def _initial(storage: Storage, kind: Kind, options: WatchOptions, encode: Encoder, form: str) -> list[bytes]:
    table = storage.open(kind.key)
    if options.since == _NOW:
        return []
    if options.since is not None:
        changes = [
            change
            for change in table.since(options.since)
            if options.namespace is None or change.stored.namespace == options.namespace
        ]
        return [line for change in changes if (line := _line(change, options.selection, encode, form))]
    lines = [
        _event(b"ADDED", encode(stored))
        for stored in table.snapshot(storage.version, options.namespace)
        if options.selection(stored)
    ]
    if options.announce_end_of_initial_events:
        lines.append(_bookmark(kind, storage.version, {INITIAL_EVENTS_END: "true"}))
    return lines


def _line(change: Change, selection: Selection, encode: Encoder, form: str) -> bytes | None:
    """The event that a change is to somebody who sees only a selection."""
    if selection.is_everything:
        type_, stored = change.type, change.stored
    else:
        seen = change.previous is not None and selection(change.previous)
        if change.type == "DELETED" or not selection(change.stored):
            if not seen:
                return None
            type_, stored = "DELETED", change.stored if change.type == "DELETED" else change.left
        else:
            type_, stored = "MODIFIED" if seen else "ADDED", change.stored
    left = stored is not change.stored
    return change.frame((form, type_, left), lambda: _event(type_.encode(), encode(stored)))


def _event(type_: bytes, manifest: bytes) -> bytes:
    return b'{"type":"' + type_ + b'","object":' + manifest + b"}\n"


def _bookmark(kind: Kind, version: int, annotations: dict[str, str] | None = None) -> bytes:
    metadata: dict[str, Any] = {"resourceVersion": str(version), "creationTimestamp": None}
    if annotations:
        metadata["annotations"] = annotations
    return _event(b"BOOKMARK", orjson.dumps({"kind": kind.name, "apiVersion": kind.api_version, "metadata": metadata}))


def _error(message: str) -> bytes:
    return _event(b"ERROR", orjson.dumps(StatusError(410, "Expired", message).body()))
