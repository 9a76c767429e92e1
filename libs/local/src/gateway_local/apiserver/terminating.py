"""What goes with its container: the objects of a deleted namespace, and of a deleted CustomResourceDefinition.

Both stay, marked as deleted, until the last of their objects is gone (Kubernetes' namespace controller, and the
finalizer of apiextensions).
"""

import asyncio
import logging

from gateway_local.apiserver.catalog import Catalog
from gateway_local.apiserver.crds import CLEANUP_FINALIZER
from gateway_local.apiserver.deletion import DeleteOptions
from gateway_local.apiserver.kinds import Kind
from gateway_local.apiserver.operations import Operations, WriteOptions
from gateway_local.apiserver.storage import Change, Storage, Stored, Table

log = logging.getLogger(__name__)

_NAMESPACES = ("", "namespaces")
_DEFINITIONS = ("apiextensions.k8s.io", "customresourcedefinitions")


class Terminator:
    """Empties deleted namespaces and definitions, in `run`."""

    def __init__(self, catalog: Catalog, storage: Storage, operations: Operations) -> None:
        self._catalog = catalog
        self._storage = storage
        self._operations = operations
        self._ending: set[tuple[str, str]] = set()
        """("namespace", name) and ("definition", name)."""
        self._wakeup = asyncio.Event()
        storage.listeners.append(self._changed)

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            await self._wakeup.wait()
            self._wakeup.clear()
            for sort, name in list(self._ending):
                try:
                    is_over = self._end_namespace(name) if sort == "namespace" else self._end_definition(name)
                except Exception:
                    log.exception("the %s %s can't be emptied", sort, name)
                    continue
                if is_over:
                    self._ending.discard((sort, name))

    def _changed(self, table: Table, change: Change) -> None:
        stored = change.stored
        if "deletionTimestamp" in stored.object["metadata"] and change.type != "DELETED":
            if table.key == _NAMESPACES:
                self._ending.add(("namespace", stored.name))
                self._wakeup.set()
            elif table.key == _DEFINITIONS:
                self._ending.add(("definition", stored.name))
                self._wakeup.set()
        elif self._ending and change.type == "DELETED":
            self._wakeup.set()

    def _end_namespace(self, name: str) -> bool:
        left = 0
        for kind in list(self._catalog):
            if kind.namespaced:
                left += self._delete_all(kind, list(self._storage.open(kind.key).iterate(name)))
        if left == 0:
            self._operations.finalize_namespace(name)
        return left == 0

    def _end_definition(self, name: str) -> bool:
        definition = self._storage.open(_DEFINITIONS).get("", name)
        if definition is None:
            return True
        spec = definition.object["spec"]
        kind = self._catalog.of_table((spec["group"], spec["names"]["plural"]))
        if kind is not None and self._delete_all(kind, list(self._storage.open(kind.key).iterate())):
            return False
        definitions = self._catalog.of_table(_DEFINITIONS)
        keep = [f for f in definition.object["metadata"].get("finalizers", ()) if f != CLEANUP_FINALIZER]
        if definitions is not None:
            patch = {"metadata": {"finalizers": keep or None}}
            self._operations.merge_patch(definitions, "", name, patch, WriteOptions(manager="apiextensions"))
        return True

    def _delete_all(self, kind: Kind, objects: list[Stored]) -> int:
        """Delete what is not deleted yet; the answer is how many objects are left."""
        left = 0
        for stored in objects:
            is_gone = False
            if "deletionTimestamp" not in stored.object["metadata"]:
                _, is_gone = self._operations.delete(kind, stored.namespace, stored.name, DeleteOptions())
            left += not is_gone
        return left
