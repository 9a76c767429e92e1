"""Programs that are kept running: the gateway's services and Traefik, restarted when they end."""

import asyncio
import contextlib
import ctypes
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent ends, however the parent ends (prctl(2)).

    For `preexec_fn`: it runs between fork and exec, so it does nothing but this one system call. The kubelet's
    supervisor has its own, since it runs without our packages.
    """
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class SupervisedProcess:
    """A program that is started again whenever it ends, until `stop`.

    Parameters
    ----------
    log
        Where its output goes; appended to.
    restart_seconds
        Pause before the first restart; it doubles up to 5 s while the program keeps ending at once.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
        restart_seconds: float = 0.2,
    ) -> None:
        self.name = name
        self.restarts = 0
        self._command = command
        self._environment = {**os.environ, **(environment or {})}
        self._log = log
        self._restart_seconds = restart_seconds
        self._process: asyncio.subprocess.Process | None = None
        self._watcher: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """Of the running program; None between two runs."""
        running = self._process is not None and self._process.returncode is None
        return self._process.pid if running and self._process else None

    async def start(self) -> None:
        """Start it; raises OSError if there is no such program."""
        await self._spawn()
        self._watcher = asyncio.create_task(self._keep_running(), name=f"keep {self.name} running")

    async def stop(self, grace_seconds: float = 5.0) -> None:
        """SIGTERM, and SIGKILL after the grace period."""
        if self._watcher is not None:
            self._watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watcher
        if self._process is None or self._process.returncode is not None:
            return
        self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), grace_seconds)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    def kill(self) -> None:
        """SIGKILL, as a crash would; it is started again."""
        if self.pid is not None:
            os.kill(self.pid, signal.SIGKILL)

    async def _spawn(self) -> None:
        with self._log.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self._environment,
                # its own group: Ctrl-C in the terminal is ours to handle, in our order
                start_new_session=True,
                preexec_fn=die_with_parent,
            )

    async def _keep_running(self) -> None:
        loop = asyncio.get_running_loop()
        pause = self._restart_seconds
        while True:
            assert self._process is not None
            started = loop.time()
            await self._process.wait()
            pause = self._restart_seconds if loop.time() - started > 10 else min(pause * 2, 5.0)
            await asyncio.sleep(pause)
            self.restarts += 1
            await self._spawn()
