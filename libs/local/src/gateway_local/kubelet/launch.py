"""From a container's manifest to a running process: what to run, and in which words a start can fail."""

import asyncio
import errno
import os
from dataclasses import dataclass
from pathlib import Path

from gateway_common.resources import Manifest
from gateway_local.kubelet.environment import command_line, container_environment, expand
from gateway_local.kubelet.runtime import Process, StartFailed
from gateway_local.kubelet.sandbox import Sandbox
from gateway_local.kubelet.volumes import MountTable


class ContainerStartError(Exception):
    """The program can't be started: Kubernetes' StartError. The text is what the status says."""


@dataclass(frozen=True, slots=True)
class Launch:
    """All that it takes to start a container's program, or another one in the same container."""

    argv: list[str]
    env: dict[str, str]
    directory: Path

    @classmethod
    def of(cls, container: Manifest, sandbox: Sandbox) -> "Launch":
        """Raises InvalidImageName, ImageUnavailable and ContainerConfigError."""
        image = sandbox.host.images.find(container["image"])
        asked = container_environment(container, sandbox.context, sandbox.lookup)
        mounts = MountTable.of(container, sandbox.volumes)
        argv = command_line(container, image, lambda text: mounts.rewrite(expand(text, asked)))
        directory = mounts.rewrite(container.get("workingDir") or "") or sandbox.home(container["name"])
        return cls(argv, sandbox.environment(container, asked, image.environment), Path(directory))

    async def start(self, sandbox: Sandbox, output: asyncio.Protocol) -> Process:
        """Start it with what it prints going to `output`; raises ContainerStartError."""
        if not self.directory.is_dir():
            output.connection_lost(None)
            raise ContainerStartError(f'chdir to cwd ("{self.directory}") failed: no such file or directory')
        reading, writing = os.pipe()
        await asyncio.get_running_loop().connect_read_pipe(lambda: output, os.fdopen(reading, "rb", 0))
        try:
            return await sandbox.host.runtime.run(self.argv, self.env, self.directory, writing)
        except StartFailed as error:
            raise ContainerStartError(_explain(self.argv[0], error.errno)) from error
        finally:
            os.close(writing)


def _explain(program: str, number: int) -> str:
    """As runc words it, which is what people search for."""
    if number == errno.ENOENT and "/" not in program:
        reason = "executable file not found in $PATH"
    elif number == errno.ENOENT:
        reason = f"stat {program}: no such file or directory"
    else:
        reason = os.strerror(number).lower()
    return f'failed to start container: unable to start container process: exec: "{program}": {reason}'
