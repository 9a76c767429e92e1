"""kill -9 between any two calls: nothing is made twice, nothing is left over."""

import pytest

from gateway_common.names import scheduler_pod_name, secret_name
from gateway_common.resources import PODS, SECRETS
from tests.integration.controller.test_life import ALL_CHILDREN
from tests.kit.controller import World
from tests.kit.waiting import eventually


@pytest.mark.parametrize("calls", range(1, 7))
async def test_a_controller_that_is_killed_in_the_middle_of_a_start_is_taken_over_from(
    world: World, calls: int
) -> None:
    first = await world.controller(die_after=calls)
    name = await world.new_cluster()
    await first.dies()
    before = await world.children(name)

    await world.controller()
    await world.reaches(name, "Pending")
    await world.run_pod(scheduler_pod_name(name))
    await world.reaches(name, "Running")
    after = await world.children(name)
    assert set(after) == ALL_CHILDREN
    assert {kind: after[kind] for kind in before} == before
    pods = await world.client.list(PODS, namespace=world.namespace)
    assert len(pods.items) == 1


@pytest.mark.parametrize("calls", range(1, 4))
async def test_a_controller_that_is_killed_in_the_middle_of_a_stop_is_taken_over_from(world: World, calls: int) -> None:
    first = await world.controller()
    name = await world.running_cluster(replicas=1)
    await world.has_workers(name, [0])
    await first.stop()
    await world.set_spec(name, active=False)
    second = await world.controller(die_after=calls)
    await second.dies()

    await world.controller()

    async def is_over() -> bool:
        await world.remove_deleted_pods(name)
        return await world.phase(name) == "Stopped"

    await eventually(is_over)
    assert await world.find(SECRETS, secret_name(name)) is None
    assert (await world.client.list(PODS, namespace=world.namespace)).items == []


@pytest.mark.parametrize("calls", range(1, 7))
async def test_a_cluster_that_is_stopped_while_no_controller_runs_leaves_nothing(world: World, calls: int) -> None:
    first = await world.controller(die_after=calls)
    name = await world.new_cluster()
    await first.dies()
    await world.set_spec(name, active=False)

    await world.controller()

    async def is_over() -> bool:
        await world.remove_deleted_pods(name)
        return await world.phase(name) == "Stopped"

    await eventually(is_over)
    assert await world.find(SECRETS, secret_name(name)) is None
    assert await world.find(PODS, scheduler_pod_name(name)) is None


async def test_a_restart_of_the_controller_costs_a_running_cluster_nothing(world: World) -> None:
    first = await world.controller()
    name = await world.running_cluster(replicas=2)
    await world.has_workers(name, [0, 1])
    await first.stop()
    second = await world.controller()
    await world.set_spec(name, replicas=3)
    await world.has_workers(name, [0, 1, 2])
    await second.is_idle_after({("create", "pods"): 1, ("patch", "daskclusters"): 1}, more_writes=1)
