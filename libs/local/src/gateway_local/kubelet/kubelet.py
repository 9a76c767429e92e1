"""The kubelet that runs pods as processes of this machine."""

import asyncio
import shutil
import tempfile
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any

from gateway_common.clock import Clock, system_clock
from gateway_common.resources import CONFIGMAPS, SECRETS, Manifest
from gateway_local.apiserver.authentication import ServiceAccountTokens
from gateway_local.apiserver.objects import Objects
from gateway_local.following import log_failure
from gateway_local.kubelet.dns import ClusterDNS
from gateway_local.kubelet.forwarding import Gates, Relays, SocksProxy
from gateway_local.kubelet.images import Image, Images
from gateway_local.kubelet.node import GENEROUS, LOW_ON_MEMORY, NodeAgent
from gateway_local.kubelet.pod import PodWorker
from gateway_local.kubelet.podlogs import PodLogs
from gateway_local.kubelet.runtime import Runtime
from gateway_local.kubelet.sandbox import Host, Sandbox
from gateway_local.kubelet.services import ServiceTable

_SCRATCH = "pods-"


class Kubelet(NodeAgent):
    """Runs the pods of one node as processes.

    Parameters
    ----------
    images
        Image name (or prefix) -> virtual environment or `Image`; see `Images`.
    root
        A directory for volumes, logs and names of services. It belongs to this kubelet alone.
    restart_step
        The first pause between restarts, and between attempts to pull an image, in seconds (Kubernetes: 10).
    api, service_accounts
        Where pods reach the Kubernetes API by TLS (host, port), and what makes their tokens for it.
    """

    def __init__(
        self,
        objects: Objects,
        *,
        images: Mapping[str, Path | Image],
        root: Path,
        node_name: str = "local",
        capacity: Mapping[str, str] = GENEROUS,
        restart_step: float = 10.0,
        api: tuple[str, int] | None = None,
        service_accounts: ServiceAccountTokens | None = None,
        clock: Clock = system_clock,
    ) -> None:
        super().__init__(objects, node_name=node_name, capacity=capacity, clock=clock)
        self._images = Images(images)
        self._root = root.absolute()
        self._restart_step = restart_step
        self._api = api
        self._service_accounts = service_accounts
        self._relays = Relays()
        self._runtime: Runtime
        self._host: Host
        self._workers: dict[str, PodWorker] = {}
        #: The API server's source of logs.
        self.logs = PodLogs(self._workers)
        self._unreported: set[PodWorker] = set()
        self._ending: set[asyncio.Task[None]] = set()

    async def _prepare(self) -> None:
        self._root.mkdir(parents=True, exist_ok=True)
        for left in self._root.glob(f"{_SCRATCH}*"):  # of a machine that was switched off
            shutil.rmtree(left, ignore_errors=True)
        # a fresh one each time: the supervisor of a kubelet that was killed just now may still be removing the last
        scratch, temporary = (Path(tempfile.mkdtemp(prefix=_SCRATCH, dir=parent)) for parent in (self._root, None))
        cluster = scratch / "cluster"
        self._runtime = Runtime(scratch=[scratch, temporary])
        await self._runtime.start()
        table = ServiceTable(self._objects)
        ClusterDNS(table, cluster)
        Gates(self._objects, table, self._relays, self._addresses)
        proxy = SocksProxy(table, self._relays, self._addresses.node_address)
        table.start(self._loops)
        for resource in (SECRETS, CONFIGMAPS):
            self._loops.follow(self._objects, resource, self._data_changed)
        self._host = Host(
            objects=self._objects,
            runtime=self._runtime,
            images=self._images,
            clock=self._clock,
            address=self._addresses.node_address,
            scratch=scratch,
            logs=self._root / "logs",
            temporary=temporary,
            cluster=cluster,
            proxy=proxy.url,
            api=self._api,
            service_accounts=self._service_accounts,
            restart_step=self._restart_step,
        )

    async def _release(self) -> None:
        """Leave no process and no file but logs behind."""
        workers = list(self._workers.values())
        self._workers.clear()
        for task in self._ending:
            task.cancel()
        await asyncio.gather(*(worker.abandon() for worker in workers), *self._ending, return_exceptions=True)
        await self._relays.stop()
        await self._runtime.stop()
        await asyncio.gather(*(worker.wait_logs_closed() for worker in workers))

    async def evict(self, namespace: str, name: str, message: str = LOW_ON_MEMORY) -> None:
        pod = self._bound_pod(namespace, name)
        worker = self._workers[pod["metadata"]["uid"]]
        await worker.terminate(0)
        worker.eviction = message
        self._report(worker)

    def _pod_bound(self, pod: Manifest) -> None:
        metadata = pod["metadata"]
        worker = self._workers.get(metadata["uid"])
        going = "deletionTimestamp" in metadata
        if worker is None and going:
            self._remove(pod)
        elif worker is None and (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed"):
            sandbox = Sandbox.create(self._host, pod, self._addresses.allocate())
            worker = self._workers[metadata["uid"]] = PodWorker(sandbox, self._report, self._thawed.wait)
            worker.start()
        elif worker is not None:
            worker.sandbox.pod = pod
            grace = float(metadata.get("deletionGracePeriodSeconds") or 0)
            if going and (worker.grace is None or grace < worker.grace):
                worker.grace = grace
                self._spawn(self._terminate(worker, grace))

    def _pod_gone(self, pod: Manifest) -> None:
        worker = self._workers.pop(pod["metadata"]["uid"], None)
        if worker:
            self._spawn(self._clean_up(worker))

    def _data_changed(self, change: str, manifest: Manifest) -> None:
        """Kubernetes' kubelets find out within a minute or two; here volumes follow at once."""
        if change != "MODIFIED":
            return
        metadata = manifest["metadata"]
        for worker in self._workers.values():
            if worker.sandbox.pod["metadata"]["namespace"] == metadata["namespace"]:
                worker.sandbox.update_volumes(manifest["kind"], metadata["name"])

    def _spawn(self, ending: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(ending)
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
        task.add_done_callback(log_failure)

    def _resume(self) -> None:
        for worker in self._unreported:
            self._report(worker)
        self._unreported.clear()

    def _report(self, worker: PodWorker) -> None:
        if self.frozen:
            self._unreported.add(worker)
        else:
            self._write_status(worker.sandbox.pod, worker.facts)

    async def _terminate(self, worker: PodWorker, grace: float) -> None:
        await worker.terminate(grace)
        await self._thawed.wait()
        self._remove(worker.sandbox.pod)

    async def _clean_up(self, worker: PodWorker) -> None:
        """After its object has gone, perhaps by force: end what still runs, and forget it."""
        try:
            await worker.terminate(0)
        finally:
            await worker.abandon()
            worker.sandbox.remove()
            self._addresses.release(worker.sandbox.address)
