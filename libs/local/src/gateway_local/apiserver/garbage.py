"""Garbage collection: objects whose owners are gone go too.

An object goes when none of its owners is left; Foreground keeps the owner until its dependents are gone; Orphan lets
the dependents stay; an owner in another namespace counts as absent. The rules in words:
https://kubernetes.io/docs/concepts/architecture/garbage-collection/
"""

import asyncio
import logging

from gateway_common.resources import Manifest
from gateway_local.apiserver.catalog import Catalog
from gateway_local.apiserver.deletion import FOREGROUND_FINALIZER, ORPHAN_FINALIZER, DeleteOptions
from gateway_local.apiserver.operations import Operations, WriteOptions
from gateway_local.apiserver.storage import Change, Storage, Stored, Table, TableKey

Place = tuple[TableKey, str, str]
"""(table, namespace, name)."""

log = logging.getLogger(__name__)

_OPTIONS = WriteOptions(manager="garbage-collector")
_BREATH = 100
"""Objects looked at before others on the event loop get their turn."""


class GarbageCollector:
    """Follows all changes and carries out what they imply, in `run`."""

    def __init__(self, catalog: Catalog, storage: Storage, operations: Operations) -> None:
        self._catalog = catalog
        self._storage = storage
        self._operations = operations
        self._alive: dict[str, Place] = {}
        self._dependents: dict[str, set[Place]] = {}
        self._queue: asyncio.Queue[Place] = asyncio.Queue()
        storage.listeners.append(self._changed)

    async def run(self) -> None:
        """Work until cancelled."""
        done = 0
        while True:
            place = await self._queue.get()
            try:
                self._attend(place)
            except Exception:
                log.exception("garbage collection of %s failed", place)
            done += 1
            if done % _BREATH == 0:
                await asyncio.sleep(0)

    def _changed(self, table: Table, change: Change) -> None:
        """Keep the index, and note who has to be looked at. Writes nothing: others are yet to hear of the change."""
        stored, meta = change.stored, change.stored.object["metadata"]
        place = (table.key, stored.namespace, stored.name)
        before = _owners(change.previous)
        now = _owners(stored) if change.type != "DELETED" else set()
        for uid in before - now:
            self._dependents.get(uid, set()).discard(place)
        for uid in now - before:
            self._dependents.setdefault(uid, set()).add(place)
        if change.type == "DELETED":
            self._alive.pop(stored.uid, None)
            for dependent in self._dependents.pop(stored.uid, ()):
                self._queue.put_nowait(dependent)
            for uid in before:
                if uid in self._alive:
                    self._queue.put_nowait(self._alive[uid])
            return
        self._alive[stored.uid] = place
        if now != before or {FOREGROUND_FINALIZER, ORPHAN_FINALIZER} & set(meta.get("finalizers") or ()):
            self._queue.put_nowait(place)

    def _attend(self, place: Place) -> None:
        stored = self._find(place)
        if stored is None:
            return
        meta = stored.object["metadata"]
        finalizers = meta.get("finalizers") or ()
        if "deletionTimestamp" in meta:
            if ORPHAN_FINALIZER in finalizers:
                self._orphan(place, stored)
            elif FOREGROUND_FINALIZER in finalizers:
                self._delete_dependents_first(place, stored)
        elif meta.get("ownerReferences"):
            self._judge(place, stored)

    def _judge(self, place: Place, dependent: Stored) -> None:
        """Delete an object without living owners; drop references to absent ones where others live."""
        references = dependent.object["metadata"]["ownerReferences"]
        present = [r for r in references if (owner := self._owner(dependent, r)) and not _is_waiting(owner)]
        absent = [r for r in references if self._owner(dependent, r) is None]
        if not present:
            policy = "Foreground" if self._dependents.get(dependent.uid) and len(absent) < len(references) else ""
            self._delete(place, dependent, policy)
        elif absent:
            keep = [reference for reference in references if reference not in absent]
            self._patch(place, {"metadata": {"ownerReferences": keep}})

    def _delete_dependents_first(self, place: Place, owner: Stored) -> None:
        is_blocked = False
        for at in list(self._dependents.get(owner.uid, ())):
            dependent = self._find(at)
            if dependent is None:
                continue
            reference = next(r for r in dependent.object["metadata"]["ownerReferences"] if r["uid"] == owner.uid)
            is_blocked |= bool(reference.get("blockOwnerDeletion"))
            if "deletionTimestamp" not in dependent.object["metadata"]:
                self._queue.put_nowait(at)
        if not is_blocked:
            self._let_go(place, owner, FOREGROUND_FINALIZER)

    def _orphan(self, place: Place, owner: Stored) -> None:
        for at in list(self._dependents.get(owner.uid, ())):
            if dependent := self._find(at):
                references = dependent.object["metadata"]["ownerReferences"]
                keep = [reference for reference in references if reference["uid"] != owner.uid]
                self._patch(at, {"metadata": {"ownerReferences": keep or None}})
        self._let_go(place, owner, ORPHAN_FINALIZER)

    def _let_go(self, place: Place, owner: Stored, finalizer: str) -> None:
        keep = [name for name in owner.object["metadata"]["finalizers"] if name != finalizer]
        self._patch(place, {"metadata": {"finalizers": keep or None}})

    def _owner(self, dependent: Stored, reference: Manifest) -> Stored | None:
        place = self._alive.get(reference["uid"])
        if place is None or place[1] not in ("", dependent.namespace):
            return None
        return self._find(place)

    def _find(self, place: Place) -> Stored | None:
        key, namespace, name = place
        return self._storage.open(key).get(namespace, name)

    def _patch(self, place: Place, patch: Manifest) -> None:
        key, namespace, name = place
        if kind := self._catalog.of_table(key):
            self._operations.merge_patch(kind, namespace, name, patch, _OPTIONS)

    def _delete(self, place: Place, stored: Stored, policy: str) -> None:
        key, namespace, name = place
        if kind := self._catalog.of_table(key):
            options = DeleteOptions(uid=stored.uid, propagation_policy=policy)
            self._operations.delete(kind, namespace, name, options)


def _owners(stored: Stored | None) -> set[str]:
    references = stored.object["metadata"].get("ownerReferences") if stored else None
    return {reference["uid"] for reference in references or ()}


def _is_waiting(owner: Stored) -> bool:
    """Whether an owner only waits for its dependents to go."""
    meta = owner.object["metadata"]
    return "deletionTimestamp" in meta and FOREGROUND_FINALIZER in (meta.get("finalizers") or ())
