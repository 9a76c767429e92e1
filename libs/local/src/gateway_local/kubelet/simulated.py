"""A kubelet without processes: its pods become Running and Ready after a while, thousands of them in one process."""

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import replace

from gateway_common.clock import Clock, system_clock
from gateway_common.resources import Manifest
from gateway_local.apiserver.objects import Objects
from gateway_local.kubelet.node import GENEROUS, LOW_ON_MEMORY, NodeAgent
from gateway_local.kubelet.states import ContainerRecord, Running, Terminated
from gateway_local.kubelet.status import PodFacts


class SimulatedKubelet(NodeAgent):
    """Reports the pods of one node as a kubelet would, and runs nothing.

    All pods take equally long to start, so one queue and one timer do for all of them.

    Parameters
    ----------
    startup_seconds
        From binding to Running and Ready.
    """

    def __init__(
        self,
        objects: Objects,
        *,
        startup_seconds: float = 0.0,
        node_name: str = "simulated",
        capacity: Mapping[str, str] = GENEROUS,
        clock: Clock = system_clock,
    ) -> None:
        super().__init__(objects, node_name=node_name, capacity=capacity, clock=clock)
        self.startup_seconds = startup_seconds
        self._facts: dict[str, PodFacts] = {}
        self._starting: deque[tuple[float, str]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    async def _prepare(self) -> None:
        """There is nothing to prepare."""

    async def _release(self) -> None:
        if self._timer:
            self._timer.cancel()

    def exit_containers(self, namespace: str, name: str, exit_code: int, reason: str = "") -> None:
        """End a running pod's containers, as their programs would by themselves. They are not restarted."""
        pod = self._bound_pod(namespace, name)
        facts = self._facts[pod["metadata"]["uid"]]
        now = self._clock()
        reason = reason or ("Error" if exit_code else "Completed")
        for record in facts.containers:
            record.state = Terminated(exit_code, reason, facts.started_at, now)
            record.ready = record.started = False
        self._write_status(pod, facts)

    async def evict(self, namespace: str, name: str, message: str = LOW_ON_MEMORY) -> None:
        uid = self._bound_pod(namespace, name)["metadata"]["uid"]
        self._facts[uid] = replace(self._facts[uid], eviction=message)
        self.exit_containers(namespace, name, 137)

    def _pod_bound(self, pod: Manifest) -> None:
        uid = pod["metadata"]["uid"]
        if "deletionTimestamp" in pod["metadata"]:
            self._remove(pod)
        elif uid not in self._facts and (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed"):
            self._facts[uid] = self._build_facts(pod)
            self._starting.append((asyncio.get_running_loop().time() + self.startup_seconds, uid))
            self._start_due()

    def _pod_gone(self, pod: Manifest) -> None:
        if facts := self._facts.pop(pod["metadata"]["uid"], None):
            self._addresses.release(facts.pod_ip)

    def _resume(self) -> None:
        self._start_due()

    def _start_due(self) -> None:
        """Report all pods as running whose time has come, and set the timer for the next one."""
        loop = asyncio.get_running_loop()
        if self._timer:
            self._timer.cancel()
            self._timer = None
        while self._starting and not self.frozen:
            due, uid = self._starting[0]
            if due > loop.time():
                self._timer = loop.call_at(due, self._start_due)
                return
            self._starting.popleft()
            if uid in self._facts:
                self._write_status(self._pods[uid], self._facts[uid])

    def _build_facts(self, pod: Manifest) -> PodFacts:
        now = self._clock()
        spec = pod["spec"]
        return PodFacts(
            restart_policy=spec.get("restartPolicy") or "Always",
            init=[
                ContainerRecord(c["name"], c["image"], Terminated(0, "Completed", now, now))
                for c in spec.get("initContainers") or []
            ],
            containers=[
                ContainerRecord(c["name"], c["image"], Running(now), started=True, ready=True)
                for c in spec["containers"]
            ],
            pod_ip=self._addresses.allocate(),
            host_ip=self._addresses.node_address,
            started_at=now,
        )
