"""An API server that has a bad day: the embedded one, told to."""

import pytest

from gateway_common.names import scheduler_pod_name
from gateway_common.resources import DASKCLUSTERS
from gateway_local.apiserver.faults import Fault, Faults
from tests.kit.controller import World
from tests.kit.kube import KubeServer
from tests.kit.waiting import eventually

#: A limit below its request.
IMPOSSIBLE = {"worker_cores": 4, "worker_cores_limit": 2}


@pytest.fixture
def kube_server(embedded_kube_server: KubeServer) -> KubeServer:
    return embedded_kube_server


@pytest.fixture
def faults(kube_server: KubeServer) -> Faults:
    assert kube_server.embedded
    return kube_server.embedded.faults


@pytest.mark.parametrize("resource", ["secrets", "pods", "services", "ingressroutes", "ingressroutetcps"])
@pytest.mark.parametrize("code", [409, 429, 500])
async def test_a_create_that_fails_is_tried_again(world: World, faults: Faults, resource: str, code: int) -> None:
    faults.add(Fault(verb="create", resource=resource, code=code, retry_after=0 if code == 429 else None, times=2))
    await world.controller()
    name = await world.running_cluster()
    assert len(await world.children(name)) == 5


async def test_what_is_forbidden_is_said_in_the_status_until_it_is_allowed(world: World, faults: Faults) -> None:
    faults.add(Fault(verb="create", resource="pods", code=403))
    await world.controller()
    name = await world.new_cluster()
    status = await world.says(name, "Forbidden")
    assert (status["phase"], status["message"]) == ("Pending", "injected fault")
    faults.clear()
    await world.says(name, "SchedulerStarting")


async def test_workers_beyond_a_quota_cost_one_refused_call_a_try(world: World, faults: Faults) -> None:
    controller = await world.controller()
    name = await world.running_cluster()
    faults.add(Fault(verb="create", resource="pods", code=403))
    await controller.count_anew()
    await world.set_spec(name, replicas=100)
    await world.says(name, "Forbidden")
    assert controller.calls["create", "pods"] < 10
    faults.clear()
    await world.has_workers(name, list(range(100)))
    await world.says(name, "SchedulerRunning")


async def test_a_cluster_runs_even_if_none_of_its_workers_may(world: World, faults: Faults) -> None:
    await world.controller()
    name = await world.new_cluster(replicas=3)
    await world.reaches(name, "Pending")
    faults.add(Fault(verb="create", resource="pods", code=403))
    await world.run_pod(scheduler_pod_name(name))
    await world.reaches(name, "Running")
    assert (await world.says(name, "Forbidden"))["phase"] == "Running"


async def test_a_watch_that_repeats_events_does_not_mislead(world: World, faults: Faults) -> None:
    faults.add(Fault(verb="watch", resource="pods", events="duplicate", probability=0.5))
    await world.controller()
    name = await world.running_cluster(replicas=5)
    await world.has_workers(name, [0, 1, 2, 3, 4])
    await world.remove_pod(f"dask-worker-{name}-2")
    await world.has_workers(name, [0, 1, 3, 4, 5])


async def test_a_record_that_can_not_be_deleted_keeps_no_other(world: World, faults: Faults) -> None:
    names = [await world.new_cluster(f"c{number:02}", config=IMPOSSIBLE) for number in range(20)]
    first = await world.controller()
    for name in names:
        await world.reaches(name, "Failed")
    await first.stop()
    protected = faults.add(Fault(verb="delete", resource="daskclusters", path=names[0], code=403))
    await world.controller(completed_cluster_max_age=0, completed_cluster_cleanup_period=3600)

    async def only_it_is_left() -> bool:
        left = await world.client.list(DASKCLUSTERS, namespace=world.namespace)
        return [item["metadata"]["name"] for item in left.items] == [names[0]]

    await eventually(only_it_is_left)
    assert protected.met == 1
