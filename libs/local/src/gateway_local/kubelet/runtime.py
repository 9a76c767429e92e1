"""Starts, signals and awaits processes: what a container runtime is to a kubelet. The work is done by `supervisor`."""

import asyncio
import errno
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway_local.kubelet import supervisor

_BUFFER = 4 << 20


class StartFailed(Exception):
    """The program can't be run; `errno` says why."""

    def __init__(self, errno: int) -> None:
        super().__init__(os.strerror(errno))
        self.errno = errno


@dataclass(frozen=True, slots=True)
class Exit:
    """How a process ended. `signal` is 0 when it ended by itself; `code` is then as it chose, else 128 + signal."""

    code: int
    signal: int = 0


class Process:
    """A running program, and whatever it starts."""

    def __init__(self, runtime: "Runtime", identity: str, pid: int, exited: asyncio.Future[Exit]) -> None:
        self._runtime = runtime
        self._identity = identity
        self.pid = pid
        self._exited = exited

    async def wait(self) -> Exit:
        """Until it, and all that it started, is gone."""
        return await asyncio.shield(self._exited)

    async def terminate(self, grace: float) -> Exit:
        """SIGTERM to the program itself, as Kubernetes does, and after `grace` seconds SIGKILL to all of it."""
        if grace > 0:
            await self._runtime.send({"signal": self._identity, "number": signal.SIGTERM})
            done, _ = await asyncio.wait({self._exited}, timeout=grace)
            if done:
                return self._exited.result()
        await self.kill()
        return await self.wait()

    async def kill(self) -> None:
        await self._runtime.send({"kill": self._identity})


class Runtime:
    """One supervisor and its processes.

    Parameters
    ----------
    scratch
        Directories that are to be removed when all processes have ended, however that came.
    """

    def __init__(self, scratch: Sequence[Path]) -> None:
        self._scratch = [str(path) for path in scratch]
        self._control: socket.socket
        self._supervisor: subprocess.Popen[bytes]
        self._starting: dict[str, asyncio.Future[int]] = {}
        self._running: dict[str, asyncio.Future[Exit]] = {}
        self._ended: asyncio.Future[None]
        self._sending = asyncio.Lock()
        self._count = 0

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._ended = loop.create_future()
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._control.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
            self._control.setblocking(False)
            program = str(Path(supervisor.__file__))
            # from the loop's own thread: the kernel ties PR_SET_PDEATHSIG to the thread that starts a process
            self._supervisor = subprocess.Popen(  # noqa: ASYNC220  # returns at once
                [sys.executable, "-I", "-S", program, str(theirs.fileno()), *self._scratch],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env={},
                start_new_session=True,
            )
        loop.add_reader(self._control, self._receive)

    async def stop(self) -> None:
        """Kill every process, and return when they and the scratch directories are gone."""
        if not self._ended.done():
            self._control.shutdown(socket.SHUT_WR)
        await self._ended
        self._supervisor.wait()
        for path in self._scratch:  # left only when the supervisor was killed
            shutil.rmtree(path, ignore_errors=True)

    async def run(self, argv: Sequence[str], env: Mapping[str, str], directory: Path, output: int) -> Process:
        """Start a program; raises StartFailed. `output` (stdout and stderr) is the caller's to close."""
        self._count += 1
        # unique on this machine: what a process leaves behind is recognized by it
        identity = f"{self._supervisor.pid}-{self._count}-{os.urandom(4).hex()}"
        loop = asyncio.get_running_loop()
        started = self._starting[identity] = loop.create_future()
        exited = self._running[identity] = loop.create_future()
        message = {"start": identity, "argv": list(argv), "env": dict(env), "directory": str(directory)}
        try:
            await self.send(message, [output])
            pid = await started
        except BaseException:
            self._running.pop(identity, None)
            raise
        finally:
            self._starting.pop(identity, None)
        return Process(self, identity, pid, exited)

    async def send(self, message: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
        """Tell the supervisor; nothing happens when it has ended, for then so have all processes."""
        data = json.dumps(message).encode()
        async with self._sending:
            while not self._ended.done():
                try:
                    socket.send_fds(self._control, [data], list(descriptors))
                except BlockingIOError:
                    await self._writable()
                except ConnectionError:
                    return
                except OSError as error:  # EMSGSIZE: as exec says E2BIG
                    raise StartFailed(error.errno or errno.EIO) from error
                else:
                    return

    async def _writable(self) -> None:
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[None] = loop.create_future()

        def proceed() -> None:
            loop.remove_writer(self._control)
            ready.set_result(None)

        loop.add_writer(self._control, proceed)
        try:
            await ready
        finally:
            loop.remove_writer(self._control)

    def _receive(self) -> None:
        try:
            data = self._control.recv(4096)  # answers are short
        except BlockingIOError:
            return
        except ConnectionError:
            data = b""
        if not data:
            self._supervisor_ended()
            return
        message = json.loads(data)
        identity = message["id"]
        started = self._starting.get(identity)
        if "pid" in message:
            if started and not started.done():
                started.set_result(message["pid"])
        elif "errno" in message:
            if started and not started.done():
                started.set_exception(StartFailed(message["errno"]))
        elif exited := self._running.pop(identity, None):
            exited.set_result(_exit_of(message["status"]))

    def _supervisor_ended(self) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._control)
        self._control.close()
        for started in self._starting.values():
            if not started.done():
                started.set_exception(StartFailed(errno.EIO))
        for exited in self._running.values():
            exited.set_result(Exit(128 + signal.SIGKILL, signal.SIGKILL))
        self._running.clear()
        self._ended.set_result(None)


def _exit_of(status: int) -> Exit:
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        return Exit(128 + number, number)
    return Exit(os.WEXITSTATUS(status))
