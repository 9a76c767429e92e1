"""A cluster's life on a real API server, with a test that plays the api and the kubelet."""

from datetime import UTC, datetime, timedelta

from gateway_common.names import SCHEDULER_STARTED_ANNOTATION, scheduler_pod_name, secret_name
from gateway_common.resources import DASKCLUSTERS, PODS, SECRETS
from tests.kit.controller import World
from tests.kit.waiting import eventually

ALL_CHILDREN = {"Secret", "Pod", "Service", "IngressRoute", "IngressRouteTCP"}
START_CALLS = {
    ("create", "secrets"): 1,
    ("create", "pods"): 1,
    ("create", "services"): 1,
    ("create", "ingressroutes"): 1,
    ("create", "ingressroutetcps"): 1,
    ("patch", "daskclusters"): 2,
}


async def test_a_cluster_starts_in_five_creates_and_two_status_writes(world: World) -> None:
    controller = await world.controller()
    name = await world.running_cluster()
    assert set(await world.children(name)) == ALL_CHILDREN
    status = await world.status(name)
    assert status["schedulerAddress"] == "10.0.0.1"
    await controller.is_idle_after(START_CALLS)


async def test_children_belong_to_what_they_are_deleted_with(world: World) -> None:
    await world.controller()
    name = await world.running_cluster(replicas=1)
    await world.has_workers(name, [0])
    cluster = await world.client.get(DASKCLUSTERS, name, namespace=world.namespace)
    scheduler = await world.client.get(PODS, scheduler_pod_name(name), namespace=world.namespace)
    secret = await world.client.get(SECRETS, secret_name(name), namespace=world.namespace)
    worker = await world.client.get(PODS, f"dask-worker-{name}-0", namespace=world.namespace)
    owners = {
        manifest["metadata"]["name"]: [owner["uid"] for owner in manifest["metadata"]["ownerReferences"]]
        for manifest in (scheduler, secret, worker)
    }
    assert owners == {
        scheduler_pod_name(name): [cluster["metadata"]["uid"]],
        secret_name(name): [cluster["metadata"]["uid"]],
        f"dask-worker-{name}-0": [scheduler["metadata"]["uid"]],
    }


async def test_a_scheduler_that_says_that_it_serves_is_not_waited_for_any_longer(world: World) -> None:
    await world.controller()
    name = await world.new_cluster()
    await world.reaches(name, "Pending")
    await world.run_pod(scheduler_pod_name(name), ready=False)
    started = {"metadata": {"annotations": {SCHEDULER_STARTED_ANNOTATION: "2026-11-23T12:00:00Z"}}}
    await world.client.patch(DASKCLUSTERS, name, started, namespace=world.namespace)
    await world.reaches(name, "Running")


async def test_what_a_kubelet_says_again_costs_nothing(world: World) -> None:
    controller = await world.controller()
    name = await world.running_cluster()
    for second in range(10):
        conditions = [
            {"type": "Ready", "status": "True", "lastProbeTime": f"2026-11-23T12:00:0{second}Z"},
        ]
        await world.set_pod_status(scheduler_pod_name(name), {"conditions": conditions})
    await world.set_spec(name, replicas=1)
    await world.has_workers(name, [0])
    await controller.is_idle_after({**START_CALLS, ("create", "pods"): 2, ("patch", "daskclusters"): 3})


async def test_a_stopped_cluster_is_stopping_until_its_pods_are_gone(world: World) -> None:
    controller = await world.controller()
    name = await world.running_cluster(replicas=2)
    await world.has_workers(name, [0, 1])
    await controller.count_anew()
    await world.set_spec(name, active=False, stopReason="IdleTimeout")

    async def is_over() -> bool:
        await world.remove_deleted_pods(name)
        return await world.phase(name) == "Stopped"

    await eventually(is_over)
    status = await world.status(name)
    assert status["reason"] == "IdleTimeout"
    assert datetime.fromisoformat(status["completionTime"]) > datetime.now(UTC) - timedelta(minutes=1)
    assert await world.find(SECRETS, secret_name(name)) is None
    assert await world.workers(name) == []
    await controller.is_idle_after(
        {
            ("deletecollection", "pods"): 2,  # workers first
            ("delete", "secrets"): 1,
            ("patch", "daskclusters"): 2,
        }
    )


async def test_a_cluster_that_is_stopped_before_anything_was_made_leaves_nothing(world: World) -> None:
    name = await world.new_cluster(active=False)
    controller = await world.controller()
    await world.reaches(name, "Stopped")
    assert await world.children(name) == {}
    await controller.is_idle_after({("delete", "secrets"): 1, ("patch", "daskclusters"): 1})


async def test_a_stop_right_after_the_start_is_not_lost(world: World) -> None:
    await world.controller()
    name = await world.new_cluster()
    await world.set_spec(name, active=False)

    async def is_over() -> bool:
        await world.remove_deleted_pods(name)
        return await world.phase(name) == "Stopped"

    await eventually(is_over)
    assert await world.find(SECRETS, secret_name(name)) is None
    assert await world.find(PODS, scheduler_pod_name(name)) is None


async def test_a_hand_made_cluster_is_honoured_with_defaults_for_what_it_leaves_out(world: World) -> None:
    await world.controller()
    name = await world.new_cluster("by-hand", config={"image": "my-image", "later_version": True})
    await world.reaches(name, "Pending")
    pod = await world.client.get(PODS, scheduler_pod_name(name), namespace=world.namespace)
    container = pod["spec"]["containers"][0]
    assert (container["image"], container["args"][:2]) == ("my-image", ["dask", "scheduler"])
    assert container["resources"]["requests"]["memory"] == str(2 * 2**30)


async def test_clusters_of_another_instance_are_left_alone(world: World) -> None:
    controller = await world.controller()
    theirs = await world.new_cluster(instance="another")
    mine = await world.running_cluster()
    await controller.count_anew()
    await world.set_spec(theirs, active=False)
    await world.set_spec(mine, replicas=1)
    await world.has_workers(mine, [0])
    await controller.is_idle_after({("create", "pods"): 1, ("patch", "daskclusters"): 1})


async def test_records_of_clusters_that_were_over_long_ago_are_deleted(world: World) -> None:
    names = [await world.new_cluster(active=False) for _ in range(3)]
    live = await world.new_cluster()
    keeping = await world.controller()
    for name in names:
        await world.reaches(name, "Stopped")
    await world.reaches(live, "Pending")
    await keeping.stop()

    await world.controller(completed_cluster_max_age=0)

    async def only_the_live_one_is_left() -> bool:
        clusters = await world.client.list(DASKCLUSTERS, namespace=world.namespace)
        return [item["metadata"]["name"] for item in clusters.items] == [live]

    await eventually(only_the_live_one_is_left)
