"""Who owns which field: `metadata.managedFields`, kept on every write, and server-side apply built on it. No I/O.

The rules of sigs.k8s.io/structured-merge-diff/merge/update.go. `now` is an argument: RFC 3339, whole seconds.
"""

from dataclasses import dataclass

from gateway_common.resources import Manifest
from gateway_local.apiserver import fieldsets
from gateway_local.apiserver.errors import StatusError
from gateway_local.apiserver.fieldsets import FieldSet
from gateway_local.apiserver.schema import Schema

_OWNED_BY_NOBODY = frozenset({"apiVersion", "kind", "metadata", "status"})
_IDENTITY: FieldSet = {"f:metadata": {"f:name": {}}}
_META_FIELDS = ("labels", "annotations", "finalizers", "ownerReferences", "generateName")


@dataclass(frozen=True, slots=True)
class Manager:
    """Who writes, and how: one entry of managedFields."""

    name: str
    operation: str
    api_version: str
    subresource: str = ""

    def describe(self) -> str:
        """The manager as Kubernetes' conflicts name it."""
        subresource = f' with subresource "{self.subresource}"' if self.subresource else ""
        using = f" using {self.api_version}" if self.operation == "Update" else ""
        return f'conflict with "{self.name}"{subresource}{using}'


Owners = dict[Manager, tuple[FieldSet, str]]


def _owners(manifest: Manifest) -> Owners:
    return {
        Manager(
            entry.get("manager", ""),
            entry.get("operation", "Update"),
            entry.get("apiVersion", ""),
            entry.get("subresource", ""),
        ): (entry.get("fieldsV1", {}), entry.get("time", ""))
        for entry in manifest["metadata"].get("managedFields") or ()
    }


def _write(manifest: Manifest, owners: Owners) -> None:
    entries = []
    for manager, (fields, since) in sorted(owners.items(), key=_order):
        entry = {
            "manager": manager.name,
            "operation": manager.operation,
            "apiVersion": manager.api_version,
            "time": since,
            "fieldsType": "FieldsV1",
            "fieldsV1": fields,
        }
        if manager.subresource:
            entry["subresource"] = manager.subresource
        entries.append(entry)
    if entries:
        manifest["metadata"]["managedFields"] = entries
    else:
        manifest["metadata"].pop("managedFields", None)


def differ_in_times_alone(old: Manifest, new: Manifest) -> bool:
    """Whether nothing changed but when somebody last wrote: Kubernetes keeps such an object as it was.

    What an atomic map gets by defaults is a change when it is applied without them, and none once they are filled in
    (k8s.io/apiserver/pkg/endpoints/handlers/fieldmanager/equality.go).
    """
    return _without_times(old) == _without_times(new)


def _without_times(manifest: Manifest) -> Manifest:
    metadata = manifest["metadata"]
    entries = [{**entry, "time": ""} for entry in metadata.get("managedFields") or ()]
    return {**manifest, "metadata": {**metadata, "managedFields": entries}}


def _order(owner: tuple[Manager, tuple[FieldSet, str]]) -> tuple[str, ...]:
    """As k8s.io/apimachinery/pkg/util/managedfields sorts them: those who apply come first."""
    manager, (_, since) = owner
    return manager.operation, since, manager.name, manager.api_version, manager.subresource


def ownable(manifest: Manifest, subresource: str, has_status: bool) -> Manifest:
    """The part of an object whose fields have owners: not its identity, and only the half that is written."""
    if subresource == "status":
        return {"status": manifest["status"]} if "status" in manifest else {}
    part = {name: value for name, value in manifest.items() if name not in _OWNED_BY_NOBODY}
    if not has_status and "status" in manifest:
        part["status"] = manifest["status"]
    meta = {name: manifest["metadata"][name] for name in _META_FIELDS if manifest["metadata"].get(name)}
    return {**part, "metadata": meta} if meta else part


def record_update(
    schema: Schema, old: Manifest | None, new: Manifest, manager: Manager, has_status: bool, now: str
) -> None:
    """Note in `new` that a manager changed what differs from `old`."""
    owners = _owners(old) if old else {}
    before = ownable(old, manager.subresource, has_status) if old else {}
    changed, removed = fieldsets.changes(schema, before, ownable(new, manager.subresource, has_status))
    if changed is not None or removed is not None:
        touched = fieldsets.union(changed, removed)
        for other in list(owners):
            if other != manager:
                _shrink(owners, other, touched)
        mine = owners.get(manager, (None, ""))[0]
        _assign(owners, manager, fieldsets.union(fieldsets.difference(mine, removed), changed), now)
    _write(new, owners)


def _shrink(owners: Owners, manager: Manager, lost: FieldSet | None) -> None:
    fields, since = owners[manager]
    _assign(owners, manager, fieldsets.difference(fields, lost), since)


def _assign(owners: Owners, manager: Manager, fields: FieldSet | None, since: str) -> None:
    if fields:
        owners[manager] = (fields, since)
    else:
        owners.pop(manager, None)


def apply(
    schema: Schema,
    live: Manifest | None,
    applied: Manifest,
    manager: Manager,
    *,
    has_status: bool,
    force: bool,
    now: str,
) -> Manifest:
    """The object that results when a manager applies a configuration. `StatusError` 409 for conflicts."""
    wanted = ownable(applied, manager.subresource, has_status)
    identity = {name: applied[name] for name in ("apiVersion", "kind")}
    if live is None:
        result = {**applied}
        owners: Owners = {}
        _assign(owners, manager, fieldsets.fields_of(schema, wanted), now)
        _write(result, owners)
        return result
    owners = _owners(live)
    last, since = owners.pop(manager, (None, now))
    mine = fieldsets.fields_of(schema, wanted)
    merged: Manifest = fieldsets.merge(schema, {**live}, {**wanted, **identity})
    kept: FieldSet | None = fieldsets.union(mine, _IDENTITY)
    for fields, _ in owners.values():
        kept = fieldsets.union(kept, fields)
    gone = fieldsets.difference(last, kept)
    if gone is not None:
        merged = fieldsets.remove(schema, merged, gone, kept)
    before = ownable(live, manager.subresource, has_status)
    changed, removed = fieldsets.changes(schema, before, ownable(merged, manager.subresource, has_status))
    _settle_conflicts(owners, changed, force)
    for other in list(owners):
        _shrink(owners, other, removed)
    unchanged = changed is None and removed is None and last == mine
    _assign(owners, manager, mine, since if unchanged else now)
    merged["metadata"] = {**merged["metadata"]}
    _write(merged, owners)
    return merged


def _settle_conflicts(owners: Owners, changed: FieldSet | None, force: bool) -> None:
    conflicts = {
        manager: common
        for manager, (fields, _) in owners.items()
        if (common := fieldsets.intersection(fields, changed)) is not None
    }
    if not conflicts:
        return
    if force:
        for manager, common in conflicts.items():
            _shrink(owners, manager, common)
        return
    causes = [
        {"reason": "FieldManagerConflict", "message": manager.describe(), "field": path}
        for manager, common in conflicts.items()
        for path in fieldsets.paths(common)
    ]
    raise StatusError(409, "Conflict", _conflict_message(causes), {"causes": causes})


def _conflict_message(causes: list[dict[str, str]]) -> str:
    head = f"Apply failed with {len(causes)} conflict{'s' if len(causes) > 1 else ''}: "
    if len(causes) == 1:
        return f"{head}{causes[0]['message']}: {causes[0]['field']}"
    by_message: dict[str, list[str]] = {}
    for cause in causes:
        by_message.setdefault(cause["message"].replace("conflict with", "conflicts with", 1), []).append(cause["field"])
    return head + "\n".join(
        f"{message}:\n" + "\n".join(f"- {path}" for path in fields) for message, fields in by_message.items()
    )
