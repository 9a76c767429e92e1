"""What a delete does to an object: take it away, or mark it and wait. No I/O, no clock.

k8s.io/apiserver/pkg/registry/rest/delete.go and registry/generic/registry/store.go.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway_common.resources import Manifest
from gateway_local.apiserver.errors import StatusError, bad_request, conflict
from gateway_local.apiserver.kinds import Kind
from gateway_local.apiserver.storage import Stored

FOREGROUND_FINALIZER = "foregroundDeletion"
ORPHAN_FINALIZER = "orphan"
_FINALIZER_OF = {"Foreground": FOREGROUND_FINALIZER, "Orphan": ORPHAN_FINALIZER, "Background": None}
_POLICIES = ("Orphan", "Background", "Foreground")


@dataclass(frozen=True, slots=True)
class DeleteOptions:
    """A delete's conditions and manner. Empty strings and None mean: not said."""

    grace_period_seconds: int | None = None
    uid: str = ""
    resource_version: str = ""
    propagation_policy: str = ""
    dry_run: bool = False


def parse_delete_options(raw: Manifest) -> DeleteOptions:
    """The options in a request's body or query. `StatusError` 400 or 422 for nonsense."""
    conditions = raw.get("preconditions") or {}
    if not isinstance(conditions, dict) or not all(isinstance(v, str | None) for v in conditions.values()):
        raise bad_request("preconditions: Invalid value: must be an object of strings")
    grace = raw.get("gracePeriodSeconds")
    if grace is not None and (not isinstance(grace, int) or grace < 0):
        raise bad_request(f"gracePeriodSeconds: Invalid value: {grace!r}: must be a number of seconds")
    policy = raw.get("propagationPolicy") or ""
    if "orphanDependents" in raw and raw["orphanDependents"] is not None:
        if policy:
            raise _bad_options("orphanDependents and deletionPropagation cannot be both set")
        policy = "Orphan" if raw["orphanDependents"] else "Background"
    if policy and policy not in _POLICIES:
        choices = ", ".join(f'"{choice}"' for choice in ("Foreground", "Background", "Orphan", "nil"))
        raise _bad_options(f'propagationPolicy: Unsupported value: "{policy}": supported values: {choices}')
    dry_run = raw.get("dryRun") or []
    if dry_run not in ([], ["All"]):
        raise _bad_options(f'dryRun: Unsupported value: {dry_run}: supported values: "All"')
    return DeleteOptions(
        grace_period_seconds=grace,
        uid=conditions.get("uid") or "",
        resource_version=conditions.get("resourceVersion") or "",
        propagation_policy=policy,
        dry_run=bool(dry_run),
    )


def _bad_options(why: str) -> StatusError:
    return StatusError(
        422,
        "Invalid",
        f'DeleteOptions.meta.k8s.io "" is invalid: {why}',
        {"group": "meta.k8s.io", "kind": "DeleteOptions"},
    )


def check_preconditions(kind: Kind, stored: Stored, options: DeleteOptions) -> None:
    """`StatusError` 409 when the object is not the one that the caller means."""
    for what, wanted, found, fate in (
        ("UID", options.uid, stored.uid, "deleted and then recreated"),
        ("ResourceVersion", options.resource_version, str(stored.version), "modified"),
    ):
        if wanted and wanted != found:
            why = (
                f"the {what} in the precondition ({wanted}) does not match the {what} in record ({found}). "
                f"The object might have been {fate}"
            )
            raise conflict(kind.name, kind.group, stored.name, why)


def mark_deleted(kind: Kind, stored: Stored, options: DeleteOptions, now: datetime) -> Manifest | None:
    """The object as it stays, marked, until others have let go of it. None: it goes at once."""
    manifest = stored.thaw()
    meta = manifest["metadata"]
    _set_propagation(meta, options.propagation_policy)
    grace = _grace(kind, manifest, options)
    first = "deletionTimestamp" not in meta
    if first or grace < meta.get("deletionGracePeriodSeconds", 0):
        meta["deletionTimestamp"] = (now + timedelta(seconds=grace)).strftime("%Y-%m-%dT%H:%M:%SZ")
        meta["deletionGracePeriodSeconds"] = grace
        if first and meta.get("generation"):
            meta["generation"] += 1
    if kind.key == ("", "namespaces"):
        manifest["status"] = {**manifest.get("status", {}), "phase": "Terminating"}
    return None if is_finished(manifest) else manifest


def is_finished(manifest: Manifest) -> bool:
    """Whether nothing holds a deleted object any longer: no grace, no finalizer."""
    meta = manifest["metadata"]
    held = meta.get("finalizers") or meta.get("deletionGracePeriodSeconds")
    if manifest["kind"] == "Namespace":
        held = held or manifest.get("spec", {}).get("finalizers")
    return "deletionTimestamp" in meta and not held


def _set_propagation(meta: Manifest, policy: str) -> None:
    if not policy:
        return
    keep = [
        finalizer
        for finalizer in meta.get("finalizers") or ()
        if finalizer not in (FOREGROUND_FINALIZER, ORPHAN_FINALIZER)
    ]
    if finalizer := _FINALIZER_OF[policy]:
        keep.append(finalizer)
    if keep:
        meta["finalizers"] = keep
    else:
        meta.pop("finalizers", None)


def _grace(kind: Kind, manifest: Manifest, options: DeleteOptions) -> int:
    """Seconds that the kubelet has to end a pod. Only pods that are on a node and not over have processes to end."""
    if kind.key != ("", "pods"):
        return 0
    spec, phase = manifest["spec"], manifest.get("status", {}).get("phase")
    if not spec.get("nodeName") or phase in ("Succeeded", "Failed"):
        return 0
    asked = options.grace_period_seconds
    granted = int(spec.get("terminationGracePeriodSeconds", 30) if asked is None else asked)
    return min(granted, int(manifest["metadata"].get("deletionGracePeriodSeconds", granted)))
