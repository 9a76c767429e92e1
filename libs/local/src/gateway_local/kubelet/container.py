"""One container of a pod: started, probed, restarted and stopped as Kubernetes does."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from gateway_common.resources import Manifest
from gateway_local.kubelet.environment import ContainerConfigError
from gateway_local.kubelet.images import ImageUnavailable, InvalidImageName
from gateway_local.kubelet.launch import ContainerStartError, Launch
from gateway_local.kubelet.logs import ContainerLog, Output
from gateway_local.kubelet.memory import exceeds, memory_limit
from gateway_local.kubelet.probes import Probe, check, verdicts
from gateway_local.kubelet.restarts import BackOff, restarts
from gateway_local.kubelet.runtime import Process
from gateway_local.kubelet.sandbox import Sandbox
from gateway_local.kubelet.states import ContainerRecord, Running, Terminated, Waiting

_START_ERROR = 128
#: kubelet's MaxContainerTerminationMessageLogLines and -Length.
_MESSAGE_LINES, _MESSAGE_BYTES = 80, 2048
#: Seconds that a container has at least to end after its preStop hook (k8s.io/kubernetes/pkg/kubelet/kuberuntime).
_LEAST_GRACE = 2.0


class _Stopped(Exception):
    """The pod is going: nothing more is to be started."""


class Container:
    """Runs one container until it is done.

    Parameters
    ----------
    policy
        The restartPolicy that holds for it.
    changed
        Called whenever the record has changed.
    thawed
        Returns at once, or when a frozen node may act again.
    """

    def __init__(
        self,
        manifest: Manifest,
        policy: str,
        sandbox: Sandbox,
        waiting: str,
        changed: Callable[[], None],
        thawed: Callable[[], Awaitable[object]],
    ) -> None:
        self.record = ContainerRecord(manifest["name"], manifest["image"], Waiting(waiting))
        self.log: ContainerLog | None = None
        self.previous_log: ContainerLog | None = None
        self._manifest = manifest
        self._policy = policy
        self._sandbox = sandbox
        self._changed = changed
        self._thawed = thawed
        self._stopping = asyncio.Event()
        self._grace = float(sandbox.pod["spec"].get("terminationGracePeriodSeconds") or 0)
        self._process: Process | None = None
        self._launch: Launch | None = None
        self._pre_stop: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Until it has ended for good, or was stopped."""
        back_off = BackOff(self._sandbox.host.restart_step)
        try:
            while restarts(self._policy, (ended := await self._run_once()).exit_code):
                pause = back_off.take(ended.ran_seconds)
                await self._await_restart(ended, pause)
                self.record.restarts += 1
        except _Stopped:
            if isinstance(self.record.state, Waiting) and self.record.last:
                self.record.state, self.record.last = self.record.last, None
                self._changed()

    async def stop(self, grace: float) -> None:
        """End it within `grace` seconds. May be called again with less."""
        self._grace = grace
        self._stopping.set()
        if self._process:
            await self._end(self._process, grace)

    async def _end(self, process: Process, grace: float) -> None:
        """The preStop hook, then SIGTERM, then SIGKILL, the whole within `grace` seconds."""
        hook = (self._manifest.get("lifecycle") or {}).get("preStop")
        if hook and grace > 0:
            loop = asyncio.get_running_loop()
            began = loop.time()
            self._pre_stop = self._pre_stop or asyncio.create_task(self._run_hook(hook, grace))
            exited = asyncio.create_task(process.wait())
            await asyncio.wait({self._pre_stop, exited}, timeout=grace, return_when=asyncio.FIRST_COMPLETED)
            exited.cancel()
            grace = max(_LEAST_GRACE, grace - (loop.time() - began))
        await process.terminate(grace)

    async def _run_hook(self, hook: Manifest, grace: float) -> None:
        """Do what a lifecycle hook says. That it failed changes nothing: the container ends all the same."""
        if "sleep" in hook:
            await asyncio.sleep(hook["sleep"]["seconds"])
            return
        await self._check(Probe(hook, timeout=grace))

    async def _check(self, probe: Probe) -> str | None:
        """Do once what a probe or a hook says; what was wrong, or None."""
        return await check(probe, self._sandbox.address, self._manifest.get("ports") or [], self._execute)

    async def _run_once(self) -> Terminated:
        launch = self._launch = await self._prepare()
        log = self._open_log()
        record = self.record
        try:
            process = self._process = await launch.start(self._sandbox, log)
        except ContainerStartError as error:
            now = self._sandbox.host.clock()
            return self._set_ended(Terminated(_START_ERROR, "StartError", 0.0, now, str(error)))
        record.container_id = f"process://{process.pid}"
        record.state = Running(self._sandbox.host.clock())
        record.started = not self._manifest.get("startupProbe")
        record.ready = record.started and not self._manifest.get("readinessProbe")
        self._changed()
        if self._stopping.is_set():
            await process.terminate(self._grace)
        probing = asyncio.create_task(self._probe(process))
        limiting = asyncio.create_task(self._limit_memory(process))
        try:
            ended = await process.wait()
        finally:
            probing.cancel()
            limiting.cancel()
            await asyncio.wait({probing, limiting})
            if self._pre_stop:
                self._pre_stop.cancel()
        await log.wait_closed()
        self._process = None
        out_of_memory = not limiting.cancelled()
        return self._set_ended(
            Terminated(
                ended.code,
                "OOMKilled" if out_of_memory else "Completed" if ended.code == 0 else "Error",
                record.state.started_at,
                self._sandbox.host.clock(),
                self._termination_message(log, ended.code),
                record.container_id,
            )
        )

    async def _prepare(self) -> Launch:
        """What to start, as soon as it can be had; the status says what is missing meanwhile."""
        host = self._sandbox.host
        pulls = BackOff(host.restart_step, upcoming=host.restart_step)
        while True:
            await self._thawed()
            if self._stopping.is_set():
                raise _Stopped
            try:
                return Launch.of(self._manifest, self._sandbox)
            except ContainerConfigError as error:
                self._set_waiting("CreateContainerConfigError", str(error))
                await self._pause(host.retry)
            except InvalidImageName as error:
                self._set_waiting("InvalidImageName", str(error))
                await self._pause(host.retry)
            except ImageUnavailable as error:
                if self._manifest.get("imagePullPolicy") == "Never":
                    image = self.record.image
                    self._set_waiting(
                        "ErrImageNeverPull", f'Container image "{image}" is not present with pull policy of Never'
                    )
                    await self._pause(host.retry)
                    continue
                self._set_waiting("ErrImagePull", str(error))
                # a cluster says ErrImagePull while it tries, which takes a moment, and ImagePullBackOff in between
                await self._pause(min(host.retry, host.restart_step))
                self._set_waiting("ImagePullBackOff", f'Back-off pulling image "{self.record.image}": {error}')
                await self._pause(pulls.take())

    async def _await_restart(self, ended: Terminated, pause: float) -> None:
        self.record.last = ended
        if ended.reason == "StartError":
            self._set_waiting("RunContainerError", ended.message)
        if pause:
            metadata = self._sandbox.pod["metadata"]
            pod = f"{metadata['name']}_{metadata['namespace']}({metadata['uid']})"
            message = f"back-off {_duration(pause)} restarting failed container={self.record.name} pod={pod}"
            self._set_waiting("CrashLoopBackOff", message)
            await self._pause(pause)

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return
        raise _Stopped

    def _set_waiting(self, reason: str, message: str) -> None:
        self.record.state = Waiting(reason, message)
        self._changed()

    def _set_ended(self, ended: Terminated) -> Terminated:
        self.record.state = ended
        self.record.ready = self.record.started = False
        self._changed()
        return ended

    def _open_log(self) -> ContainerLog:
        if self.previous_log:
            self.previous_log.remove()
        self.previous_log = self.log
        path = self._sandbox.log_path(self.record.name, self.record.restarts)
        self.log = ContainerLog(path, self._sandbox.host.clock)
        return self.log

    def _termination_message(self, log: ContainerLog, exit_code: int) -> str:
        if exit_code == 0 or self._manifest.get("terminationMessagePolicy") != "FallbackToLogsOnError":
            return ""
        return log.tail(_MESSAGE_LINES, _MESSAGE_BYTES)

    async def _limit_memory(self, process: Process) -> None:
        """Kill the container when it holds more than it may have; else go on until cancelled."""
        limit = memory_limit(self._manifest)
        if not limit:
            await asyncio.Event().wait()
        await exceeds(process.pid, limit)
        await process.kill()

    async def _probe(self, process: Process) -> None:
        """Keep `started` and `ready` true to the probes, and end a container that fails to start or live."""

        async def require(probe: Probe, healthy: bool | None) -> bool:
            """The first result that is news. When it is a failure, the container is ended."""
            async for passed, _ in verdicts(probe, lambda: self._check(probe), healthy):
                if not passed:
                    await self._thawed()
                    await self._end(process, probe.action.get("terminationGracePeriodSeconds", self._grace))
                return passed
            return False

        async def follow_readiness(probe: Probe) -> None:
            async for passed, _ in verdicts(probe, lambda: self._check(probe), False):
                self.record.ready = passed
                self._changed()

        startup, readiness, liveness = (
            Probe.parse(self._manifest.get(kind)) for kind in ("startupProbe", "readinessProbe", "livenessProbe")
        )
        if startup:
            if not await require(startup, None):
                return
            self.record.started = True
            self.record.ready = readiness is None
            self._changed()
        async with asyncio.TaskGroup() as tasks:
            if liveness:
                tasks.create_task(require(liveness, True))
            if readiness:
                tasks.create_task(follow_readiness(readiness))

    async def _execute(self, command: Sequence[str]) -> str | None:
        """Run a command in the container; what was wrong, or None."""
        launch = self._launch
        if launch is None:
            return "the container is not running"
        output = Output(_MESSAGE_BYTES)
        try:
            process = await Launch(list(command), launch.env, launch.directory).start(self._sandbox, output)
        except ContainerStartError as error:
            return str(error)
        try:
            ended = await process.wait()
        except asyncio.CancelledError:
            await process.kill()
            raise
        return None if ended.code == 0 else await output.text() or f"the command exited with {ended.code}"


def _duration(seconds: float) -> str:
    """As Go prints durations: 10s, 2m40s."""
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes)}m{rest:g}s" if minutes else f"{rest:g}s"
