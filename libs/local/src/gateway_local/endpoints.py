"""EndpointSlices for services: which addresses stand behind a service, as Kubernetes' EndpointSlice controller says it.

One slice a service with a selector. Services without one, and slices that others made, are not touched.
"""

import asyncio
from collections.abc import Iterable

from gateway_common.resources import ENDPOINTSLICES, PODS, SERVICES, Manifest
from gateway_local.apiserver.errors import StatusError
from gateway_local.apiserver.objects import Objects
from gateway_local.following import Loops

Key = tuple[str, str]

SERVICE_NAME_LABEL = "kubernetes.io/service-name"
MANAGED_BY_LABEL = "endpointslice.kubernetes.io/managed-by"
HEADLESS_LABEL = "service.kubernetes.io/headless"
CONTROLLER = "endpointslice-controller.k8s.io"

_BATCH_SECONDS = 0.02


class EndpointsController:
    """Keeps the slices as the services and pods say, between start() and stop()."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._loops = Loops()
        self._services: dict[Key, Manifest] = {}
        self._members: dict[Key, dict[str, Manifest]] = {}
        self._stale: set[Key] = set()
        self._written_at = 0.0
        self._writing: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        """Begin; what there is already is seen first."""
        self._loops.follow(self._objects, SERVICES, self._service_changed)
        self._loops.follow(self._objects, PODS, self._pod_changed)

    async def stop(self) -> None:
        await self._loops.stop()
        if self._writing:
            self._writing.cancel()

    def _service_changed(self, change: str, service: Manifest) -> None:
        key = (service["metadata"]["namespace"], service["metadata"]["name"])
        if change == "DELETED" or not service["spec"].get("selector"):
            # the slice goes by its owner reference
            self._services.pop(key, None)
            self._members.pop(key, None)
            return
        self._services[key] = service
        pods = self._objects.list(PODS, key[0])
        self._members[key] = {p["metadata"]["name"]: p for p in pods if _selects(service, p)}
        self._mark(key)

    def _pod_changed(self, change: str, pod: Manifest) -> None:
        namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        for key, service in self._services.items():
            if key[0] != namespace:
                continue
            members = self._members[key]
            if change != "DELETED" and _selects(service, pod):
                members[name] = pod
                self._mark(key)
            elif members.pop(name, None):
                self._mark(key)

    def _mark(self, key: Key) -> None:
        """Write the slice soon: at once after a quiet time, in batches under a burst of changes."""
        if not self._stale:
            loop = asyncio.get_running_loop()
            self._writing = loop.call_at(self._written_at + _BATCH_SECONDS, self._write_stale)
        self._stale.add(key)

    def _write_stale(self) -> None:
        self._written_at = asyncio.get_running_loop().time()
        stale, self._stale = self._stale, set()
        for key in stale & self._services.keys():
            self._write(build_endpoint_slice(self._services[key], self._members[key].values()))

    def _write(self, wanted: Manifest) -> None:
        metadata = wanted["metadata"]
        current = self._objects.get(ENDPOINTSLICES, metadata["namespace"], metadata["name"])
        try:
            if current is None:
                self._objects.create(ENDPOINTSLICES, wanted)
            elif any(current.get(field) != wanted[field] for field in ("endpoints", "ports")):
                self._objects.update(ENDPOINTSLICES, {**current, **wanted, "metadata": current["metadata"]})
        except StatusError as error:
            # its namespace is being deleted, and everything in it
            if error.code not in (403, 404):
                raise


def build_endpoint_slice(service: Manifest, pods: Iterable[Manifest]) -> Manifest:
    """The slice of a service, from the pods that its selector matches."""
    metadata, spec = service["metadata"], service["spec"]
    pods = sorted((pod for pod in pods if _takes_part(pod)), key=lambda pod: str(pod["metadata"]["name"]))
    labels = {SERVICE_NAME_LABEL: metadata["name"], MANAGED_BY_LABEL: CONTROLLER}
    if spec.get("clusterIP") == "None":
        labels[HEADLESS_LABEL] = ""
    owner = {
        "apiVersion": "v1",
        "kind": "Service",
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    publish_all = bool(spec.get("publishNotReadyAddresses"))
    return {
        "apiVersion": ENDPOINTSLICES.api_version,
        "kind": ENDPOINTSLICES.kind,
        "metadata": {
            # the uid: a service that is made anew gets a new slice, whose predecessor may still be going
            "name": f"{metadata['name'][:57]}-{metadata['uid'][:5]}",
            "namespace": metadata["namespace"],
            "labels": {**(metadata.get("labels") or {}), **labels},
            "ownerReferences": [owner],
        },
        "addressType": "IPv4",
        "endpoints": [_endpoint(pod, publish_all) for pod in pods],
        "ports": [found for port in spec.get("ports") or [] if (found := _port(port, pods))],
    }


def _endpoint(pod: Manifest, publish_all: bool) -> Manifest:
    metadata = pod["metadata"]
    conditions = (pod.get("status") or {}).get("conditions") or []
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
    terminating = "deletionTimestamp" in metadata
    return {
        "addresses": [pod["status"]["podIP"]],
        "conditions": {
            "ready": publish_all or (ready and not terminating),
            "serving": ready,
            "terminating": terminating,
        },
        "nodeName": pod["spec"].get("nodeName", ""),
        "targetRef": {
            "kind": "Pod",
            "namespace": metadata["namespace"],
            "name": metadata["name"],
            "uid": metadata["uid"],
        },
    }


def _port(port: Manifest, pods: Iterable[Manifest]) -> Manifest | None:
    """The port of the pods behind a service's port; None for a name that none of them has.

    They are taken to agree about what a name means.
    """
    target = port.get("targetPort") or port["port"]
    if not isinstance(target, int):
        named = (
            declared["containerPort"]
            for pod in pods
            for container in pod["spec"]["containers"]
            for declared in container.get("ports") or []
            if declared.get("name") == target
        )
        target = next(named, None)
    if target is None:
        return None
    return {"name": port.get("name") or "", "port": target, "protocol": port.get("protocol") or "TCP"}


def _takes_part(pod: Manifest) -> bool:
    status = pod.get("status") or {}
    return bool(status.get("podIP")) and status.get("phase") not in ("Succeeded", "Failed")


def _selects(service: Manifest, pod: Manifest) -> bool:
    labels = pod["metadata"].get("labels") or {}
    return bool(service["spec"]["selector"].items() <= labels.items())
