"""Many clusters at once, with simulated pods: how long, how many Kubernetes calls, how much CPU and memory."""

import asyncio
import time
from pathlib import Path

from benchmarks.figures import Figure, cpu_seconds, memory_mib
from dask_gateway import Gateway
from gateway_common.resources import DASKCLUSTERS, PODS
from gateway_local.gateway import LocalGateway, LocalSettings


async def measure(directory: Path, clusters: int, idle_seconds: float = 10.0) -> list[Figure]:
    """Create `clusters` through the api, wait until all run, watch them idle, stop them all."""
    settings = LocalSettings(port=0, directory=directory, simulated=True, log_level="WARNING")
    async with LocalGateway(settings) as gateway, Gateway(gateway.address, asynchronous=True) as client:
        pids = {name: process.pid or 0 for name, process in gateway.processes.items()}
        await client.list_clusters()
        calls_before, cpu_before = gateway.kubernetes.requests.total(), cpu_seconds(pids["controller"])
        started = time.perf_counter()
        names = await asyncio.gather(*(client.submit() for _ in range(clusters)))
        posted = time.perf_counter()
        await until_phase(gateway, "Running", clusters)
        running = time.perf_counter()
        calls = gateway.kubernetes.requests.total() - calls_before
        cpu = cpu_seconds(pids["controller"]) - cpu_before
        memory = memory_mib(pids["controller"])

        idle_before = {name: cpu_seconds(pids[name]) for name in ("api", "auth", "controller")}
        await asyncio.sleep(idle_seconds)  # what is measured is that nothing happens
        idle = sum(cpu_seconds(pids[name]) - used for name, used in idle_before.items())

        stopping = time.perf_counter()
        await asyncio.gather(*(client.stop_cluster(name) for name in names))
        await until_phase(gateway, "Stopped", clusters)
        stopped = time.perf_counter()
        assert gateway.kubernetes.objects.list(PODS) == []
    prefix = f"{clusters} clusters at once: "
    return [
        Figure(prefix + "all POSTs answered", "s", [posted - started]),
        Figure(prefix + "all Running", "s", [running - started]),
        Figure(prefix + "Kubernetes calls a cluster, api and controller", "", [calls / clusters]),
        Figure(prefix + "controller CPU a cluster", "ms", [cpu / clusters * 1000]),
        Figure(prefix + "controller memory", "MiB", [memory]),
        Figure(prefix + "then idle: CPU of api, auth and controller", "% of a core", [idle / idle_seconds * 100]),
        Figure(prefix + "all Stopped and gone", "s", [stopped - stopping]),
    ]


async def until_phase(gateway: LocalGateway, phase: str, clusters: int) -> None:
    """Wait until so many clusters are in a phase."""
    there: set[str] = set()
    async for _, cluster in gateway.kubernetes.objects.watch(DASKCLUSTERS):
        if cluster.get("status", {}).get("phase") == phase:
            there.add(cluster["metadata"]["name"])
            if len(there) == clusters:
                return
