"""The controller as the process that it is."""

import signal
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from gateway_common.names import scheduler_pod_name
from gateway_common.resources import PODS
from gateway_local.ports import free_port
from tests.kit.controller import CHILDREN, World
from tests.kit.controller_process import ControllerProcesses, controller_processes
from tests.kit.kube import KubeServer, elsewhere
from tests.kit.waiting import eventually


@pytest.fixture
async def processes(world: World, kube_server: KubeServer, tmp_path: Path) -> AsyncIterator[ControllerProcesses]:
    async with controller_processes(
        tmp_path, kubeconfig=kube_server.kubeconfig, namespace=world.namespace
    ) as processes:
        yield processes


async def test_it_says_when_it_is_ready_and_ends_when_it_is_told_to(processes: ControllerProcesses) -> None:
    replica = await processes.start()
    await eventually(replica.is_ready)
    health = await replica.get("/health")
    assert health is not None
    assert (health.status_code, health.json()) == (200, {"status": "pass"})
    replica.process.send_signal(signal.SIGTERM)
    assert await replica.ends() == 0


async def test_it_ends_when_it_is_told_to_before_it_could_reach_kubernetes(
    kube_server: KubeServer, processes: ControllerProcesses, tmp_path: Path
) -> None:
    nowhere = elsewhere(kube_server.kubeconfig, free_port(), tmp_path / "nowhere.kubeconfig")
    replica = await processes.start(KUBE__KUBECONFIG=str(nowhere))

    async def is_alive() -> bool:
        health = await replica.get("/health")
        return health is not None and health.status_code == 200

    await eventually(is_alive)
    assert not await replica.is_ready()
    replica.process.send_signal(signal.SIGTERM)
    assert await replica.ends() == 0


async def test_killed_in_the_middle_of_a_start_it_finishes_it_when_it_is_started_again(
    world: World, processes: ControllerProcesses
) -> None:
    first = await processes.start("pod")
    name = await world.new_cluster()

    async def has_begun() -> bool:
        return bool(await world.children(name))

    await eventually(has_begun)
    first.process.kill()
    await first.ends()
    before = await world.children(name)

    await processes.start("pod")
    await eventually(lambda: world.find(PODS, scheduler_pod_name(name)))
    await world.run_pod(scheduler_pod_name(name))
    await world.reaches(name, "Running")
    after = await world.children(name)
    assert len(after) == len(CHILDREN)
    assert {kind: after[kind] for kind in before} == before


async def test_its_metrics_say_what_is_there_and_what_was_asked(world: World, processes: ControllerProcesses) -> None:
    (replica,) = await processes.start_ready("pod")
    await world.running_cluster(replicas=2)
    failed = await world.new_cluster(config={"worker_cores": 4, "worker_cores_limit": 2})
    await world.reaches(failed, "Failed")

    async def is_shown() -> bool:
        await replica.read_metrics()
        return replica.series.get(("dask_gateway_controller_workers", (("state", "pending"),))) == 2

    await eventually(is_shown)
    series = replica.series
    assert series["dask_gateway_controller_clusters", (("phase", "Running"),)] == 1
    assert series["dask_gateway_controller_clusters", (("phase", "Failed"),)] == 1
    assert series["dask_gateway_controller_synced", ()] == 1
    created = (("code", "201"), ("resource", "services"), ("verb", "create"))
    assert series["dask_gateway_controller_kube_calls_total", created] == 1
    assert series["dask_gateway_controller_reconciles_total", (("outcome", "success"),)] > 2
    assert series["dask_gateway_controller_reconciles_total", (("outcome", "defect"),)] == 0
    assert series["dask_gateway_controller_reconcile_seconds_count", ()] > 2
    assert series["process_resident_memory_bytes", ()] > 2**20
    assert ("dask_gateway_controller_queue", (("state", "due"),)) in series
    # nothing that grows with the number of clusters
    assert not [labels for _, labels in series if failed in str(labels)]


async def test_killed_again_and_again_it_makes_nothing_twice(world: World, processes: ControllerProcesses) -> None:
    begun: dict[str, dict[str, str]] = {}
    for _ in range(3):
        replica = await processes.start("pod")
        name = await world.new_cluster()

        async def has_begun(name: str = name) -> bool:
            return bool(await world.children(name))

        await eventually(has_begun)
        replica.process.kill()
        await replica.ends()
        begun[name] = await world.children(name)

    await processes.start("pod")
    for name, before in begun.items():
        await eventually(partial(world.find, PODS, scheduler_pod_name(name)))
        await world.run_pod(scheduler_pod_name(name))
        await world.reaches(name, "Running")
        after = await world.children(name)
        assert len(after) == len(CHILDREN)
        assert before.items() <= after.items()
