"""Workers up and down, and what takes the place of those that go."""

from gateway_common.names import scheduler_pod_name
from gateway_common.resources import PODS
from tests.kit.controller import World
from tests.kit.waiting import eventually


async def test_a_worker_costs_one_call(world: World) -> None:
    controller = await world.controller()
    name = await world.running_cluster()
    await controller.count_anew()
    await world.set_spec(name, replicas=10)
    await world.has_workers(name, list(range(10)))
    for slot in range(10):
        await world.run_pod(f"dask-worker-{name}-{slot}")
    await world.set_spec(name, replicas=11)
    await world.has_workers(name, list(range(11)))
    await controller.is_idle_after({("create", "pods"): 11}, more_writes=5)


async def test_scaling_down_takes_exactly_the_pending_pods_that_are_too_many(world: World) -> None:
    controller = await world.controller()
    name = await world.running_cluster(replicas=10)
    await world.has_workers(name, list(range(10)))
    await world.run_pod(f"dask-worker-{name}-9")
    await controller.count_anew()
    await world.set_spec(name, replicas=7)
    await world.has_workers(name, [0, 1, 2, 3, 4, 5, 9])
    await world.set_spec(name, replicas=0)
    await world.has_workers(name, [9])
    await controller.is_idle_after({("delete", "pods"): 9}, more_writes=3)


async def test_workers_that_end_or_are_taken_away_are_replaced(world: World) -> None:
    await world.controller()
    name = await world.running_cluster(replicas=3)
    await world.has_workers(name, [0, 1, 2])
    for slot in range(3):
        await world.run_pod(f"dask-worker-{name}-{slot}")
    await world.set_pod_status(f"dask-worker-{name}-0", {"phase": "Failed", "reason": "Evicted"})
    await world.remove_pod(f"dask-worker-{name}-1")
    await world.has_workers(name, [2, 3, 4])


async def test_a_worker_that_the_scheduler_has_retired_is_not_replaced(world: World) -> None:
    controller = await world.controller()
    name = await world.running_cluster(replicas=2)
    await world.has_workers(name, [0, 1])
    for slot in range(2):
        await world.run_pod(f"dask-worker-{name}-{slot}")
    await world.set_spec(name, replicas=1)
    await controller.count_anew()
    await world.set_pod_status(f"dask-worker-{name}-0", {"phase": "Succeeded"})
    await world.has_workers(name, [1])
    await controller.is_idle_after({("delete", "pods"): 1}, more_writes=2)


async def test_a_controller_that_is_killed_while_it_makes_workers_makes_none_twice(world: World) -> None:
    first = await world.controller()
    name = await world.running_cluster()
    await first.stop()
    second = await world.controller(die_after=4)
    await world.set_spec(name, replicas=10)
    await second.dies()
    made = await world.workers(name)
    third = await world.controller()
    await world.has_workers(name, list(range(10)))
    await third.is_idle_after({("create", "pods"): 10 - len(made)}, more_writes=2)


async def test_a_name_is_not_used_again_by_whoever_takes_over_either(world: World) -> None:
    first = await world.controller()
    name = await world.running_cluster(replicas=2)
    await world.has_workers(name, [0, 1])
    await world.set_spec(name, replicas=0)
    await world.has_workers(name, [])
    await first.stop()
    await world.remove_deleted_pods(name)
    await world.controller()
    await world.set_spec(name, replicas=2)
    await world.has_workers(name, [2, 3])


async def test_a_name_is_not_used_again(world: World) -> None:
    await world.controller()
    name = await world.running_cluster(replicas=2)
    await world.has_workers(name, [0, 1])
    await world.remove_pod(f"dask-worker-{name}-1")
    await world.has_workers(name, [0, 2])
    await world.set_spec(name, replicas=0)
    await world.has_workers(name, [])
    await world.set_spec(name, replicas=1)
    await world.has_workers(name, [3])


async def test_workers_wait_for_their_scheduler(world: World) -> None:
    await world.controller()
    name = await world.new_cluster(replicas=2)
    await world.reaches(name, "Pending")
    assert await world.workers(name) == []
    await world.run_pod(scheduler_pod_name(name))
    await world.has_workers(name, [0, 1])


CRASHED = {
    "phase": "Running",
    "containerStatuses": [
        {
            "name": "dask-worker",
            "image": "image",
            "imageID": "",
            "ready": False,
            "restartCount": 1,
            "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {
                "terminated": {
                    "exitCode": 1,
                    "reason": "Error",
                    "startedAt": "2026-11-23T12:00:00Z",
                    "finishedAt": "2026-11-23T12:00:02Z",
                }
            },
        }
    ],
}


async def test_workers_that_crash_are_replaced_a_few_times_whoever_controls_and_then_no_more(world: World) -> None:
    first = await world.controller()
    name = await world.running_cluster(replicas=2, config={"worker_start_failure_limit": 2})
    await world.has_workers(name, [0, 1])
    await world.run_pod(f"dask-worker-{name}-0")
    await world.set_pod_status(f"dask-worker-{name}-1", CRASHED)

    async def counts() -> bool:
        return bool((await world.status(name)).get("startFailures"))

    await eventually(counts)
    status = await world.says(name, "CrashLoopBackOff")
    assert [(entry["count"], entry["replicas"]) for entry in status["startFailures"]] == [(1, 2)]
    await first.stop()

    await world.controller()
    await world.has_workers(name, [0, 2])
    await world.set_pod_status(f"dask-worker-{name}-2", CRASHED)
    await world.has_workers(name, [0])

    async def gives_up() -> bool:
        message = (await world.status(name))["message"]
        return "2 in a row, the last one: it " in message and "No more are made" in message

    await eventually(gives_up)

    await world.set_spec(name, replicas=3)
    await world.has_workers(name, [0, 3, 4])
    assert "startFailures" not in await world.says(name, "SchedulerRunning")


async def test_a_worker_that_ran_and_was_evicted_is_no_failure(world: World) -> None:
    await world.controller()
    name = await world.running_cluster(replicas=1, config={"worker_start_failure_limit": 1})
    for slot in range(3):
        await world.has_workers(name, [slot])
        await world.run_pod(f"dask-worker-{name}-{slot}")
        await world.set_pod_status(f"dask-worker-{name}-{slot}", {"phase": "Failed", "reason": "Evicted"})
    await world.has_workers(name, [3])


async def test_groups_of_workers_come_and_go_each_on_its_own(world: World) -> None:
    first = await world.controller()
    config = {"worker_groups": {"gpu": {"worker_memory": 4 * 2**30}}}
    name = await world.running_cluster(replicas=1, config=config, workerGroups={"gpu": {"replicas": 2}})
    gpu = f"dask-worker-{name}-gpu"
    await has_pods(world, name, [f"dask-worker-{name}-0", f"{gpu}-1", f"{gpu}-2"])
    pod = await world.client.get(PODS, f"{gpu}-1", namespace=world.namespace)
    assert pod["metadata"]["labels"]["gateway.dask.org/worker-group"] == "gpu"
    assert pod["spec"]["containers"][0]["resources"]["requests"]["memory"] == str(4 * 2**30)
    await first.stop()

    second = await world.controller()
    await second.count_anew()
    await world.set_spec(name, replicas=0, workerGroups={"gpu": {"replicas": 1}})
    await has_pods(world, name, [f"{gpu}-1"])
    await world.set_spec(name, replicas=1, workerGroups={"gpu": {"replicas": 2}})
    await has_pods(world, name, [f"{gpu}-1", f"dask-worker-{name}-3", f"{gpu}-4"])
    await second.is_idle_after({("delete", "pods"): 2, ("create", "pods"): 2}, more_writes=4)


async def has_pods(world: World, name: str, pods: list[str]) -> None:
    async def probe() -> bool:
        return await world.workers(name) == sorted(pods)

    await eventually(probe)
