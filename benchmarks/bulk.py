"""Many clusters at once, with simulated pods: how long, how many Kubernetes calls, how much CPU and memory.

What the controller is measured by: a start in no more than 8 calls and one a worker, Events aside; under 15 ms of
its CPU; under 150 MB of memory at 1,000 clusters and 3,000 workers; next to nothing while nothing happens.
"""

import asyncio
import time
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, cpu_seconds, memory_mib
from dask_gateway import Gateway
from gateway_common.names import COMPONENT_LABEL, SCHEDULER_REPLICAS_ANNOTATION, WORKER_COMPONENT
from gateway_common.resources import DASKCLUSTERS, PODS
from gateway_local.gateway import LocalGateway, LocalSettings

WORKERS_EACH = 3
MANY_WORKERS = 5_000
_SERVICES = ("api", "auth", "controller")
#: The api's own: all that it writes, and what it reads of Secrets.
_BY_THE_API = {("create", "daskclusters"), ("patch", "daskclusters"), ("get", "daskclusters"), ("get", "secrets")}


class Meter:
    """What the controller has used since the last look."""

    def __init__(self, gateway: LocalGateway) -> None:
        self._gateway = gateway
        self._pid = gateway.processes["controller"].pid or 0
        self.look()

    def look(self) -> tuple[float, Counter[tuple[str, str]], float]:
        """(seconds, calls, seconds of CPU) since then."""
        now, calls, cpu = time.perf_counter(), self._gateway.kubernetes.requests.copy(), cpu_seconds(self._pid)
        before = getattr(self, "_last", (now, calls, cpu))
        self._last = (now, calls, cpu)
        made = Counter({call: count for call, count in (calls - before[1]).items() if _is_controllers(call)})
        return now - before[0], made, cpu - before[2]

    @property
    def memory(self) -> float:
        return memory_mib(self._pid)


def _is_controllers(call: tuple[str, str]) -> bool:
    verb, resource = call
    return call not in _BY_THE_API and verb not in ("list", "watch") and resource not in ("leases", "endpointslices")


async def measure(directory: Path, clusters: int, idle_seconds: float = 10.0) -> list[Figure]:
    """Create `clusters` through the api, with workers, watch them idle, give one very many workers, stop them all."""
    settings = LocalSettings(port=0, directory=directory, simulated=True, log_level="WARNING")
    async with LocalGateway(settings) as gateway, Gateway(gateway.address, asynchronous=True) as client:
        await client.list_clusters()
        meter = Meter(gateway)
        heartbeats = asyncio.create_task(ask_for_workers(gateway))
        names = await asyncio.gather(*(client.submit() for _ in range(clusters)))
        await until_phase(gateway, "Running", clusters)
        await until_workers(gateway, clusters * WORKERS_EACH)
        heartbeats.cancel()
        figures = _start_figures(f"{clusters:,} clusters x {WORKERS_EACH} workers at once: ", clusters, meter)

        await asyncio.sleep(35.0)  # the last counts of workers are written half a minute later
        figures.append(await _idle_figure(gateway, idle_seconds))
        meter.look()
        objects, (namespace, _, name) = gateway.kubernetes.objects, names[0].partition(".")
        objects.patch(DASKCLUSTERS, namespace, name, report_of(MANY_WORKERS))
        await until_workers(gateway, (clusters - 1) * WORKERS_EACH + MANY_WORKERS)
        figures += _growth_figures(f"then one cluster to {MANY_WORKERS:,} workers: ", meter)

        await asyncio.gather(*(client.stop_cluster(name) for name in names))
        await until_phase(gateway, "Stopped", clusters)
        figures += _end_figures("then all stopped: ", clusters, meter)
        assert gateway.kubernetes.objects.list(PODS) == []
    return figures


def _start_figures(prefix: str, clusters: int, meter: Meter) -> list[Figure]:
    seconds, calls, cpu = meter.look()
    events = sum(count for (_, resource), count in calls.items() if resource == "events")
    needed = calls.total() - events - clusters * WORKERS_EACH
    return [
        Figure(prefix + "all Running", "s", [seconds]),
        Figure(prefix + "calls of the controller a cluster, one a worker and Events aside", "", [needed / clusters]),
        Figure(prefix + "Events a cluster", "", [events / clusters]),
        Figure(prefix + "controller CPU a cluster with its workers", "ms", [cpu / clusters * 1000]),
        Figure(prefix + "controller memory", "MiB", [meter.memory]),
    ]


def _growth_figures(prefix: str, meter: Meter) -> list[Figure]:
    seconds, calls, cpu = meter.look()
    return [
        Figure(prefix + "all Running", "s", [seconds]),
        Figure(prefix + "workers a second", "", [MANY_WORKERS / seconds]),
        Figure(prefix + "calls of the controller a worker", "", [calls.total() / MANY_WORKERS]),
        Figure(prefix + "controller CPU a worker", "ms", [cpu / MANY_WORKERS * 1000]),
        Figure(prefix + "controller memory", "MiB", [meter.memory]),
    ]


def _end_figures(prefix: str, clusters: int, meter: Meter) -> list[Figure]:
    seconds, calls, cpu = meter.look()
    return [
        Figure(prefix + "all Stopped and gone", "s", [seconds]),
        Figure(prefix + "calls of the controller a cluster", "", [calls.total() / clusters]),
        Figure(prefix + "controller CPU a cluster", "ms", [cpu / clusters * 1000]),
        Figure(prefix + "controller memory", "MiB", [meter.memory]),
    ]


async def _idle_figure(gateway: LocalGateway, seconds: float) -> Figure:
    pids = [gateway.processes[name].pid or 0 for name in _SERVICES]
    before = sum(map(cpu_seconds, pids))
    await asyncio.sleep(seconds)  # what is measured is that nothing happens
    return Figure("then idle: CPU of api, auth and controller", "% of a core", [_percent(pids, before, seconds)])


def _percent(pids: list[int], before: float, seconds: float) -> float:
    return (sum(map(cpu_seconds, pids)) - before) / seconds * 100


async def ask_for_workers(gateway: LocalGateway) -> None:
    """What a heartbeat does: each new cluster wants workers."""
    objects = gateway.kubernetes.objects
    async for change, cluster in objects.watch(DASKCLUSTERS):
        if change == "ADDED":
            metadata = cluster["metadata"]
            objects.patch(DASKCLUSTERS, metadata["namespace"], metadata["name"], report_of(WORKERS_EACH))


def report_of(workers: int) -> dict[str, Any]:
    """What the api writes where a scheduler reports how many workers it wants."""
    return {
        "metadata": {"annotations": {SCHEDULER_REPLICAS_ANNOTATION: str(workers)}},
        "spec": {"replicas": workers},
    }


async def until_workers(gateway: LocalGateway, workers: int) -> None:
    """Wait until so many worker pods run."""
    running: set[str] = set()
    async for _, pod in gateway.kubernetes.objects.watch(PODS):
        metadata = pod["metadata"]
        if metadata["labels"].get(COMPONENT_LABEL) == WORKER_COMPONENT and pod["status"]["phase"] == "Running":
            running.add(metadata["name"])
            if len(running) == workers:
                return


async def until_phase(gateway: LocalGateway, phase: str, clusters: int) -> None:
    """Wait until so many clusters are in a phase."""
    there: set[str] = set()
    async for _, cluster in gateway.kubernetes.objects.watch(DASKCLUSTERS):
        if cluster.get("status", {}).get("phase") == phase:
            there.add(cluster["metadata"]["name"])
            if len(there) == clusters:
                return
