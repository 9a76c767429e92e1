"""What goes wrong ends in a phase with a reason, or is tried again in good measure."""

from typing import Any

import pytest

from gateway_common.errors import Conflict, Invalid
from gateway_common.model import Phase
from gateway_common.names import scheduler_pod_name, secret_name, service_name
from gateway_common.resources import DASKCLUSTERS, PODS, SECRETS, SERVICES
from gateway_controller.core.observed import read_cluster
from gateway_controller.core.status import status_patch, with_phase
from tests.kit.controller import World
from tests.kit.waiting import eventually, until


async def ends(world: World, name: str) -> dict[str, Any]:
    """The status of a cluster that is over, once the kubelet has ended its pods."""

    async def probe() -> dict[str, Any] | None:
        await world.remove_deleted_pods(name)
        status = await world.status(name)
        return status if "completionTime" in status else None

    return await eventually(probe)


async def test_a_scheduler_pod_that_somebody_deletes_fails_its_cluster(world: World) -> None:
    controller = await world.controller()
    name = await world.running_cluster(replicas=1)
    await world.has_workers(name, [0])
    await world.remove_pod(scheduler_pod_name(name))
    status = await ends(world, name)
    assert (status["phase"], status["reason"]) == ("Failed", "SchedulerLost")
    assert status["message"] == "The scheduler's pod was deleted"
    assert await world.find(SECRETS, secret_name(name)) is None
    assert (await world.client.list(PODS, namespace=world.namespace)).items == []
    # it was looked for before it was called lost
    assert controller.calls["get", "pods"] == 1


async def test_a_configuration_that_can_not_be_fails_the_cluster_and_names_the_field(world: World) -> None:
    controller = await world.controller()
    name = await world.new_cluster(config={"worker_cores": 4, "worker_cores_limit": 2})
    status = await ends(world, name)
    assert (status["phase"], status["reason"]) == ("Failed", "InvalidConfig")
    assert "worker_cores_limit" in status["message"]
    await controller.is_idle_after({("delete", "secrets"): 1, ("patch", "daskclusters"): 1})


async def test_a_pod_that_kubernetes_will_never_take_fails_the_cluster_and_says_why(world: World) -> None:
    controller = await world.controller()
    name = await world.new_cluster(config={"scheduler_extra_pod_labels": {"team": "not a label!"}})
    status = await ends(world, name)
    assert (status["phase"], status["reason"]) == ("Failed", "PodRejected")
    assert "not a label!" in status["message"]
    assert await world.find(SECRETS, secret_name(name)) is None
    assert controller.calls["create", "pods"] == 1


async def test_an_object_of_somebody_else_is_refused_and_named_until_it_is_gone(world: World) -> None:
    theirs = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": service_name("taken"), "namespace": world.namespace},
        "spec": {"clusterIP": "None", "ports": [{"name": "web", "port": 80}]},
    }
    await world.client.create(SERVICES, theirs)
    await world.controller()
    name = await world.new_cluster("taken")

    status = await world.says(name, "NameTaken")
    assert status["message"] == f"Service {service_name(name)} exists and is not this cluster's"
    service = await world.client.get(SERVICES, service_name(name), namespace=world.namespace)
    assert "ownerReferences" not in service["metadata"]

    await world.client.delete(SERVICES, service_name(name), namespace=world.namespace)
    await world.says(name, "SchedulerStarting")


async def test_what_an_earlier_cluster_of_the_name_has_left_is_not_adopted(world: World) -> None:
    first = await world.controller()
    name = await world.running_cluster()
    await first.stop()
    old = await world.children(name)
    await world.client.delete(DASKCLUSTERS, name, namespace=world.namespace)
    await world.new_cluster(name)
    await world.controller()

    async def waits_for_the_name() -> bool:
        return (await world.status(name)).get("reason") in ("NameTaken", "SchedulerStarting")

    await eventually(waits_for_the_name)
    await world.collect_garbage(name, old)
    await world.reaches(name, "Pending")
    new = await world.children(name)
    assert not set(old.values()) & set(new.values())


async def test_a_cluster_that_is_deleted_while_it_lives_is_let_go(world: World) -> None:
    controller = await world.controller()
    name = await world.running_cluster()
    await controller.count_anew()
    await world.client.delete(DASKCLUSTERS, name, namespace=world.namespace)
    await world.remove_pod(scheduler_pod_name(name))
    other = await world.running_cluster()
    # the other one's, and none again of the one that is gone
    assert controller.calls["create", "secrets"] == 1
    assert (await world.status(other))["phase"] == "Running"
    await until(lambda: len(controller.controller.queue) == 0)


async def test_a_status_is_not_written_to_another_cluster_of_the_name(world: World) -> None:
    name = await world.new_cluster()
    running = await world.controller()
    await world.reaches(name, "Pending")
    await running.stop()
    seen = read_cluster(await world.client.get(DASKCLUSTERS, name, namespace=world.namespace))
    await world.client.delete(DASKCLUSTERS, name, namespace=world.namespace)
    await world.new_cluster(name)
    patch = status_patch(seen.uid, seen.status, with_phase(seen.status, Phase.FAILED, "SchedulerLost", None))
    assert patch
    with pytest.raises((Conflict, Invalid)):
        await world.client.patch(DASKCLUSTERS, name, patch, namespace=world.namespace, subresource="status")
    assert await world.status(name) == {}
