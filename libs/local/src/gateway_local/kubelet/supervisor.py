"""The parent of all processes of one kubelet's pods: a program of its own, `python -I -S supervisor.py FD DIRECTORY...`

It exists so that no process outlives the kubelet, and no file in the directories (some are secrets), even when that is
killed with SIGKILL:

- it is a child subreaper, so whatever a pod's process leaves behind (also in sessions of its own) becomes its child;
- it sees the kubelet's end as the end of the control socket, kills all it has, and ends;
- should it be killed itself, the kernel kills the pods' main processes (PR_SET_PDEATHSIG).

Control messages are JSON, one a datagram (SOCK_SEQPACKET). To here: {"start": id, "argv", "env", "directory"} with the
file descriptor of the output; {"signal": id, "number"}, {"kill": id}. From here: {"id", "pid"} or {"id", "errno"} for a
start, then {"id", "status"} as of wait(2). What a process leaves behind is dead before its end is reported.

It imports the standard library only and blocks in one place, so it costs nothing while nothing happens.
"""

import contextlib
import ctypes
import json
import os
import selectors
import shutil
import signal
import socket
import sys
from typing import Any

MARKER = "GATEWAY_LOCAL_PROCESS"
MESSAGE_LIMIT = 1 << 20
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36

libc = ctypes.CDLL(None, use_errno=True)


class Supervisor:
    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._pids: dict[str, int] = {}
        self._ids: dict[int, str] = {}

    def run(self) -> None:
        """Until the kubelet is gone."""
        wake, woken = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        orphaned: list[int] = []
        signal.signal(signal.SIGTERM, lambda *_: orphaned.append(1))
        with selectors.DefaultSelector() as selector:
            selector.register(self._control, selectors.EVENT_READ)
            selector.register(wake, selectors.EVENT_READ)
            while not orphaned:
                for key, _ in selector.select():
                    if key.fd == wake:
                        os.read(wake, 4096)
                    elif not self._obey():
                        return
                self._reap()

    def end(self) -> None:
        """Kill everything. The children of what dies become ours, so this comes to an end."""
        while True:
            for pid in children():
                _kill(pid, signal.SIGKILL)
            try:
                os.wait()
            except ChildProcessError:
                return

    def _obey(self) -> bool:
        try:
            text, descriptors, _, _ = socket.recv_fds(self._control, MESSAGE_LIMIT, 1, socket.MSG_CMSG_CLOEXEC)
        except ConnectionError:
            return False
        if not text:
            return False
        message = json.loads(text)
        if "start" in message:
            self._start(message, descriptors[0])
        elif "signal" in message and message["signal"] in self._pids:
            _kill(self._pids[message["signal"]], message["number"])
        elif "kill" in message and message["kill"] in self._pids:
            _kill(-self._pids[message["kill"]], signal.SIGKILL)
        return True

    def _start(self, message: dict[str, Any], output: int) -> None:
        identity = message["start"]
        failed, failure = os.pipe2(os.O_CLOEXEC)
        pid = os.fork()
        if pid == 0:
            become(message, output, failure)
        os.close(failure)
        os.close(output)
        with os.fdopen(failed) as report:
            errno = report.read()
        if errno:
            os.waitpid(pid, 0)
            self._tell(id=identity, errno=int(errno))
        else:
            self._pids[identity] = pid
            self._ids[pid] = identity
            self._tell(id=identity, pid=pid)

    def _reap(self) -> None:
        while True:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None:
                return
            pid = ended.si_pid
            identity = self._ids.pop(pid, "")
            if identity:
                # not reaped yet: neither its process id nor its group can be somebody else's
                del self._pids[identity]
                _kill(-pid, signal.SIGKILL)
            _, status = os.waitpid(pid, 0)
            if identity:
                self._kill_left_behind(identity)
                self._tell(id=identity, status=status)

    def _kill_left_behind(self, identity: str) -> None:
        marker = f"{MARKER}={identity}".encode()
        while left := [pid for pid in children() if pid not in self._ids and marker in environment(pid)]:
            for pid in left:
                _kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)

    def _tell(self, **message: object) -> None:
        try:
            self._control.sendall(json.dumps(message).encode())
        except ConnectionError:
            return  # the kubelet is gone: the next read says so


def become(message: dict[str, Any], output: int, failure: int) -> None:
    """In the forked child: turn into the program; never returns."""
    try:
        os.setsid()
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGPIPE, signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.chdir(message["directory"])
        argv = message["argv"]
        os.execvpe(argv[0], argv, {**message["env"], MARKER: message["start"]})  # noqa: S606  # no shell is wanted
    except OSError as error:
        os.write(failure, str(error.errno).encode())
    except BaseException:
        os.write(failure, b"22")
    os._exit(127)


def children() -> list[int]:
    """Process ids of our direct children, zombies included."""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children") as file:
            return [int(pid) for pid in file.read().split()]
    except FileNotFoundError:  # a kernel without CONFIG_PROC_CHILDREN
        pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
        return [pid for pid in pids if parent(pid) == os.getpid()]


def parent(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/stat") as file:
            # the name, in parentheses, may hold anything
            return int(file.read().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def environment(pid: int) -> list[bytes]:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return file.read().split(b"\0")
    except OSError:
        return []


def _kill(pid: int, number: int) -> None:
    """Signal a process, or with a negative number its group. What runs as another user by now can't be."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def main() -> None:
    control = socket.socket(fileno=int(sys.argv[1]))
    control.set_inheritable(False)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1)
    # a process that was forked from the kubelet's, without an exec, would keep the socket open
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    supervisor = Supervisor(control)
    try:
        supervisor.run()
    finally:
        supervisor.end()
        for directory in sys.argv[2:]:
            shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
