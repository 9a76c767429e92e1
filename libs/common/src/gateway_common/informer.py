"""A live copy of a set of Kubernetes objects: list, watch, and list again where the watch can't go on.

Level-based: a consumer learns that an object changed and what it is now, never each step in between. What the
server does to streams (closes them, forgets versions, falls silent, refuses for a while) ends here.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from typing import Any, Generic, TypeVar

from gateway_common.backoff import Backoff, system_random
from gateway_common.configuration.model import ALL_NAMESPACES
from gateway_common.errors import Expired, Forbidden, KubeError
from gateway_common.kube import KubeClient, KubeObject
from gateway_common.kube_decode import WatchEvent
from gateway_common.kube_errors import RequestNotSent
from gateway_common.object_store import ObjectKey, ObjectStore, identify
from gateway_common.resources import Resource

__all__ = ["Informer", "ObjectKey", "WatchTiming"]

T = TypeVar("T")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WatchTiming:
    """In seconds. Tests shorten it."""

    #: The server ends a stream after this long, drawn anew each time so that streams don't end together.
    shortest_stream: int = 240
    longest_stream: int = 360
    #: A stream without a byte for this long is taken for dead. Servers send a bookmark a minute.
    silence: float = 90.0
    #: A stream that ends sooner counts as failed, or a server that hangs up at once would keep us busy.
    healthy: float = 1.0
    #: Then a stream is followed by a list even if nothing went wrong: what a server under load once failed to
    #: send (measured, 1.36) would otherwise be believed for ever. Brings no changes, wakes nobody.
    longest_trust: float = 1800.0
    first_pause: float = 0.1
    #: Also how long after the server's return we may notice it.
    longest_pause: float = 10.0
    #: A namespace that may not be read for so long is lost, with its roles, and not just being installed.
    longest_refusal: float = 10.0


class Informer(Generic[T]):
    """The objects of `resource` in `namespaces` that `label_selector` selects. None or ALL_NAMESPACES: in all.

    `transform` keeps what is needed of a manifest, and runs once a version. `on_change` gets the key and the new
    value, None when the object is gone; it is called for real changes only, on the event loop, and must not block.
    """

    def __init__(
        self,
        client: KubeClient,
        resource: Resource,
        *,
        namespaces: Sequence[str] | None,
        transform: Callable[[KubeObject], T],
        label_selector: str = "",
        index: Callable[[T], Hashable | None] | None = None,
        on_change: Callable[[ObjectKey, T | None], None] | None = None,
        timing: WatchTiming | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self._store: ObjectStore[T] = ObjectStore(index)
        copy = _Copy(self._store, transform, on_change)
        selection = _Selection(client, resource, label_selector)
        everywhere = namespaces is None or ALL_NAMESPACES in namespaces or not resource.namespaced
        scopes: Sequence[str | None] = [None] if everywhere else list(dict.fromkeys(namespaces or ()))
        self._copy = copy
        self._streams = {
            scope: _Stream(selection, scope, copy, timing or WatchTiming(), rng or system_random()) for scope in scopes
        }

    async def run(self) -> None:
        """Keep the copy current until cancelled; nothing that the server does ends it."""
        async with asyncio.TaskGroup() as group:
            for stream in self._streams.values():
                group.create_task(stream.run(), name=f"informer of {stream}")

    async def wait_synced(self) -> None:
        """Wait until everything has been listed, anew if `refresh` was called. Takes a running `run`.

        A namespace that the server refuses to show is waited for no longer where there are others: see `is_synced`.
        """
        streams = self._streams.values()
        for stream in streams:
            await stream.settled.wait()
        if any(stream.synced.is_set() for stream in streams):
            return
        first = [asyncio.ensure_future(stream.synced.wait()) for stream in streams]
        try:
            await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for waiting in first:
                waiting.cancel()

    def is_synced(self, namespace: str) -> bool:
        """Whether what is in a namespace has been listed."""
        stream = self._stream_of(namespace)
        return stream is not None and stream.synced.is_set()

    def refresh(self) -> None:
        """List everything again at once, for those who can't wait until a broken watch is noticed.

        `wait_synced` waits until that is done. Brings no changes if nothing was missed.
        """
        for stream in self._streams.values():
            stream.refresh()

    def newest(self) -> dict[str, int]:
        """The highest resourceVersion of any object that was taken in, by namespace; in all together it is ""."""
        return {scope or "": stream.newest for scope, stream in self._streams.items()}

    def has_seen(self, newest: Mapping[str, int]) -> bool:
        """Whether the watches have brought all that another informer of the same objects knew, by its `newest`."""
        return all(newest.get(scope or "", inf) <= stream.seen for scope, stream in self._streams.items())

    def get(self, key: ObjectKey) -> T | None:
        return self._store.get(key)

    def values(self) -> list[T]:
        return self._store.values()

    def by_index(self, value: Hashable) -> list[T]:
        """The objects whose index is `value`."""
        return self._store.by_index(value)

    def absorb(self, manifest: KubeObject) -> None:
        """Take in the answer to one's own write, so that the next read sees it.

        The object must be one that the label selector selects. Ignored if it is outside the namespaces, or if the
        watch has come past this version already: what it has not brought, or has taken away, is not put back.
        """
        key, version = identify(manifest)
        stream = self._stream_of(key.namespace)
        if stream and version > stream.seen:
            self._copy.accept(manifest)
            stream.newest = max(stream.newest, version)

    def _stream_of(self, namespace: str) -> "_Stream | None":
        return self._streams.get(None) or self._streams.get(namespace)


class _Copy(Generic[T]):
    """Puts manifests in the store and says what changed. An object or a consumer that fails stops nobody else."""

    def __init__(
        self,
        store: ObjectStore[T],
        transform: Callable[[KubeObject], T],
        on_change: Callable[[ObjectKey, T | None], None] | None,
    ) -> None:
        self.store = store
        self._transform = transform
        self._on_change = on_change

    def accept(self, manifest: KubeObject) -> tuple[ObjectKey, int]:
        key, version = identify(manifest)
        if not self.store.has(key, version):
            try:
                value = self._transform(manifest)
                self.store.put(key, version, value)
            except Exception:
                # Keeping the older value beats reporting a deletion that did not happen.
                logger.exception("Cannot read %s/%s at %d", *key, version)
            else:
                self._notify(key, value)
        return key, version

    def drop(self, key: ObjectKey, version: int) -> None:
        if self.store.remove(key, version):
            self._notify(key, None)

    def _notify(self, key: ObjectKey, value: T | None) -> None:
        if self._on_change:
            try:
                self._on_change(key, value)
            except Exception:
                logger.exception("The consumer of %s/%s failed", *key)


@dataclass(frozen=True, slots=True)
class _Selection:
    client: KubeClient
    resource: Resource
    label_selector: str


class _Stream:
    """Lists and watches one namespace, or all."""

    def __init__(
        self,
        selection: _Selection,
        namespace: str | None,
        copy: _Copy[Any],
        timing: WatchTiming,
        rng: random.Random,
    ) -> None:
        self._selection = selection
        self._namespace = namespace
        self._copy = copy
        self._timing = timing
        self._rng = rng
        self._backoff = Backoff(timing.first_pause, timing.longest_pause, rng)
        self._must_list = True
        self._listed_at = 0.0
        self._watching = False
        self._failing = False
        #: The last resourceVersion that the server has shown us: older changes are all in the store.
        self.seen = -1
        #: Of an object, from the watch or absorbed.
        self.newest = -1
        self.synced = asyncio.Event()
        #: Either that, or there is no use in waiting for it.
        self.settled = asyncio.Event()
        self._refused_since: float | None = None
        self._round: asyncio.Timeout | None = None

    def __str__(self) -> str:
        return f"{self._selection.resource.plural} in {self._namespace or 'all namespaces'}"

    def refresh(self) -> None:
        """Begin anew with a list, whatever is being done: it may be a list that began too early."""
        self.synced.clear()
        if self._refused_since is None:
            self.settled.clear()
        self._must_list = True
        if self._round and not self._round.expired():
            self._round.reschedule(0.0)

    async def run(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(None) as self._round:
                    await self._follow()
                    await asyncio.sleep(self._backoff.next())

    async def _follow(self) -> None:
        """List if need be, then watch until the stream ends, whatever ends it."""
        try:
            if self._must_list or _now() - self._listed_at >= self._timing.longest_trust:
                await self._list()
            await self._watch()
        except Expired as error:
            logger.info("Listing %s again: %s", self, error)
            self._must_list = True
        except KubeError as error:
            self._report(error)
            # Who was away may come back without its memory, and a watch from its future stays silent.
            self._must_list |= isinstance(error, RequestNotSent)
        except Exception:
            # An answer of no known shape. Ending here would leave a copy that ages unnoticed.
            logger.exception("Cannot understand the answers about %s", self)
            self._must_list = True
        finally:
            self._watching = False

    async def _list(self) -> None:
        selection = self._selection
        present: set[ObjectKey] = set()
        version = self.seen
        async for page in selection.client.pages(
            selection.resource, namespace=self._namespace, label_selector=selection.label_selector
        ):
            version = int(page.resource_version)
            if version < self.seen:
                # A list is never older than what was seen before, unless the server lost its memory.
                logger.warning("The history of %s has begun anew at %d", self, version)
                self._copy.store.age(self._namespace)
                self.seen = self.newest = version
            for manifest in page.items:
                key, at = self._copy.accept(manifest)
                present.add(key)
                self.newest = max(self.newest, at)
        for key in self._copy.store.missing(self._namespace, present, version):
            self._copy.drop(key, version)
        self.seen = version
        self._must_list = False
        self._listed_at = _now()
        self._refused_since = None
        self.synced.set()
        self.settled.set()

    async def _watch(self) -> None:
        selection, timing = self._selection, self._timing
        async with selection.client.watch(
            selection.resource,
            namespace=self._namespace,
            label_selector=selection.label_selector,
            resource_version=str(self.seen),
            timeout_seconds=self._rng.randint(timing.shortest_stream, timing.longest_stream),
            silence_seconds=timing.silence,
        ) as events:
            opened = _now()
            self._watching = True
            if self._failing:
                self._failing = False
                logger.info("Watching %s again", self)
            try:
                async for event in events:
                    self._see(event)
            finally:
                if _now() - opened >= timing.healthy:
                    self._backoff.reset()

    def _report(self, error: KubeError) -> None:
        """A stream that breaks is everyday life, a server that lets us in no more is worth one warning."""
        if self._watching:
            logger.info("The watch of %s broke: %s", self, error)
            return
        self._note_refusal(error)
        logger.log(logging.DEBUG if self._failing else logging.WARNING, "Cannot watch %s: %s", self, error)
        self._failing = True

    def _note_refusal(self, error: KubeError) -> None:
        if not isinstance(error, Forbidden):
            self._refused_since = None
            return
        now = _now()
        self._refused_since = now if self._refused_since is None else self._refused_since
        if now - self._refused_since >= self._timing.longest_refusal:
            self.settled.set()

    def _see(self, event: WatchEvent) -> None:
        if event.type == "BOOKMARK":
            version = int(event.object["metadata"]["resourceVersion"])
        elif event.type == "DELETED":
            key, version = identify(event.object)
            self._copy.drop(key, version)
        else:
            _, version = self._copy.accept(event.object)
            self.newest = max(self.newest, version)
        self.seen = max(self.seen, version)


def _now() -> float:
    return asyncio.get_running_loop().time()
