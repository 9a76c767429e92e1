"""Create, update, patch, apply, delete: the rules of writing, the same over HTTP and in the process.

Everything is synchronous, so each operation is atomic on the event loop. An object that comes in is copied before it is
changed; an object that is stored never changes.
"""

import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson

from gateway_local.apiserver import managedfields
from gateway_local.apiserver.deletion import (
    DeleteOptions,
    check_preconditions,
    is_finished,
    mark_deleted,
)
from gateway_local.apiserver.errors import (
    FieldProblem,
    StatusError,
    already_exists,
    bad_request,
    conflict,
    forbidden,
    invalid,
    not_found,
)
from gateway_local.apiserver.kinds import Kind
from gateway_local.apiserver.managedfields import Manager
from gateway_local.apiserver.mergepatch import merge
from gateway_local.apiserver.schema import decode, fill_defaults, kubernetes_type, prune
from gateway_local.apiserver.storage import Storage, Stored
from gateway_local.apiserver.validation import check_metadata

__all__ = ["DeleteOptions", "Operations", "WriteOptions"]

Manifest = dict[str, Any]
Transform = Callable[[Manifest], Manifest]

_SUFFIX_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
_CARRIED_OVER = (
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
)
_FIXED = ("uid", "deletionTimestamp", "deletionGracePeriodSeconds")


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """Who writes, and how. `warnings` collects what the caller should be told."""

    manager: str = "unknown"
    dry_run: bool = False
    force: bool = False
    field_validation: str = "Ignore"
    warnings: list[str] = field(default_factory=list)


class Operations:
    """Writes to a storage under the rules of each kind."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def get(self, kind: Kind, namespace: str, name: str) -> Stored:
        """One object. `StatusError` 404."""
        stored = self._storage.open(kind.key).get(namespace, name)
        if stored is None:
            raise not_found(kind.plural, kind.group, name)
        return stored

    def create(self, kind: Kind, namespace: str, manifest: Manifest, options: WriteOptions) -> Stored:
        """Store a new object. `StatusError` 400, 404 (namespace), 409, 422."""
        new = _thaw(manifest)
        self._begin(kind, namespace, new, options)
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
        new = _thaw(manifest)
        _check_identity(kind, namespace, name, new)
        stored = self.get(kind, namespace, name)
        _check_uid(kind, stored, new["metadata"].get("uid"))
        if kind.is_custom and not new["metadata"].get("resourceVersion"):
            problem = FieldProblem("metadata.resourceVersion", "FieldValueInvalid", _NO_VERSION)
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
        _check_identity(kind, namespace, name, new)
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
        return self.patch(kind, namespace, name, lambda document: merge(document, _thaw(patch)), options, subresource)

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
        applied = _thaw(manifest)
        _check_identity(kind, namespace, name, applied)
        if applied["metadata"].get("managedFields"):
            raise bad_request("metadata.managedFields must be nil")
        self._decode(kind, applied, options, undeclared=_UNDECLARED)
        stored = self._storage.open(kind.key).get(namespace, name)
        if stored is None and subresource:
            raise not_found(kind.plural, kind.group, name)
        if stored is not None:
            _check_version(kind, stored, applied["metadata"].get("resourceVersion"))
        manager = Manager(options.manager, "Apply", kind.api_version, subresource)
        new = managedfields.apply(
            kind.schema,
            stored.object if stored else None,
            applied,
            manager,
            has_status=kind.has_status,
            force=options.force,
            now=_now(),
        )
        if stored is None:
            self._begin(kind, namespace, new, options)
            return self._insert(kind, new, options, None), True
        return self._replace(kind, stored, _thaw(new), options, subresource, applied=True), False

    def delete(self, kind: Kind, namespace: str, name: str, options: DeleteOptions) -> tuple[Stored, bool]:
        """Delete: (the object as it stays or was, whether it is gone). `StatusError` 404, 409."""
        stored = self.get(kind, namespace, name)
        check_preconditions(kind, stored, options)
        manifest = mark_deleted(kind, stored, options, datetime.now(UTC))
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

    def _begin(self, kind: Kind, namespace: str, new: Manifest, options: WriteOptions) -> None:
        """Bring a new object into the form in which it is stored."""
        _check_kind(kind, new)
        meta = new.setdefault("metadata", {})
        if meta.get("resourceVersion"):
            raise StatusError(500, "", "resourceVersion should not be set on objects to be created")
        if kind.namespaced:
            if meta.setdefault("namespace", namespace) != namespace:
                raise bad_request(_WRONG_NAMESPACE)
        else:
            meta.pop("namespace", None)
        self._decode(kind, new, options)
        for name in (*_CARRIED_OVER, "selfLink", "resourceVersion"):
            meta.pop(name, None)
        meta["uid"] = str(uuid.uuid4())
        meta["creationTimestamp"] = _now()
        if kind.counts_generations:
            meta["generation"] = 1
        if kind.has_status:
            new.pop("status", None)

    def _insert(self, kind: Kind, new: Manifest, options: WriteOptions, manager: Manager | None) -> Stored:
        meta, table = new["metadata"], self._storage.open(kind.key)
        prefix = meta.get("generateName")
        if not meta.get("name"):
            if not prefix:
                problem = FieldProblem.required("metadata.name", "name or generateName is required")
                raise invalid(kind.name, kind.group, "", [problem])
            meta["name"] = _generate_name(prefix)
        kind.set_defaults(new)
        _check(kind, new, None)
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
        _check_version(kind, stored, new["metadata"].get("resourceVersion"))
        self._decode(kind, new, options)
        managed = new["metadata"].get("managedFields")
        if subresource == "status":
            new = {**stored.thaw(), "status": new.get("status", {})}
        else:
            _carry_over(kind, old, new)
        kind.set_defaults(new)
        _check(kind, new, old)
        if applied:
            new["metadata"]["managedFields"] = managed
        else:
            manager = Manager(options.manager, "Update", kind.api_version, subresource)
            managedfields.record_update(kind.schema, old, new, manager, kind.has_status, _now())
        new["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"]
        if new == old:
            return stored
        if kind.counts_generations and not subresource and _wants_more(kind, old, new):
            new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1
        if options.dry_run:
            return Stored(new, stored.version)
        table = self._storage.open(kind.key)
        if is_finished(new):
            return table.remove(Stored(new, stored.version))
        return table.put(new)

    def _decode(self, kind: Kind, manifest: Manifest, options: WriteOptions, undeclared: str = "") -> None:
        """Types, unknown fields, and a custom resource's defaults.

        `undeclared` is the text of the error that unknown fields are, where they are one in any case.
        """
        if kind.is_custom:
            decode(kubernetes_type("ObjectMeta"), manifest["metadata"], kind.name, kind.version)
        else:
            decode(kind.schema, manifest, kind.name, kind.version)
        unknown = prune(kind.schema, manifest)
        if unknown and undeclared:
            about = f"{manifest['metadata'].get('namespace', '')}/{manifest['metadata']['name']}"
            raise StatusError(500, "", undeclared.format(about, kind.api_version, kind.name, unknown[0]))
        if kind.is_custom:
            fill_defaults(kind.schema, manifest)
        texts = [f'unknown field "{path}"' for path in unknown]
        if unknown and options.field_validation == "Strict":
            what = f'{kind.name} in version "{kind.version}" cannot be handled as a {kind.name}'
            raise bad_request(f"{what}: strict decoding error: {', '.join(texts)}")
        if options.field_validation == "Warn":
            options.warnings.extend(texts)

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


_UNDECLARED = "failed to create typed patch object ({}; {}, Kind={}): .{}: field not declared in schema"
_NO_VERSION = "Invalid value: 0: must be specified for an update"
_WRONG_NAMESPACE = "the namespace of the provided object does not match the namespace sent on the request"


def _thaw(manifest: Manifest) -> Manifest:
    copy: Manifest = orjson.loads(orjson.dumps(manifest))
    return copy


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _generate_name(prefix: str) -> str:
    # lengths and letters of k8s.io/apiserver/pkg/storage/names
    return prefix[:58] + "".join(secrets.choice(_SUFFIX_LETTERS) for _ in range(5))


def _check_kind(kind: Kind, manifest: Manifest) -> None:
    said = manifest.setdefault("apiVersion", kind.api_version), manifest.setdefault("kind", kind.name)
    if said != (kind.api_version, kind.name):
        raise bad_request(
            f"the API version or kind in the data ({said[0]}, Kind={said[1]}) does not match the expected "
            f"({kind.api_version}, Kind={kind.name})"
        )
    if not isinstance(manifest.get("metadata", {}), dict):
        raise bad_request(f"{kind.name} cannot be handled: metadata is not an object")


def _check_identity(kind: Kind, namespace: str, name: str, manifest: Manifest) -> None:
    _check_kind(kind, manifest)
    meta = manifest.setdefault("metadata", {})
    if meta.setdefault("name", name) != name:
        raise bad_request(f"the name of the object ({meta['name']}) does not match the name on the URL ({name})")
    if kind.namespaced and meta.setdefault("namespace", namespace) != namespace:
        raise bad_request(_WRONG_NAMESPACE)


def _check_uid(kind: Kind, stored: Stored, uid: str | None) -> None:
    if uid and uid != stored.uid:
        why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {stored.uid}"
        raise conflict(kind.plural, kind.group, stored.name, why)


def _check_version(kind: Kind, stored: Stored, version: str | None) -> None:
    if version and version != str(stored.version):
        raise conflict(kind.plural, kind.group, stored.name)


def _carry_over(kind: Kind, old: Manifest, new: Manifest) -> None:
    """Keep what a writer of the main resource can't change; refuse an attempt at what is fixed for ever."""
    meta, before = new["metadata"], old["metadata"]
    problems = [
        FieldProblem.invalid(f"metadata.{name}", meta[name], "field is immutable")
        for name in _FIXED
        if meta.get(name) and meta[name] != before.get(name)
    ]
    if "deletionTimestamp" in before:
        added = sorted(set(meta.get("finalizers") or ()) - set(before.get("finalizers") or ()))
        if added:
            why = f"no new finalizers can be added if the object is being deleted, found new finalizers {added}"
            problems.append(FieldProblem.forbidden("metadata.finalizers", why))
    if problems:
        raise invalid(kind.name, kind.group, meta["name"], problems)
    for name in _CARRIED_OVER:
        meta.pop(name, None)
        if name in before:
            meta[name] = before[name]
    meta.pop("selfLink", None)
    if kind.has_status:
        new.pop("status", None)
        if "status" in old:
            new["status"] = orjson.loads(orjson.dumps(old["status"]))


def _check(kind: Kind, new: Manifest, old: Manifest | None) -> None:
    problems = [*check_metadata(new["metadata"], kind.name_rule), *kind.check(new, old)]
    if problems:
        raise invalid(kind.name, kind.group, new["metadata"].get("name", ""), problems)


def _wants_more(kind: Kind, old: Manifest, new: Manifest) -> bool:
    """Whether the desired state changed: anything but metadata, and status where that is a subresource."""
    aside = {"metadata", "status"} if kind.has_status else {"metadata"}
    return {k: v for k, v in old.items() if k not in aside} != {k: v for k, v in new.items() if k not in aside}
