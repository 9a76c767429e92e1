"""The API in the same process: what the kubelet and the other embedded controllers call.

The same rules as over HTTP (validation, resourceVersions, finalizers, history) without the wire. Every call is
synchronous and atomic, because the storage lives on the caller's event loop.

The dicts that come back are the stored objects themselves: read them, never change them. What goes in is copied.
"""

from collections.abc import AsyncIterator

from gateway_common.resources import Manifest, Resource
from gateway_local.apiserver.catalog import Catalog
from gateway_local.apiserver.errors import StatusError
from gateway_local.apiserver.kinds import Kind
from gateway_local.apiserver.operations import DeleteOptions, Operations, WriteOptions
from gateway_local.apiserver.selectors import parse_label_selector
from gateway_local.apiserver.storage import Storage
from gateway_local.apiserver.watching import Overflow


class Objects:
    """Kubernetes objects by plain calls. Raises `StatusError` where HTTP would answer one.

    Parameters
    ----------
    manager
        The name under which these writes appear in `metadata.managedFields`.
    """

    def __init__(self, catalog: Catalog, storage: Storage, operations: Operations, manager: str = "kubelet") -> None:
        self._catalog = catalog
        self._storage = storage
        self._operations = operations
        self._options = WriteOptions(manager=manager)

    def acting_as(self, manager: str) -> "Objects":
        """The same objects, written under another name."""
        return Objects(self._catalog, self._storage, self._operations, manager)

    def get(self, resource: Resource, namespace: str, name: str) -> Manifest | None:
        """The object, or None. The namespace of a cluster-scoped resource is ""."""
        stored = self._storage.open(self._kind(resource).key).get(namespace, name)
        return stored.object if stored else None

    def list(self, resource: Resource, namespace: str | None = None, label_selector: str = "") -> list[Manifest]:
        """The objects of a namespace, or of all (None), in no particular order."""
        matches = parse_label_selector(label_selector)
        table = self._storage.open(self._kind(resource).key)
        return [stored.object for stored in table.iterate(namespace) if matches(stored.labels)]

    def create(self, resource: Resource, manifest: Manifest) -> Manifest:
        """Create in the namespace that the manifest names. `StatusError` 409 when it exists."""
        namespace = manifest["metadata"].get("namespace", "")
        return self._operations.create(self._kind(resource), namespace, manifest, self._options).object

    def update(self, resource: Resource, manifest: Manifest, subresource: str = "") -> Manifest:
        """Replace. `StatusError` 409 when the manifest's resourceVersion is given and stale."""
        meta = manifest["metadata"]
        return self._operations.update(
            self._kind(resource), meta.get("namespace", ""), meta["name"], manifest, self._options, subresource
        ).object

    def patch(
        self, resource: Resource, namespace: str, name: str, merge_patch: Manifest, subresource: str = ""
    ) -> Manifest:
        """Merge a patch (RFC 7386) into the object, or into its `status` subresource."""
        return self._operations.merge_patch(
            self._kind(resource), namespace, name, merge_patch, self._options, subresource
        ).object

    def delete(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        *,
        grace_period_seconds: int | None = None,
        uid: str = "",
        propagation_policy: str = "",
    ) -> None:
        """Delete. A grace period of 0 is how the kubelet says that a pod's processes are gone."""
        options = DeleteOptions(
            grace_period_seconds=grace_period_seconds, uid=uid, propagation_policy=propagation_policy
        )
        self._operations.delete(self._kind(resource), namespace, name, options)

    async def watch(self, resource: Resource, namespace: str | None = None) -> AsyncIterator[tuple[str, Manifest]]:
        """("ADDED" | "MODIFIED" | "DELETED", object) for ever, beginning with an ADDED for all that exists.

        A consumer that falls far behind gets `StatusError` 410, as over HTTP, and has to begin anew.
        """
        table = self._storage.open(self._kind(resource).key)
        existing = list(table.iterate(namespace))
        with table.subscribe(namespace) as subscription:
            for stored in existing:
                yield "ADDED", stored.object
            while not subscription.closed:
                try:
                    changes = await subscription.take()
                except Overflow as error:
                    raise StatusError(410, "Expired", "too many changes since the last read") from error
                for change in changes:
                    yield change.type, change.stored.object

    def _kind(self, resource: Resource) -> Kind:
        return self._catalog.find(resource.group, resource.version, resource.plural)
