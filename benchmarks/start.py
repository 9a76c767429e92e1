"""How long a user waits: POST to a cluster that computes, and where the time goes. Real pods, one at a time."""

import asyncio
import contextlib
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure
from dask_gateway import Gateway
from gateway_common.names import COMPONENT_LABEL, SCHEDULER_COMPONENT, SCHEDULER_STARTED_ANNOTATION
from gateway_common.resources import DASKCLUSTERS, PODS
from gateway_local.gateway import LocalGateway, LocalSettings

Moments = dict[str, float]


async def measure(directory: Path, repeats: int) -> list[Figure]:
    """Start, scale and stop `repeats` clusters, one after the other."""
    samples: defaultdict[str, list[float]] = defaultdict(list)
    settings = LocalSettings(port=0, directory=directory, log_level="WARNING")
    async with LocalGateway(settings) as gateway, Gateway(gateway.address, asynchronous=True) as client:
        for _ in range(repeats):
            for name, seconds in (await _one_cluster(gateway, client)).items():
                samples[name].append(seconds)
    for _ in range(repeats):
        samples["floor: a bare `dask scheduler` until it listens"].append(await _bare_scheduler())
    return [Figure(name, "s", values) for name, values in samples.items()]


async def _one_cluster(gateway: LocalGateway, client: Gateway) -> Moments:
    moments: Moments = {}
    pods_gone = asyncio.Event()
    watchers = [
        asyncio.create_task(_watch_pods(gateway, moments, pods_gone)),
        asyncio.create_task(_watch_clusters(gateway, moments)),
    ]
    await asyncio.sleep(0)
    posted = time.perf_counter()
    cluster = await client.new_cluster()
    running = time.perf_counter()
    failures = await _count_failed_connects(cluster.scheduler_address, cluster.security)
    connected = time.perf_counter()
    dask = await cluster.get_client()
    scaled = time.perf_counter()
    await cluster.scale(2)
    await dask.wait_for_workers(2)
    both = time.perf_counter()
    assert await dask.submit(sum, range(10)) == 45
    computed = time.perf_counter()
    await dask.close()
    await cluster.shutdown()
    stopped = time.perf_counter()
    await pods_gone.wait()
    for watcher in watchers:
        watcher.cancel()
    await asyncio.gather(*watchers, return_exceptions=True)

    process = moments["scheduler says so"] - moments["process started"]
    return {
        "POST to scheduler pod created": moments["pod created"] - posted,
        "pod created to its process started": moments["process started"] - moments["pod created"],
        "scheduler process: started to its first heartbeat": process,
        "first heartbeat to RUNNING at the client": running - moments["scheduler says so"],
        "POST to RUNNING at the client": running - posted,
        "POST to RUNNING, less the scheduler process's own start": running - posted - process,
        "RUNNING to first connection through Traefik": connected - running,
        "failed connections before it": failures,
        "scale(2) to pods created": moments["worker created"] - scaled,
        "scale(2) to both connected": both - scaled,
        "POST to first result": computed - posted - (scaled - connected),
        "shutdown to pods gone": moments["pods gone"] - stopped,
    }


async def _watch_pods(gateway: LocalGateway, moments: Moments, pods_gone: asyncio.Event) -> None:
    alive: set[str] = set()
    async for kind, pod in gateway.kubernetes.objects.watch(PODS):
        now, name = time.perf_counter(), pod["metadata"]["name"]
        if kind == "DELETED":
            alive.discard(name)
            if not alive:
                moments["pods gone"] = now
                pods_gone.set()
            continue
        alive.add(name)
        if pod["metadata"]["labels"][COMPONENT_LABEL] != SCHEDULER_COMPONENT:
            moments.setdefault("worker created", now)
            continue
        moments.setdefault("pod created", now)
        if _is_running(pod):
            moments.setdefault("process started", now)


def _is_running(pod: dict[str, Any]) -> bool:
    return any("running" in status["state"] for status in pod.get("status", {}).get("containerStatuses", ()))


async def _watch_clusters(gateway: LocalGateway, moments: Moments) -> None:
    existing = {cluster["metadata"]["name"] for cluster in gateway.kubernetes.objects.list(DASKCLUSTERS)}
    async for _, cluster in gateway.kubernetes.objects.watch(DASKCLUSTERS):
        if cluster["metadata"]["name"] in existing:
            continue
        if SCHEDULER_STARTED_ANNOTATION in cluster["metadata"].get("annotations", {}):
            moments.setdefault("scheduler says so", time.perf_counter())


async def _count_failed_connects(address: str, security: Any) -> int:
    from distributed.comm import connect  # noqa: PLC0415 - its import is not part of any figure

    failures = 0
    while True:
        try:
            comm = await connect(address, timeout=1, **security.get_connection_args("client"))
        except OSError:
            failures += 1
        else:
            await comm.close()
            return failures


async def _bare_scheduler() -> float:
    """The floor: what the machine takes to import and start a scheduler with nothing of ours."""
    command = [sys.executable, "-m", "dask", "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
    started = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    while b"Scheduler at:" not in (line := await process.stderr.readline()):
        assert line, "the bare scheduler did not start"
    elapsed = time.perf_counter() - started
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    await process.communicate()
    return elapsed
