"""One pod: its volumes, then its init containers one after the other, then its containers side by side.

Init containers with a restartPolicy of their own (sidecars), ephemeral containers and postStart hooks are not run.
"""

import asyncio
from collections.abc import Awaitable, Callable

from gateway_local.following import log_failure
from gateway_local.kubelet.container import Container
from gateway_local.kubelet.sandbox import Sandbox
from gateway_local.kubelet.states import CONTAINER_CREATING, POD_INITIALIZING, Terminated, Waiting
from gateway_local.kubelet.status import PodFacts
from gateway_local.kubelet.volumes import VolumeUnavailable


class PodWorker:
    """Runs one pod. `changed` is called with it whenever `facts` have changed."""

    def __init__(
        self, sandbox: Sandbox, changed: Callable[["PodWorker"], None], thawed: Callable[[], Awaitable[object]]
    ) -> None:
        spec = sandbox.pod["spec"]
        self.sandbox = sandbox
        #: Seconds that it has left to end since it was told to; None before.
        self.grace: float | None = None
        self._report = changed
        #: Why it is thrown out, once it is.
        self.eviction = ""
        self._policy = spec.get("restartPolicy") or "Always"
        self._started_at = sandbox.host.clock()
        self._stopping = asyncio.Event()
        init = spec.get("initContainers") or []
        waiting = POD_INITIALIZING if init else CONTAINER_CREATING
        init_policy = "Never" if self._policy == "Never" else "OnFailure"
        self._init = [Container(manifest, init_policy, sandbox, waiting, self._changed, thawed) for manifest in init]
        self._containers = [
            Container(manifest, self._policy, sandbox, waiting, self._changed, thawed)
            for manifest in spec["containers"]
        ]
        self._task: asyncio.Task[None] | None = None

    @property
    def facts(self) -> PodFacts:
        spec = self.sandbox.pod["spec"]
        return PodFacts(
            restart_policy=self._policy,
            init=[container.record for container in self._init],
            containers=[container.record for container in self._containers],
            pod_ip=self.sandbox.address,
            host_ip=self.sandbox.host.address,
            started_at=self._started_at,
            eviction=self.eviction,
            readiness_gates=[gate["conditionType"] for gate in spec.get("readinessGates") or []],
        )

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=f"pod {self.sandbox.pod['metadata']['name']}")
        self._task.add_done_callback(log_failure)

    async def terminate(self, grace: float) -> None:
        """End all containers within `grace` seconds. May be called again with less."""
        self._stopping.set()
        await asyncio.gather(*(container.stop(grace) for container in self._all()))
        if self._task:
            await asyncio.wait({self._task})

    async def abandon(self) -> None:
        """Stop looking after it; its processes are the runtime's to kill."""
        if self._task:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def wait_logs_closed(self) -> None:
        for container in self._all():
            if container.log:
                await container.log.wait_closed()

    def container(self, name: str) -> Container | None:
        return next((container for container in self._all() if container.record.name == name), None)

    def _changed(self) -> None:
        self._report(self)

    def _all(self) -> list[Container]:
        return [*self._init, *self._containers]

    async def _run(self) -> None:
        self._changed()
        if not await self._mount():
            return
        for container in self._init:
            await container.run()
            state = container.record.state
            if not (isinstance(state, Terminated) and state.exit_code == 0):
                return
        async with asyncio.TaskGroup() as tasks:
            for container in self._containers:
                tasks.create_task(container.run())

    async def _mount(self) -> bool:
        """Set the volumes up, as soon as that is possible; False when the pod is to stop before."""
        while not self._stopping.is_set():
            try:
                self.sandbox.write_volumes()
            except VolumeUnavailable as problem:
                self._say_waiting(str(problem))
            else:
                self._say_waiting("")
                return True
            try:
                async with asyncio.timeout(self.sandbox.host.retry):
                    await self._stopping.wait()
            except TimeoutError:
                continue
        return False

    def _say_waiting(self, message: str) -> None:
        """A cluster tells of missing volumes in events only; here the status says it."""
        for container in self._all():
            if isinstance(container.record.state, Waiting):
                container.record.state = Waiting(container.record.state.reason, message)
        self._changed()
