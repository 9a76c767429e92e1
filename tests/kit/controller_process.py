"""The controller as the process that it is, on an API server of the test's."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from gateway_local.ports import free_port
from tests.kit.waiting import eventually

#: A series: its name, and its labels in the order of their names.
Series = tuple[str, tuple[tuple[str, str], ...]]
WRITES = ("create", "patch", "delete", "deletecollection", "apply")


class ControllerProcess:
    """A replica. `series` are its metrics when they were read last."""

    def __init__(self, process: Process, port: int) -> None:
        self.process = process
        self._client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False)
        self.series: dict[Series, float] = {}

    async def close(self) -> None:
        await self._client.aclose()
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()

    async def ends(self) -> int:
        """Wait until it has ended; its exit code."""
        async with asyncio.timeout(60):
            return await self.process.wait()

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    async def get(self, path: str) -> httpx.Response | None:
        """None as long as nobody listens."""
        try:
            return await self._client.get(path)
        except httpx.TransportError:
            return None

    async def is_ready(self) -> bool:
        answer = await self.get("/ready")
        return answer is not None and answer.status_code == 200

    async def read_metrics(self) -> bool:
        """Whether there is anybody to ask."""
        answer = await self.get("/metrics")
        if answer is None:
            return False
        self.series = {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(answer.text)
            for sample in family.samples
        }
        return True

    async def is_leading(self) -> bool:
        return await self.read_metrics() and self.series["dask_gateway_controller_leader", ()] == 1

    async def stands_by(self) -> bool:
        return await self.read_metrics() and self.series["dask_gateway_controller_leader", ()] == 0

    async def leads(self) -> None:
        await eventually(self.is_leading)

    async def writes(self) -> int:
        """How many writes it has sent, those of the Lease excepted."""
        assert await self.read_metrics()
        return int(
            sum(
                value
                for (name, labels), value in self.series.items()
                if name == "dask_gateway_controller_kube_calls_total"
                and dict(labels)["verb"] in WRITES
                and dict(labels)["resource"] != "leases"
            )
        )


class ControllerProcesses:
    """Starts replicas; their logs are in `directory`."""

    def __init__(self, directory: Path, environment: Mapping[str, str]) -> None:
        self._directory = directory
        self._environment = environment
        self._started: list[ControllerProcess] = []

    async def start(self, identity: str = "", **variables: str) -> ControllerProcess:
        """Start a replica; `variables` are settings by the names of their environment variables."""
        port = free_port()
        settings = {"CONTROLLER__IDENTITY": identity, "CONTROLLER__PORT": str(port), **variables}
        environment = {**self._environment, **{f"DASK_GATEWAY__{name}": text for name, text in settings.items()}}
        with (self._directory / f"{identity or 'controller'}.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "gateway_controller.main", env=environment, stdout=log, stderr=log
            )
        self._started.append(replica := ControllerProcess(process, port))
        return replica

    async def start_ready(self, *identities: str) -> list[ControllerProcess]:
        """Start replicas one after the other: the first one leads."""
        replicas = []
        for identity in identities:
            replicas.append(replica := await self.start(identity))
            await eventually(replica.is_ready)
            if replica is replicas[0]:
                await replica.leads()
        return replicas

    async def close(self) -> None:
        for replica in self._started:
            await replica.close()


@asynccontextmanager
async def controller_processes(
    directory: Path, *, kubeconfig: Path, namespace: str
) -> AsyncIterator[ControllerProcesses]:
    """Replicas that serve one namespace; none is left at the end."""
    environment = {
        **os.environ,
        "DASK_GATEWAY__INSTANCE": "test",
        "DASK_GATEWAY__KUBE__KUBECONFIG": str(kubeconfig),
        "DASK_GATEWAY__KUBE__NAMESPACES": f'["{namespace}"]',
        "DASK_GATEWAY__CLUSTERS_API_URL": "http://127.0.0.1:8000/api",
        "DASK_GATEWAY__CONTROLLER__HOST": "127.0.0.1",
    }
    processes = ControllerProcesses(directory, environment)
    try:
        yield processes
    finally:
        await processes.close()
