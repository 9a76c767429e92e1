"""Create, update, patch, apply, delete: the rules of writing, the same over HTTP and in the process.

Everything is synchronous, so each operation is atomic on the event loop. An object that comes in is copied before it is
changed; an object that is stored never changes.
"""

from collections.abc import Callable
from datetime import UTC, datetime

from gateway_common.clock import Clock, system_clock, to_rfc3339
from gateway_common.resources import Manifest
from gateway_local.apiserver import managedfields
from gateway_local.apiserver.admission import admit_pod
from gateway_local.apiserver.deletion import DeleteOptions, check_preconditions, is_finished, mark_deleted
from gateway_local.apiserver.errors import (
    FieldProblem,
    already_exists,
    bad_request,
    forbidden,
    invalid,
    not_found,
)
from gateway_local.apiserver.kinds import Kind
from gateway_local.apiserver.managedfields import Manager
from gateway_local.apiserver.mergepatch import merge
from gateway_local.apiserver.storage import Storage, Stored
from gateway_local.apiserver.writes import (
    NO_VERSION,
    UNDECLARED,
    WriteOptions,
    begin_life,
    carry_over,
    check_identity,
    check_object,
    check_uid,
    check_version,
    decode_applied,
    decode_manifest,
    generate_name,
    private_copy,
    wants_more,
)

__all__ = ["DeleteOptions", "Operations", "WriteOptions"]

Transform = Callable[[Manifest], Manifest]


class Operations:
    """Writes to a storage under the rules of each kind."""

    def __init__(self, storage: Storage, clock: Clock = system_clock) -> None:
        self._storage = storage
        self._clock = clock

    def get(self, kind: Kind, namespace: str, name: str) -> Stored:
        """One object. `StatusError` 404."""
        stored = self._storage.open(kind.key).get(namespace, name)
        if stored is None:
            raise not_found(kind.plural, kind.group, name)
        return stored

    def create(self, kind: Kind, namespace: str, manifest: Manifest, options: WriteOptions) -> Stored:
        """Store a new object. `StatusError` 400, 404 (namespace), 409, 422."""
        new = private_copy(manifest)
        begin_life(kind, namespace, new, options, self._now())
        return self._insert(kind, new, options, Manager(options.manager, "Update", kind.api_version))

    def update(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        manifest: Manifest,
        options: WriteOptions,
        subresource: str = "",
    ) -> Stored:
        """Replace an object or its status. `StatusError` 400, 404, 409, 422."""
        new = private_copy(manifest)
        check_identity(kind, namespace, name, new)
        stored = self.get(kind, namespace, name)
        check_uid(kind, stored, new["metadata"].get("uid"))
        if kind.is_custom and not new["metadata"].get("resourceVersion"):
            problem = FieldProblem("metadata.resourceVersion", "FieldValueInvalid", NO_VERSION)
            raise invalid(kind.name, kind.group, name, [problem])
        return self._replace(kind, stored, new, options, subresource)

    def patch(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        transform: Transform,
        options: WriteOptions,
        subresource: str = "",
    ) -> Stored:
        """Change an object by a function from a private copy to its new form."""
        stored = self.get(kind, namespace, name)
        new = transform(stored.thaw())
        check_identity(kind, namespace, name, new)
        return self._replace(kind, stored, new, options, subresource)

    def merge_patch(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        patch: Manifest,
        options: WriteOptions,
        subresource: str = "",
    ) -> Stored:
        """Change an object by a JSON merge patch."""
        return self.patch(
            kind, namespace, name, lambda document: merge(document, private_copy(patch)), options, subresource
        )

    def apply(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        manifest: Manifest,
        options: WriteOptions,
        subresource: str = "",
    ) -> tuple[Stored, bool]:
        """Server-side apply: (object, whether it is new)."""
        applied = private_copy(manifest)
        check_identity(kind, namespace, name, applied)
        if applied["metadata"].get("managedFields"):
            raise bad_request("metadata.managedFields must be nil")
        decode_applied(kind, applied, options, undeclared=UNDECLARED)
        stored = self._storage.open(kind.key).get(namespace, name)
        if stored is None and subresource:
            raise not_found(kind.plural, kind.group, name)
        if stored is not None:
            check_version(kind, stored, applied["metadata"].get("resourceVersion"))
        manager = Manager(options.manager, "Apply", kind.api_version, subresource)
        new = managedfields.apply(
            kind.schema,
            stored.object if stored else None,
            applied,
            manager,
            has_status=kind.has_status,
            force=options.force,
            now=self._now(),
        )
        if stored is None:
            begin_life(kind, namespace, new, options, self._now())
            return self._insert(kind, new, options, None), True
        return self._replace(kind, stored, private_copy(new), options, subresource, applied=True), False

    def delete(self, kind: Kind, namespace: str, name: str, options: DeleteOptions) -> tuple[Stored, bool]:
        """Delete: (the object as it stays or was, whether it is gone). `StatusError` 404, 409."""
        stored = self.get(kind, namespace, name)
        check_preconditions(kind, stored, options)
        manifest = mark_deleted(kind, stored, options, datetime.fromtimestamp(self._clock(), UTC))
        if manifest is None:
            if options.dry_run:
                return stored, True
            return self._storage.open(kind.key).remove(stored), True
        if manifest == stored.object or options.dry_run:
            return stored, False
        return self._storage.open(kind.key).put(manifest), False

    def finalize_namespace(self, name: str) -> None:
        """The last step of a namespace's deletion, once it is empty (the `finalize` subresource)."""
        table = self._storage.open(("", "namespaces"))
        if stored := table.get("", name):
            manifest = stored.thaw()
            manifest["spec"]["finalizers"] = []
            if is_finished(manifest):
                table.remove(stored)
            else:
                table.put(manifest)

    def _now(self) -> str:
        return to_rfc3339(self._clock())

    def _insert(self, kind: Kind, new: Manifest, options: WriteOptions, manager: Manager | None) -> Stored:
        meta, table = new["metadata"], self._storage.open(kind.key)
        prefix = meta.get("generateName")
        if not meta.get("name"):
            if not prefix:
                problem = FieldProblem.required("metadata.name", "name or generateName is required")
                raise invalid(kind.name, kind.group, "", [problem])
            meta["name"] = generate_name(prefix)
        kind.set_defaults(new)
        check_object(kind, new, None)
        if kind.key == ("", "pods"):
            admit_pod(self._storage, new)
        self._check_namespace(kind, meta.get("namespace", ""), meta["name"])
        if table.get(meta.get("namespace", ""), meta["name"]):
            raise already_exists(kind.plural, kind.group, meta["name"])
        if manager:
            meta.pop("managedFields", None)
            managedfields.record_update(kind.schema, None, new, manager, kind.has_status, meta["creationTimestamp"])
        return Stored(new, 0) if options.dry_run else table.put(new)

    def _replace(
        self,
        kind: Kind,
        stored: Stored,
        new: Manifest,
        options: WriteOptions,
        subresource: str,
        *,
        applied: bool = False,
    ) -> Stored:
        old = stored.object
        check_version(kind, stored, new["metadata"].get("resourceVersion"))
        decode_manifest(kind, new, options)
        managed = new["metadata"].get("managedFields")
        if subresource == "status":
            new = {**stored.thaw(), "status": new.get("status", {})}
        else:
            carry_over(kind, old, new)
        kind.set_defaults(new)
        check_object(kind, new, old)
        if applied:
            new["metadata"]["managedFields"] = managed
        else:
            manager = Manager(options.manager, "Update", kind.api_version, subresource)
            managedfields.record_update(kind.schema, old, new, manager, kind.has_status, self._now())
        new["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"]
        if new == old or (applied and managedfields.differ_in_times_alone(old, new)):
            return stored
        if kind.counts_generations and not subresource and wants_more(kind, old, new):
            new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1
        if options.dry_run:
            return Stored(new, stored.version)
        table = self._storage.open(kind.key)
        if is_finished(new):
            return table.remove(Stored(new, stored.version))
        return table.put(new)

    def _check_namespace(self, kind: Kind, namespace: str, name: str) -> None:
        if not kind.namespaced:
            return
        found = self._storage.open(("", "namespaces")).get("", namespace)
        if found is None:
            raise not_found("namespaces", "", namespace)
        if "deletionTimestamp" in found.object["metadata"]:
            why = f"unable to create new content in namespace {namespace} because it is being terminated"
            error = forbidden(kind.plural, kind.group, name, why)
            error.details["causes"] = [
                {
                    "reason": "NamespaceTerminating",
                    "message": f"namespace {namespace} is being terminated",
                    "field": "metadata.namespace",
                }
            ]
            raise error
