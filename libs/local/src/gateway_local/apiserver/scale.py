"""The scale subresource: how many replicas an object has and is to have, in one shape for all kinds. No I/O.

k8s.io/apiextensions-apiserver/pkg/registry/customresource, ScaleREST; autoscaling/v1. Server-side apply to it is
refused: Kubernetes' own answers 500.
"""

from collections.abc import Callable
from functools import reduce
from typing import Any

from gateway_common.resources import Manifest
from gateway_local.apiserver.errors import FieldProblem, StatusError, bad_request, conflict, invalid
from gateway_local.apiserver.kinds import Kind, ScalePaths
from gateway_local.apiserver.selectors import format_label_selector

API_VERSION, KIND = "autoscaling/v1", "Scale"
_LARGEST = 2**31 - 1
_METADATA = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


def build_scale(kind: Kind, manifest: Manifest) -> Manifest:
    """The Scale of an object. `StatusError` 500 while the object says nothing of replicas."""
    paths = _paths(kind)
    if _read(manifest, paths.spec) is None:
        why = f'the spec replicas field ".{".".join(paths.spec)}" does not exist'
        raise StatusError(500, "InternalError", f"Internal error occurred: {why}", {"causes": [{"message": why}]})
    return _scale(paths, manifest)


def scaling(kind: Kind, change: Callable[[Manifest], Any]) -> Callable[[Manifest], Manifest]:
    """A change of an object's Scale, as a change of the object: its replicas are all that it takes over."""
    paths = _paths(kind)

    def changed(manifest: Manifest) -> Manifest:
        scale = change(_scale(paths, manifest))
        _check(kind, manifest, scale)
        replicas = _replicas(kind, paths, manifest, scale)
        # what the writer has seen, if it says so: the rules of any write then find out whether that is the latest
        version = scale["metadata"].get("resourceVersion") or manifest["metadata"]["resourceVersion"]
        manifest["metadata"]["resourceVersion"] = version
        *parents, last = paths.spec
        node = manifest
        for part in parents:
            node = node.setdefault(part, {})
        node[last] = replicas
        return manifest

    return changed


def _paths(kind: Kind) -> ScalePaths:
    if kind.scale is None:
        raise AssertionError(f"{kind.name} has no scale subresource")
    return kind.scale


def _scale(paths: ScalePaths, manifest: Manifest) -> Manifest:
    replicas, selector = _read(manifest, paths.spec), _read(manifest, paths.selector)
    if isinstance(selector, dict):  # Kubernetes' own kinds have an object where custom resources have its text
        selector = format_label_selector(selector)
    status = {"replicas": _read(manifest, paths.status) or 0}
    return {
        "kind": KIND,
        "apiVersion": API_VERSION,
        "metadata": {name: manifest["metadata"][name] for name in _METADATA if name in manifest["metadata"]},
        # as Go leaves zeros out
        "spec": {"replicas": replicas} if replicas else {},
        "status": {**status, "selector": selector} if selector else status,
    }


def _check(kind: Kind, manifest: Manifest, scale: Any) -> None:
    """`StatusError` 400 or 409 unless it is a Scale, and of this very object."""
    if not isinstance(scale, dict) or not isinstance(scale.get("metadata"), dict):
        raise bad_request("a Scale is an object with metadata")
    if (scale.get("apiVersion") or API_VERSION, scale.get("kind") or KIND) != (API_VERSION, KIND):
        raise bad_request(f"expected {API_VERSION}, Kind={KIND}")
    ours, theirs = manifest["metadata"], scale["metadata"]
    if (said := theirs.get("name") or ours["name"]) != ours["name"]:
        raise bad_request(f"the name of the object ({said}) does not match the name on the URL ({ours['name']})")
    if (uid := theirs.get("uid") or ours["uid"]) != ours["uid"]:
        why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {ours['uid']}"
        raise conflict(kind.plural, kind.group, ours["name"], why)


def _replicas(kind: Kind, paths: ScalePaths, manifest: Manifest, scale: Manifest) -> int:
    spec = scale.get("spec") or {}
    field = "." + ".".join(paths.spec)
    if isinstance(spec, dict) and "replicas" not in spec and _read(manifest, paths.spec) is None:
        raise bad_request(f'the spec replicas field "{field}" cannot be empty')
    replicas = (spec.get("replicas") or 0) if isinstance(spec, dict) else spec
    problem = ""
    if not isinstance(replicas, int) or isinstance(replicas, bool) or replicas > _LARGEST:
        problem = "must be an integer of 32 bits"
    elif replicas < 0:
        problem = "should be a non-negative integer"
    if problem:
        name = manifest["metadata"]["name"]
        raise invalid(kind.name, kind.group, name, [FieldProblem.invalid(field, replicas, problem)])
    return int(replicas)


def _read(manifest: Manifest, path: tuple[str, ...]) -> Any:
    """What is at a path, None where there is nothing."""
    start: Any = manifest if path else None
    return reduce(lambda node, part: node.get(part) if isinstance(node, dict) else None, path, start)
