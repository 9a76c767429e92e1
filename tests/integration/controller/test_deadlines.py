"""What takes too long ends by itself, though nothing happens that would wake anybody."""

from datetime import UTC, datetime
from typing import Any

from gateway_common.configuration.limits import Amounts, LimitsGroup
from gateway_common.names import CLUSTER_LABEL, secret_name, worker_pod_name
from gateway_common.resources import DASKCLUSTERS, PODS, SECRETS
from tests.kit.controller import World
from tests.kit.waiting import eventually, until


async def comes_to_its_end(world: World, name: str, phase: str) -> dict[str, Any]:
    """The status in that phase; pods end as soon as somebody deletes them."""

    async def probe() -> dict[str, Any] | None:
        await world.remove_deleted_pods(name)
        status = await world.status(name)
        return status if status.get("phase") == phase else None

    return await eventually(probe)


async def pods_of(world: World, name: str) -> list[dict[str, Any]]:
    return (await world.client.list(PODS, namespace=world.namespace, label_selector=f"{CLUSTER_LABEL}={name}")).items


async def age(world: World, name: str) -> float:
    manifest = await world.client.get(DASKCLUSTERS, name, namespace=world.namespace)
    created = datetime.fromisoformat(manifest["metadata"]["creationTimestamp"])
    return (datetime.now(UTC) - created).total_seconds()


async def test_a_cluster_whose_lifetime_is_over_stops_by_itself_with_its_workers(world: World) -> None:
    controller = await world.controller()
    name = await world.running_cluster(replicas=1)
    await world.has_workers(name, [0])
    end = await age(world, name) + 1.5
    await world.set_spec(name, config={"max_lifetime": end})
    await world.says(name, "MaxLifetime")
    assert await age(world, name) >= end
    status = await comes_to_its_end(world, name, "Stopped")
    assert status["reason"] == "MaxLifetime"
    assert status["completionTime"]
    assert await pods_of(world, name) == []
    assert await world.find(SECRETS, secret_name(name)) is None
    await until(lambda: len(controller.controller.queue) == 0)


async def test_a_cluster_that_does_not_come_to_run_within_its_lifetime_has_stopped_too(world: World) -> None:
    await world.controller()
    name = await world.new_cluster(config={"max_lifetime": 1})
    assert (await comes_to_its_end(world, name, "Stopped"))["reason"] == "MaxLifetime"


async def test_a_limit_ends_clusters_that_would_last_longer(world: World) -> None:
    limits = LimitsGroup(user=Amounts(lifetime=1))
    world.settings = world.settings.model_copy(update={"limits": limits})
    await world.controller()
    name = await world.new_cluster(config={"max_lifetime": 3600})
    assert (await comes_to_its_end(world, name, "Stopped"))["reason"] == "MaxLifetime"


async def test_a_lifetime_that_ended_while_no_controller_was_there_ends_the_cluster_at_once(world: World) -> None:
    first = await world.controller()
    name = await world.running_cluster()
    await first.stop()
    await world.set_spec(name, config={"max_lifetime": 0.001})
    assert await world.phase(name) == "Running"
    await world.controller()
    assert (await comes_to_its_end(world, name, "Stopped"))["reason"] == "MaxLifetime"


async def test_a_scheduler_that_never_runs_fails_its_cluster(world: World) -> None:
    await world.controller()
    name = await world.new_cluster(config={"scheduler_start_timeout": 1})
    status = await comes_to_its_end(world, name, "Failed")
    assert status["reason"] == "StartTimeout"
    assert status["message"].startswith("The scheduler did not start in time: its pod has no node yet")
    assert await pods_of(world, name) == []


async def test_a_scheduler_that_has_served_is_never_too_late(world: World) -> None:
    await world.controller()
    served = await world.running_cluster()
    late = await world.new_cluster(config={"scheduler_start_timeout": 1})
    await comes_to_its_end(world, late, "Failed")
    await world.set_spec(served, config={"scheduler_start_timeout": 1}, replicas=1)
    await world.has_workers(served, [0])
    assert await world.phase(served) == "Running"


async def test_a_worker_that_never_runs_is_replaced_in_a_new_slot_and_one_that_runs_is_not(world: World) -> None:
    await world.controller()
    name = await world.running_cluster(replicas=2)
    await world.has_workers(name, [0, 1])
    await world.run_pod(worker_pod_name(name, 1))
    await world.set_spec(name, config={"worker_start_timeout": 2})

    async def is_replaced() -> bool:
        await world.remove_deleted_pods(name)
        workers = await world.workers(name)
        return len(workers) == 2 and worker_pod_name(name, 0) not in workers

    await eventually(is_replaced)
    assert worker_pod_name(name, 1) in await world.workers(name)
    assert await world.phase(name) == "Running"


async def test_while_a_slow_worker_ends_its_cluster_never_has_more_than_it_was_granted(world: World) -> None:
    limits = LimitsGroup(user=Amounts(workers=1))
    world.settings = world.settings.model_copy(update={"limits": limits})
    await world.controller()
    name = await world.running_cluster(replicas=1)
    await world.has_workers(name, [0])
    # as a kubelet that takes its time
    held = worker_pod_name(name, 0)
    await world.client.patch(PODS, held, {"metadata": {"finalizers": ["test/kubelet"]}}, namespace=world.namespace)
    await world.set_spec(name, config={"worker_start_timeout": 1})
    await world.has_workers(name, [])
    # whoever counted only living ones would have made the other by the time that a later cluster is made
    await world.running_cluster()
    assert await world.workers(name) == []
    await world.client.patch(PODS, held, {"metadata": {"finalizers": None}}, namespace=world.namespace)
    await world.remove_deleted_pods(name)

    async def has_another() -> bool:
        return bool(await world.workers(name))

    await eventually(has_another)
    assert len(await pods_of(world, name)) == 2
