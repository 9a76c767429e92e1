"""Pods as their makers see them: from a template, owned, ready for how long. No I/O."""

import hashlib

import orjson

from gateway_common.clock import from_rfc3339
from gateway_common.resources import PODS, Manifest

TEMPLATE_HASH_LABEL = "pod-template-hash"
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
_OVER = ("Succeeded", "Failed")


def template_hash(template: Manifest) -> str:
    """Ten letters that are the same for equal templates, and in all likelihood different for others."""
    digest = hashlib.sha256(orjson.dumps(template, option=orjson.OPT_SORT_KEYS)).digest()
    return "".join(_LETTERS[byte % len(_LETTERS)] for byte in digest[:10])


def owner_reference(owner: Manifest) -> Manifest:
    """For what a controller makes in the name of an object."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def controller_of(manifest: Manifest, kind: str) -> Manifest | None:
    """The reference to an object's controlling owner, if that is of a kind."""
    references = manifest["metadata"].get("ownerReferences") or ()
    return next((r for r in references if r.get("controller") and r["kind"] == kind), None)


def is_controlled_by(manifest: Manifest, owner: Manifest) -> bool:
    """Whether an object is this very owner's."""
    reference = controller_of(manifest, owner["kind"])
    return reference is not None and bool(reference["uid"] == owner["metadata"]["uid"])


def build_pod(owner: Manifest) -> Manifest:
    """A pod from the template of its owner."""
    template, metadata = owner["spec"]["template"], owner["metadata"]
    described = template.get("metadata") or {}
    return {
        "apiVersion": PODS.api_version,
        "kind": PODS.kind,
        "metadata": {
            "generateName": f"{metadata['name']}-",
            "namespace": metadata["namespace"],
            **{name: described[name] for name in ("labels", "annotations") if described.get(name)},
            "ownerReferences": [owner_reference(owner)],
        },
        "spec": template["spec"],
    }


def is_over(pod: Manifest) -> bool:
    """Whether its containers have ended for good."""
    return (pod.get("status") or {}).get("phase") in _OVER


def is_active(pod: Manifest) -> bool:
    """Whether it counts as one that there is: neither over nor going."""
    return not is_over(pod) and "deletionTimestamp" not in pod["metadata"]


def ready_since(pod: Manifest) -> float | None:
    """Since when it is ready, in seconds since the epoch; None while it is not."""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    ready = next((c for c in conditions if c["type"] == "Ready" and c["status"] == "True"), None)
    return from_rfc3339(ready["lastTransitionTime"]) if ready else None
