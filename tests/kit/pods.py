"""Pods, and a node that runs them: the embedded API server's objects, a scheduler, endpoints and a kubelet."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway_common.resources import ENDPOINTSLICES, PODS
from gateway_local.apiserver.objects import Objects
from gateway_local.apiserver.podlogs import LogRequest
from gateway_local.apiserver.server import ApiServer
from gateway_local.endpoints import EndpointsController
from gateway_local.kubelet import Kubelet, SimulatedKubelet
from gateway_local.scheduling import Scheduler

Manifest = dict[str, Any]

NAMESPACE = "default"
IMAGE = "example/python:1"


def container(*command: str, name: str = "main", **fields: Any) -> Manifest:
    """A container of the tests' own environment."""
    return {"name": name, "image": IMAGE, **({"args": list(command)} if command else {}), **fields}


def pod(*containers: Manifest, name: str = "pod", labels: Mapping[str, str] | None = None, **spec: Any) -> Manifest:
    """A pod that is not restarted and ends at once when it is deleted."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": dict(labels or {})},
        "spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 0,
            "containers": list(containers) or [container("sleep", "1000")],
            **spec,
        },
    }


def state(manifest: Manifest, name: str = "main") -> Manifest:
    """One container's status; empty while there is none."""
    status = manifest.get("status") or {}
    statuses = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
    return next((entry for entry in statuses if entry["name"] == name), {})


def waiting_reason(manifest: Manifest, name: str = "main") -> str:
    return str(state(manifest, name).get("state", {}).get("waiting", {}).get("reason", ""))


def is_running(manifest: Manifest) -> bool:
    return "running" in state(manifest).get("state", {})


def condition(manifest: Manifest, type_: str) -> Manifest:
    conditions = (manifest.get("status") or {}).get("conditions") or []
    return next((entry for entry in conditions if entry["type"] == type_), {})


def is_ready(manifest: Manifest) -> bool:
    return bool(condition(manifest, "Ready").get("status") == "True")


def phase_is(phase: str) -> Callable[[Manifest], bool]:
    return lambda manifest: (manifest.get("status") or {}).get("phase") == phase


@dataclass(frozen=True)
class Node:
    """A machine of its own, as its pods see it."""

    objects: Objects
    kubelet: Kubelet
    root: Path

    def home(self, manifest: Manifest, container: str = "main") -> Path:
        """Where a container works."""
        return next(self.root.glob(f"pods-*/{manifest['metadata']['uid']}/containers/{container}"))

    async def run(self, manifest: Manifest, until: Callable[[Manifest], bool]) -> Manifest:
        """Create a pod and wait; returns it as it is then."""
        self.objects.create(PODS, manifest)
        return await self.wait(manifest["metadata"]["name"], until)

    async def wait(self, name: str, until: Callable[[Manifest], bool]) -> Manifest:
        async with asyncio.timeout(30):
            async for change, manifest in self.objects.watch(PODS, NAMESPACE):
                if manifest["metadata"]["name"] == name and change != "DELETED" and until(manifest):
                    return manifest
        raise AssertionError("a watch does not end")

    async def wait_gone(self, name: str) -> None:
        if self.objects.get(PODS, NAMESPACE, name) is None:
            return
        async with asyncio.timeout(30):
            async for change, manifest in self.objects.watch(PODS, NAMESPACE):
                if manifest["metadata"]["name"] == name and change == "DELETED":
                    return

    async def wait_endpoint(self, service: str) -> Manifest:
        """The conditions of a service's first endpoint, as soon as it has one."""
        async with asyncio.timeout(30):
            async for _, manifest in self.objects.watch(ENDPOINTSLICES, NAMESPACE):
                if manifest["metadata"]["labels"]["kubernetes.io/service-name"] == service and manifest["endpoints"]:
                    return dict(manifest["endpoints"][0]["conditions"])
        raise AssertionError("a watch does not end")

    async def log(self, name: str, container: str = "main", **options: Any) -> str:
        request = LogRequest(namespace=NAMESPACE, pod=name, container=container, **options)
        return (await self.kubelet.logs.read(request)).decode()

    async def wait_log(self, name: str, text: str) -> None:
        """Until the container has printed the text."""
        request = LogRequest(namespace=NAMESPACE, pod=name, container="main")
        seen = b""
        async with asyncio.timeout(30):
            async for line in self.kubelet.logs.follow(request):
                seen += line
                if text.encode() in seen:
                    return
        raise AssertionError(f"{text!r} was never printed, but:\n{seen.decode()}")


@asynccontextmanager
async def running_node(root: Path, *, server: ApiServer | None = None, **options: Any) -> AsyncIterator[Node]:
    objects = (server or ApiServer()).objects
    options = {"images": {"example/python": Path(sys.prefix)}, "restart_step": 0.2, **options}
    kubelet = Kubelet(objects, root=root, **options)
    async with running(Scheduler(objects), EndpointsController(objects), kubelet):
        yield Node(objects, kubelet, root)


@asynccontextmanager
async def running(*parts: Scheduler | EndpointsController | Kubelet | SimulatedKubelet) -> AsyncIterator[None]:
    started = []
    try:
        for part in parts:
            await part.start()
            started.append(part)
        yield
    finally:
        for part in reversed(started):
            await part.stop()
