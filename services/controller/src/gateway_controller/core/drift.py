"""What leads to a running cluster, and is not as it would be made now.

Somebody has deleted it, or the installation has changed since: the path that it is below, an entry point, whether
dashboards are private.
"""

from dataclasses import dataclass
from typing import Any

from gateway_common.resources import SERVICES, Manifest, Resource


@dataclass(frozen=True, slots=True)
class Drift:
    """The kinds of a cluster's objects that are gone, and of those that are as they were once made."""

    missing: frozenset[Resource] = frozenset()
    outdated: frozenset[Resource] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.missing or self.outdated)


NO_DRIFT = Drift()


def is_outdated(resource: Resource, wanted: Manifest, found: Manifest) -> bool:
    """Whether an object is other than it would be made now.

    Nothing that an operator may change is in a Service, and the server fills in half of it.
    """
    if resource is SERVICES:
        return False
    labels = found["metadata"].get("labels") or {}
    return bool(found.get("spec") != wanted["spec"] or not wanted["metadata"]["labels"].items() <= labels.items())


def renewal(wanted: Manifest) -> list[dict[str, Any]]:
    """A JSON patch that makes an object of the kind what it would be made now. Labels of others stay."""
    labels = wanted["metadata"]["labels"]
    return [
        {"op": "add", "path": "/spec", "value": wanted["spec"]},
        *({"op": "add", "path": f"/metadata/labels/{_escape(key)}", "value": labels[key]} for key in sorted(labels)),
    ]


def _escape(key: str) -> str:
    """A key as a part of a JSON pointer (RFC 6901)."""
    return key.replace("~", "~0").replace("/", "~1")
