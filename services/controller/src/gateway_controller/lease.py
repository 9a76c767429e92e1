"""A Lease (coordination.k8s.io/v1) as a record that one process at a time may hold. Reads and writes; decides nothing.

Two writers never overwrite each other: each write names the resourceVersion that it replaces.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from gateway_common.errors import NotFound
from gateway_common.kube import KubeClient, KubeObject
from gateway_common.names import HANDOVER_ANNOTATION
from gateway_common.resources import LEASES


@dataclass(frozen=True, slots=True)
class LeaseRecord:
    """What a Lease says. `holder` is empty when nobody holds it; `duration` is in seconds.

    The times are the holder's own, as Kubernetes writes them: for people, since clocks of machines differ. `note` is
    what the last holder left for the next one, in an annotation.
    """

    holder: str = ""
    duration: int = 0
    acquired: str = ""
    renewed: str = ""
    transitions: int = 0
    note: str = ""


class Found(NamedTuple):
    """A record, and the resourceVersion that the next write replaces."""

    record: LeaseRecord
    version: str


class LeaseLock:
    """The Lease of one name. Every method raises a KubeError."""

    def __init__(self, client: KubeClient, namespace: str, name: str, labels: Mapping[str, str]) -> None:
        self._client = client
        self._namespace = namespace
        self._name = name
        self._labels = dict(labels)

    def __str__(self) -> str:
        return f"Lease {self._namespace}/{self._name}"

    async def read(self) -> Found | None:
        """What it says now; None if there is no such Lease yet."""
        try:
            return _found(await self._client.get(LEASES, self._name, namespace=self._namespace))
        except NotFound:
            return None

    async def create(self, record: LeaseRecord) -> Found:
        """Raises AlreadyExists where another was faster."""
        manifest = {
            "apiVersion": LEASES.api_version,
            "kind": LEASES.kind,
            "metadata": {"name": self._name, "namespace": self._namespace, "labels": self._labels},
            "spec": _spec(record),
        }
        return _found(await self._client.create(LEASES, manifest))

    async def replace(self, version: str, record: LeaseRecord) -> Found:
        """Raises Conflict if it has changed since it had that version."""
        metadata = {"resourceVersion": version, "annotations": {HANDOVER_ANNOTATION: record.note or None}}
        patch = {"metadata": metadata, "spec": _spec(record)}
        return _found(await self._client.patch(LEASES, self._name, patch, namespace=self._namespace))


def _spec(record: LeaseRecord) -> dict[str, Any]:
    return {
        "holderIdentity": record.holder,
        "leaseDurationSeconds": record.duration,
        "acquireTime": record.acquired,
        "renewTime": record.renewed,
        "leaseTransitions": record.transitions,
    }


def _found(manifest: KubeObject) -> Found:
    spec = manifest.get("spec") or {}
    annotations = manifest["metadata"].get("annotations") or {}
    record = LeaseRecord(
        holder=spec.get("holderIdentity") or "",
        duration=spec.get("leaseDurationSeconds") or 0,
        acquired=spec.get("acquireTime") or "",
        renewed=spec.get("renewTime") or "",
        transitions=spec.get("leaseTransitions") or 0,
        note=annotations.get(HANDOVER_ANNOTATION) or "",
    )
    return Found(record, manifest["metadata"]["resourceVersion"])
