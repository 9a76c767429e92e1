"""Limits, which the controller alone enforces: however many ask at a time, and whenever it is killed."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from gateway_common.configuration.limits import Amounts, GroupLimits, LimitsGroup
from gateway_common.configuration.options import GroupSettings
from gateway_common.names import CLUSTER_LABEL, scheduler_pod_name, worker_pod_name
from gateway_common.resources import DASKCLUSTERS, PODS, SECRETS
from tests.kit.controller import World
from tests.kit.waiting import eventually, until

NOTHING = Amounts()


def limit(
    world: World,
    user: Amounts = NOTHING,
    total: Amounts = NOTHING,
    groups: dict[str, Amounts] | None = None,
    **values: Any,
) -> None:
    """Limits for controllers that are started from now on; `groups` are those of all members together."""
    limits = LimitsGroup(user=user, total=total, **values)
    settings = {name: GroupSettings(limits=GroupLimits(group=amounts)) for name, amounts in (groups or {}).items()}
    world.settings = world.settings.model_copy(update={"limits": limits, "groups": settings})


async def statuses(world: World) -> dict[str, dict[str, Any]]:
    clusters = await world.client.list(DASKCLUSTERS, namespace=world.namespace)
    return {item["metadata"]["name"]: item.get("status") or {} for item in clusters.items}


async def clusters_with_pods(world: World) -> set[str]:
    pods = await world.client.list(PODS, namespace=world.namespace)
    return {pod["metadata"]["labels"][CLUSTER_LABEL] for pod in pods.items}


async def are_decided(world: World, started: int, others: tuple[str, int]) -> set[str]:
    """The names of those that have begun, once so many have and so many others are (phase, for want of room)."""
    phase, count = others

    async def probe() -> set[str]:
        found = await statuses(world)
        begun = {name for name, status in found.items() if status.get("service")}
        rest = [
            status
            for status in found.values()
            if (status.get("phase"), status.get("reason")) == (phase, "QuotaExceeded")
        ]
        return begun if len(rest) == count and len(begun) == started else set()

    return await eventually(probe, seconds=30)


async def stop(world: World, name: str) -> None:
    await world.set_spec(name, active=False)

    async def is_over() -> bool:
        await world.remove_deleted_pods(name)
        return await world.phase(name) == "Stopped"

    await eventually(is_over)


async def test_of_sixty_clusters_at_once_ten_begin_and_of_the_others_nothing_is_ever_made(world: World) -> None:
    limit(world, Amounts(clusters=10))
    controller = await world.controller()
    # what is there before it begins may have a Secret that another controller made, and each costs one more call
    await until(lambda: controller.controller.is_ready)
    await asyncio.gather(*(world.new_cluster() for _ in range(60)))
    begun = await are_decided(world, 10, ("Failed", 50))
    assert await clusters_with_pods(world) == begun
    refused = next(status for status in (await statuses(world)).values() if status["phase"] == "Failed")
    assert refused["message"] == "There is no room for this cluster: 10 of 10 clusters are yours already"
    await controller.is_idle_after(
        {
            ("create", "secrets"): 10,
            ("create", "pods"): 10,
            ("create", "services"): 10,
            ("create", "ingressroutes"): 10,
            ("create", "ingressroutetcps"): 10,
            ("patch", "daskclusters"): 60,
        }
    )


async def test_of_sixty_clusters_at_once_ten_begin_and_the_others_wait_for_their_turn(world: World) -> None:
    limit(world, Amounts(clusters=10), on_exceeded="queue", max_queued=50)
    controller = await world.controller()
    await asyncio.gather(*(world.new_cluster() for _ in range(60)))
    begun = await are_decided(world, 10, ("Pending", 50))
    assert await clusters_with_pods(world) == begun
    assert len((await world.client.list(SECRETS, namespace=world.namespace)).items) == 10

    await controller.count_anew()
    listed = (await world.client.list(DASKCLUSTERS, namespace=world.namespace)).items
    waiting = sorted(
        (item["metadata"]["creationTimestamp"], item["metadata"]["name"])
        for item in listed
        if item["metadata"]["name"] not in begun
    )
    for _, expected in waiting[:3]:
        await stop(world, begun.pop())
        await world.reaches(expected, "Pending")
        begun.add(expected)
        assert await clusters_with_pods(world) == begun
    # begun, stopping, stopped: those that go on waiting are not written to
    await controller.is_idle_after({**controller.calls, ("patch", "daskclusters"): 9})


async def test_no_more_wait_than_may(world: World) -> None:
    limit(world, Amounts(clusters=1), on_exceeded="queue", max_queued=2)
    await world.controller()
    await asyncio.gather(*(world.new_cluster() for _ in range(5)))
    await are_decided(world, 1, ("Failed", 2))
    assert sum(status["phase"] == "Pending" for status in (await statuses(world)).values()) == 3
    failed = next(status for status in (await statuses(world)).values() if status["phase"] == "Failed")
    assert failed["message"].endswith("and 2 of at most 2 wait for room")


async def test_a_cluster_waits_for_one_that_is_on_its_way_out_even_where_nobody_queues(world: World) -> None:
    limit(world, Amounts(clusters=1))
    await world.controller()
    first = await world.running_cluster()
    # as a kubelet that takes its time
    pod = scheduler_pod_name(first)
    await world.client.patch(PODS, pod, {"metadata": {"finalizers": ["test/kubelet"]}}, namespace=world.namespace)
    await world.set_spec(first, active=False)
    await world.says(first, "Deleted")
    second = await world.new_cluster()
    await world.says(second, "QuotaExceeded")
    third = await world.new_cluster()
    await world.reaches(third, "Failed")
    assert await world.phase(second) == "Pending"
    await world.client.patch(PODS, pod, {"metadata": {"finalizers": None}}, namespace=world.namespace)
    await stop(world, first)
    await world.reaches(second, "Pending")
    assert await clusters_with_pods(world) == {second}


async def test_a_cluster_that_waits_can_be_stopped(world: World) -> None:
    limit(world, Amounts(clusters=1), on_exceeded="queue")
    await world.controller()
    first = await world.running_cluster()
    second = await world.new_cluster()
    await world.says(second, "QuotaExceeded")
    third = await world.new_cluster()
    await world.says(third, "QuotaExceeded")
    await world.set_spec(second, active=False)
    await world.reaches(second, "Stopped")
    await world.client.delete(DASKCLUSTERS, first, namespace=world.namespace)
    await world.remove_pod(scheduler_pod_name(first))
    await world.reaches(third, "Pending")


@pytest.mark.parametrize("mode", ["reject", "queue"])
@pytest.mark.parametrize("calls", range(1, 15, 2))
async def test_a_controller_that_is_killed_at_any_write_lets_in_neither_more_nor_fewer(
    world: World, mode: str, calls: int
) -> None:
    limit(world, Amounts(clusters=2), on_exceeded=mode)
    first = await world.controller(die_after=calls)
    for _ in range(4):
        await world.new_cluster()
    await first.dies()
    began = await clusters_with_pods(world)
    assert len(began) <= 2

    await world.controller()
    begun = await are_decided(world, 2, ("Failed" if mode == "reject" else "Pending", 2))
    assert began <= begun
    assert await clusters_with_pods(world) == begun


async def test_limits_of_a_group_and_of_all_count_for_their_users_together(world: World) -> None:
    limit(world, total=Amounts(clusters=3), groups={"students": Amounts(clusters=2)})
    await world.controller()
    for user in ("alice", "bob"):
        await world.reaches(await world.new_cluster(username=user, groups=["students"]), "Pending")
    carol = await world.reaches(await world.new_cluster(username="carol", groups=["students"]), "Failed")
    assert carol["message"] == "There is no room for this cluster: group students has 2 of 2 clusters already"
    await world.reaches(await world.new_cluster(username="dave"), "Pending")
    erin = await world.reaches(await world.new_cluster(username="erin"), "Failed")
    assert erin["message"] == "There is no room for this cluster: all users together have 3 of 3 clusters already"


async def test_cpus_are_shared_by_clusters_that_grow_and_shrink(world: World) -> None:
    limit(world, Amounts(cores=8))
    controller = await world.controller()
    first, second = await world.running_cluster(), await world.running_cluster()
    await world.set_spec(first, replicas=4)
    await world.has_workers(first, [0, 1, 2, 3])
    await world.set_spec(second, replicas=4)
    await world.has_workers(second, [0, 1])
    status = await world.says(second, "QuotaExceeded")
    assert status["phase"] == "Running"
    assert status["message"] == "2 of 4 workers: your clusters use 8 of 8 CPUs, a worker needs 1 more"
    assert status["grantedWorkers"] == 2

    await controller.count_anew()
    await world.set_spec(first, replicas=3)
    await world.has_workers(first, [0, 1, 2])
    await world.remove_deleted_pods(first)
    await world.has_workers(second, [0, 1, 2])
    await world.set_spec(first, replicas=2)
    await world.remove_deleted_pods(first)
    await world.has_workers(second, [0, 1, 2, 3])
    assert "grantedWorkers" not in await world.says(second, "SchedulerRunning")
    # "3 of 4", and then nothing to complain of
    counts = 4  # of both clusters
    await controller.is_idle_after(
        {("delete", "pods"): 2, ("create", "pods"): 2, ("patch", "daskclusters"): 2}, more_writes=counts
    )


async def test_a_restart_grants_no_worker_twice_and_takes_none_away(world: World) -> None:
    limit(world, Amounts(workers=5))
    controller = await world.controller()
    first, second = await world.running_cluster(replicas=3), await world.running_cluster(replicas=3)
    await world.has_workers(first, [0, 1, 2])
    await world.has_workers(second, [0, 1])
    await world.says(second, "QuotaExceeded")
    await controller.stop()

    again = await world.controller()
    await world.set_spec(first, replicas=4)
    await world.says(first, "QuotaExceeded")
    await again.is_idle_after({("patch", "daskclusters"): 1}, more_writes=2)
    assert await world.workers(first) == [f"dask-worker-{first}-{slot}" for slot in range(3)]
    assert len(await world.workers(second)) == 2


async def test_without_room_for_its_scheduler_a_cluster_is_refused_for_good(world: World) -> None:
    limit(world, Amounts(cores=1), on_exceeded="queue")
    await world.controller()
    status = await world.reaches(await world.new_cluster(config={"scheduler_cores": 2}), "Failed")
    assert status["message"].endswith("your clusters may use 1 CPU together, a new cluster needs at least 2")


@pytest.fixture
def _soon_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway_controller.core.observed.LEAST_ALLOWANCE", timedelta(seconds=1))


async def keep(world: World, pod: str) -> None:
    """Let a pod stay in its deletion, as one does whose node is gone."""
    await world.client.patch(
        PODS, pod, {"metadata": {"finalizers": ["example.org/dead-node"]}}, namespace=world.namespace
    )


async def let_go(world: World, pod: str) -> None:
    await world.client.patch(PODS, pod, {"metadata": {"finalizers": None}}, namespace=world.namespace)


@pytest.mark.usefixtures("_soon_stuck")
async def test_a_worker_that_never_ends_its_deletion_keeps_no_room(world: World) -> None:
    limit(world, Amounts(workers=1))
    await world.controller()
    name = await world.running_cluster(replicas=1)
    await world.has_workers(name, [0])
    lost = worker_pod_name(name, 0)
    await world.run_pod(lost)
    await keep(world, lost)
    await world.client.delete(PODS, lost, namespace=world.namespace, grace_period_seconds=1)
    await world.has_workers(name, [1])
    assert await world.find(PODS, lost)
    await let_go(world, lost)


@pytest.mark.usefixtures("_soon_stuck")
@pytest.mark.parametrize("deleted", [False, True])
async def test_a_cluster_that_never_ends_its_deletion_keeps_no_room(world: World, deleted: bool) -> None:
    limit(world, Amounts(clusters=1), on_exceeded="queue")
    await world.controller()
    name = await world.running_cluster()
    lost = scheduler_pod_name(name)
    await keep(world, lost)
    if deleted:
        await world.delete(name)
        # no garbage collector is at work
        await world.client.delete(PODS, lost, namespace=world.namespace, grace_period_seconds=1)
    else:
        await world.set_spec(name, active=False)
    other = await world.new_cluster()
    await world.reaches(other, "Pending")
    assert await world.find(PODS, lost)
    await let_go(world, lost)
