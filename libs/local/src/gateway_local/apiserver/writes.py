"""What every write passes on its way to the storage: identity, types, defaults, validation, what can't change.

No I/O. Functions change the object they are given, which is the writer's private copy.
"""

import secrets
import uuid
from dataclasses import dataclass, field

import orjson

from gateway_common.resources import Manifest
from gateway_local.apiserver.errors import FieldProblem, StatusError, bad_request, conflict, invalid
from gateway_local.apiserver.kinds import Kind
from gateway_local.apiserver.schema import decode, fill_defaults, kubernetes_type, prune
from gateway_local.apiserver.storage import Stored
from gateway_local.apiserver.validation import check_metadata

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


UNDECLARED = "failed to create typed patch object ({}; {}, Kind={}): .{}: field not declared in schema"
NO_VERSION = "Invalid value: 0: must be specified for an update"
_WRONG_NAMESPACE = "the namespace of the provided object does not match the namespace sent on the request"


def private_copy(manifest: Manifest) -> Manifest:
    """A copy that shares nothing, by way of JSON, which is faster than copying."""
    copy: Manifest = orjson.loads(orjson.dumps(manifest))
    return copy


def generate_name(prefix: str) -> str:
    """A name that nobody has yet, in all likelihood."""
    # lengths and letters of k8s.io/apiserver/pkg/storage/names
    return prefix[:58] + "".join(secrets.choice(_SUFFIX_LETTERS) for _ in range(5))


def check_kind(kind: Kind, manifest: Manifest) -> None:
    """`StatusError` 400 unless the object is of the kind that the path says. What it does not say is filled in."""
    said = manifest.setdefault("apiVersion", kind.api_version), manifest.setdefault("kind", kind.name)
    if said != (kind.api_version, kind.name):
        raise bad_request(
            f"the API version or kind in the data ({said[0]}, Kind={said[1]}) does not match the expected "
            f"({kind.api_version}, Kind={kind.name})"
        )
    if not isinstance(manifest.get("metadata", {}), dict):
        raise bad_request(f"{kind.name} cannot be handled: metadata is not an object")


def check_identity(kind: Kind, namespace: str, name: str, manifest: Manifest) -> None:
    """`StatusError` 400 unless the object is the one that the path names."""
    check_kind(kind, manifest)
    meta = manifest.setdefault("metadata", {})
    if meta.setdefault("name", name) != name:
        raise bad_request(f"the name of the object ({meta['name']}) does not match the name on the URL ({name})")
    if kind.namespaced and meta.setdefault("namespace", namespace) != namespace:
        raise bad_request(_WRONG_NAMESPACE)


def check_uid(kind: Kind, stored: Stored, uid: str | None) -> None:
    """`StatusError` 409 when the writer means an object of an earlier life."""
    if uid and uid != stored.uid:
        why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {stored.uid}"
        raise conflict(kind.plural, kind.group, stored.name, why)


def check_version(kind: Kind, stored: Stored, version: str | None) -> None:
    """`StatusError` 409 when the writer has not seen the last change."""
    if version and version != str(stored.version):
        raise conflict(kind.plural, kind.group, stored.name)


def carry_over(kind: Kind, old: Manifest, new: Manifest) -> None:
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


def check_object(kind: Kind, new: Manifest, old: Manifest | None) -> None:
    """`StatusError` 422 with all that is wrong with an object."""
    problems = [*check_metadata(new["metadata"], kind.name_rule), *kind.check(new, old)]
    if problems:
        raise invalid(kind.name, kind.group, new["metadata"].get("name", ""), problems)


def wants_more(kind: Kind, old: Manifest, new: Manifest) -> bool:
    """Whether the desired state changed: anything but metadata, and status where that is a subresource."""
    aside = {"metadata", "status"} if kind.has_status else {"metadata"}
    return {k: v for k, v in old.items() if k not in aside} != {k: v for k, v in new.items() if k not in aside}


def begin_life(kind: Kind, namespace: str, new: Manifest, options: WriteOptions, now: str) -> None:
    """Bring a new object into the form in which it is stored, at a time in RFC 3339."""
    check_kind(kind, new)
    meta = new.setdefault("metadata", {})
    if meta.get("resourceVersion"):
        raise StatusError(500, "", "resourceVersion should not be set on objects to be created")
    if kind.namespaced:
        if meta.setdefault("namespace", namespace) != namespace:
            raise bad_request(_WRONG_NAMESPACE)
    else:
        meta.pop("namespace", None)
    decode_manifest(kind, new, options)
    for name in (*_CARRIED_OVER, "selfLink", "resourceVersion"):
        meta.pop(name, None)
    meta["uid"] = str(uuid.uuid4())
    meta["creationTimestamp"] = now
    if kind.counts_generations:
        meta["generation"] = 1
    if kind.has_status:
        new.pop("status", None)


def decode_manifest(kind: Kind, manifest: Manifest, options: WriteOptions) -> None:
    """Types, unknown fields, and a custom resource's defaults."""
    decode_applied(kind, manifest, options)
    if kind.is_custom:
        fill_defaults(kind.schema, manifest)


def decode_applied(kind: Kind, manifest: Manifest, options: WriteOptions, undeclared: str = "") -> None:
    """The same without defaults, which nobody owns.

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
    texts = [f'unknown field "{path}"' for path in unknown]
    if unknown and options.field_validation == "Strict":
        what = f'{kind.name} in version "{kind.version}" cannot be handled as a {kind.name}'
        raise bad_request(f"{what}: strict decoding error: {', '.join(texts)}")
    if options.field_validation == "Warn":
        options.warnings.extend(texts)
