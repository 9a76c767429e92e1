"""The controller as the process that it is."""

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path

import httpx
import pytest

from gateway_common.names import scheduler_pod_name
from gateway_common.resources import PODS
from tests.kit.controller import CHILDREN, World, eventually
from tests.kit.kube import KubeServer

Start = Callable[[], Awaitable[Process]]


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        number: int = listener.getsockname()[1]
    return number


@pytest.fixture
async def start(world: World, kube_server: KubeServer, port: int, tmp_path: Path) -> AsyncIterator[Start]:
    environment = {
        **os.environ,
        "DASK_GATEWAY__INSTANCE": "test",
        "DASK_GATEWAY__KUBE__KUBECONFIG": str(kube_server.kubeconfig),
        "DASK_GATEWAY__KUBE__NAMESPACES": f'["{world.namespace}"]',
        "DASK_GATEWAY__CLUSTERS_API_URL": "http://127.0.0.1:8000/api",
        "DASK_GATEWAY__CONTROLLER__HOST": "127.0.0.1",
        "DASK_GATEWAY__CONTROLLER__PORT": str(port),
    }
    started: list[Process] = []

    async def run() -> Process:
        with (tmp_path / "controller.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "gateway_controller.main", env=environment, stdout=log, stderr=log
            )
        started.append(process)
        return process

    yield run
    for process in started:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_it_says_when_it_is_ready_and_ends_when_it_is_told_to(start: Start, port: int) -> None:
    process = await start()

    async def is_ready() -> bool:
        try:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
                health, ready = await client.get("/health"), await client.get("/ready")
        except httpx.TransportError:
            return False
        return (health.status_code, health.json(), ready.status_code) == (200, {"status": "pass"}, 200)

    await eventually(is_ready, seconds=60)
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(60):
        await process.wait()


async def test_killed_in_the_middle_of_a_start_its_successor_finishes_it(world: World, start: Start) -> None:
    first = await start()
    name = await world.new_cluster()

    async def has_begun() -> bool:
        return bool(await world.children(name))

    await eventually(has_begun, seconds=60)
    first.kill()
    await first.wait()
    before = await world.children(name)

    await start()
    await eventually(lambda: world.find(PODS, scheduler_pod_name(name)), seconds=60)
    await world.run_pod(scheduler_pod_name(name))
    await world.reaches(name, "Running")
    after = await world.children(name)
    assert len(after) == len(CHILDREN)
    assert {kind: after[kind] for kind in before} == before


async def test_killed_again_and_again_it_makes_nothing_twice(world: World, start: Start) -> None:
    begun: dict[str, dict[str, str]] = {}
    for _ in range(3):
        process = await start()
        name = await world.new_cluster()

        async def has_begun(name: str = name) -> bool:
            return bool(await world.children(name))

        await eventually(has_begun, seconds=60)
        process.kill()
        await process.wait()
        begun[name] = await world.children(name)

    await start()
    for name, before in begun.items():
        await eventually(partial(world.find, PODS, scheduler_pod_name(name)), seconds=60)
        await world.run_pod(scheduler_pod_name(name))
        await world.reaches(name, "Running")
        after = await world.children(name)
        assert len(after) == len(CHILDREN)
        assert before.items() <= after.items()
