"""Versioned objects in memory, the history of their changes, and who watches them.

What etcd and the watch cache are to Kubernetes. It knows nothing of kinds' rules. A stored object is never changed in
place, so readers, watchers and history share it, and its JSON is made once.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from typing import Literal, Self

import orjson

from gateway_common.resources import Manifest

TableKey = tuple[str, str]
"""(group, plural)."""
ChangeType = Literal["ADDED", "MODIFIED", "DELETED"]

HISTORY = 8192
"""Changes that each table remembers, for watches and continued lists; beyond them the answer is 410."""


class Compacted(Exception):
    """The history does not reach back to that version."""


class Overflow(Exception):
    """A subscriber read so slowly that changes had to be dropped."""


class Stored:
    """One version of one object."""

    __slots__ = ("_json", "labels", "name", "namespace", "object", "version")

    def __init__(self, manifest: Manifest, version: int) -> None:
        meta = manifest["metadata"]
        self.object = manifest
        self.version = version
        self.namespace: str = meta.get("namespace", "")
        self.name: str = meta["name"]
        self.labels: dict[str, str] = meta.get("labels") or {}
        self._json: bytes | None = None

    @property
    def json(self) -> bytes:
        if self._json is None:
            self._json = orjson.dumps(self.object)
        return self._json

    @property
    def uid(self) -> str:
        return str(self.object["metadata"]["uid"])

    def thaw(self) -> Manifest:
        """A private copy, to change and store again."""
        copy: Manifest = orjson.loads(self.json)
        return copy

    def at(self, version: int) -> "Stored":
        """The same object under another resourceVersion: what a deletion's event carries."""
        meta = {**self.object["metadata"], "resourceVersion": str(version)}
        return Stored({**self.object, "metadata": meta}, version)


class Change:
    """Something that happened to an object. `stored` is the new version, or for a deletion the last one."""

    __slots__ = ("_frames", "_left", "previous", "stored", "type")

    def __init__(self, type_: ChangeType, stored: Stored, previous: Stored | None) -> None:
        self.type = type_
        self.stored = stored
        self.previous = previous
        self._frames: dict[Hashable, bytes] = {}
        self._left: Stored | None = None

    @property
    def version(self) -> int:
        return self.stored.version

    @property
    def left(self) -> Stored:
        """For a watch whose selector the object no longer matches: the last version that did."""
        if self._left is None:
            self._left = (self.previous or self.stored).at(self.version)
        return self._left

    def frame(self, key: Hashable, make: Callable[[], bytes]) -> bytes:
        """The change as it goes over the wire in one form, made for the first watcher and shared by all."""
        frame = self._frames.get(key)
        if frame is None:
            frame = self._frames[key] = make()
        return frame


class Subscription:
    """The changes of a table from now on, in order. A context manager."""

    def __init__(self, table: "Table", namespace: str | None, limit: int) -> None:
        self._table = table
        self._limit = limit
        self._pending: list[Change] = []
        self._wakeup = asyncio.Event()
        self.namespace = namespace
        self.closed = False
        self._overflowed = False

    def push(self, change: Change) -> None:
        if len(self._pending) >= self._limit:
            self._overflowed = True
            self._pending.clear()
        self._pending.append(change)
        self._wakeup.set()

    async def take(self, patience: float | None = None) -> list[Change]:
        """All changes since the last call; waits for the first. Empty after `patience` seconds, or when closed."""
        if not self._pending and not self.closed:
            try:
                async with asyncio.timeout(patience):
                    await self._wakeup.wait()
            except TimeoutError:
                return []
        if self._overflowed:
            raise Overflow
        self._wakeup.clear()
        taken, self._pending = self._pending, []
        return taken

    def close(self) -> None:
        self.closed = True
        self._wakeup.set()

    def __enter__(self) -> Self:
        self._table.subscriptions[self] = None
        return self

    def __exit__(self, *_: object) -> None:
        self._table.subscriptions.pop(self, None)


class Table:
    """All objects of one resource."""

    def __init__(self, storage: "Storage", key: TableKey, history: int) -> None:
        self.key = key
        self._storage = storage
        self._by_namespace: dict[str, dict[str, Stored]] = {}
        self._history: deque[Change] = deque()
        self._history_size = history
        self._forgotten = storage.version
        #: In the order in which they came, so that who hears first is not up to chance.
        self.subscriptions: dict[Subscription, None] = {}

    def get(self, namespace: str, name: str) -> Stored | None:
        return self._by_namespace.get(namespace, {}).get(name)

    def iterate(self, namespace: str | None = None) -> Iterator[Stored]:
        if namespace is not None:
            yield from self._by_namespace.get(namespace, {}).values()
            return
        for objects in self._by_namespace.values():
            yield from objects.values()

    def __len__(self) -> int:
        return sum(len(objects) for objects in self._by_namespace.values())

    def snapshot(self, version: int, namespace: str | None = None) -> list[Stored]:
        """The objects as they were at a version, in order of namespace and name. Raises `Compacted`."""
        objects = {(stored.namespace, stored.name): stored for stored in self.iterate(namespace)}
        if version < self._storage.version:
            for change in reversed(self.since(version)):
                if namespace is not None and change.stored.namespace != namespace:
                    continue
                key = (change.stored.namespace, change.stored.name)
                if change.previous is not None:
                    objects[key] = change.previous
                else:
                    del objects[key]
        return [objects[key] for key in sorted(objects)]

    def since(self, version: int) -> list[Change]:
        """The changes after a version, oldest first. Raises `Compacted`."""
        if version < self._forgotten:
            raise Compacted
        changes: list[Change] = []
        for change in reversed(self._history):
            if change.version <= version:
                break
            changes.append(change)
        changes.reverse()
        return changes

    def subscribe(self, namespace: str | None = None) -> Subscription:
        return Subscription(self, namespace, self._history_size)

    def put(self, manifest: Manifest) -> Stored:
        """Store an object under a new resourceVersion, which is written into it."""
        version = self._storage.next_version()
        manifest["metadata"]["resourceVersion"] = str(version)
        stored = Stored(manifest, version)
        objects = self._by_namespace.setdefault(stored.namespace, {})
        previous = objects.get(stored.name)
        objects[stored.name] = stored
        self._publish(Change("MODIFIED" if previous else "ADDED", stored, previous))
        return stored

    def remove(self, stored: Stored) -> Stored:
        """Forget an object; the answer is its last version."""
        objects = self._by_namespace[stored.namespace]
        del objects[stored.name]
        if not objects:
            del self._by_namespace[stored.namespace]
        last = stored.at(self._storage.next_version())
        self._publish(Change("DELETED", last, stored))
        return last

    def forget_history(self) -> None:
        """Drop the history, as a compaction of etcd does: older watches and lists get 410."""
        self._history.clear()
        self._forgotten = self._storage.version

    def _publish(self, change: Change) -> None:
        if len(self._history) >= self._history_size:
            self._forgotten = self._history.popleft().version
        self._history.append(change)
        namespace = change.stored.namespace
        for subscription in self.subscriptions:
            if subscription.namespace is None or subscription.namespace == namespace:
                subscription.push(change)
        for listener in self._storage.listeners:
            listener(self, change)


class Storage:
    """The tables, and the one counter of versions that they share.

    The counter begins with the time, so that versions grow over a restart too and a watch from an earlier life gets
    410 instead of silence.
    """

    def __init__(self, history: int = HISTORY) -> None:
        self.version = time.time_ns() // 1_000_000
        self.listeners: list[Callable[[Table, Change], None]] = []
        self._history = history
        self._tables: dict[TableKey, Table] = {}

    def next_version(self) -> int:
        self.version += 1
        return self.version

    def open(self, key: TableKey) -> Table:
        """The table under a key, made on first use."""
        table = self._tables.get(key)
        if table is None:
            table = self._tables[key] = Table(self, key, self._history)
        return table

    def drop(self, key: TableKey) -> None:
        """Forget a table: its kind is no longer served. Its watches end."""
        if table := self._tables.pop(key, None):
            for subscription in table.subscriptions:
                subscription.close()

    def close(self) -> None:
        """End every watch."""
        for table in self._tables.values():
            for subscription in table.subscriptions:
                subscription.close()
