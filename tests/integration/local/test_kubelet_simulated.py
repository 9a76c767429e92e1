"""Pods without processes, for the thousands."""

import asyncio

from gateway_common.resources import PODS, SERVICES
from gateway_local.apiserver.objects import Objects
from gateway_local.apiserver.server import ApiServer
from gateway_local.endpoints import EndpointsController
from gateway_local.kubelet import SimulatedKubelet
from gateway_local.scheduling import Scheduler
from tests.kit.pods import NAMESPACE, is_ready, phase_is, pod, running, state
from tests.kit.waiting import until


def get(objects: Objects, name: str = "pod") -> dict[str, object]:
    found = objects.get(PODS, NAMESPACE, name)
    assert found
    return found


async def test_simulated_pods_become_ready_without_a_process() -> None:
    objects = ApiServer().objects
    async with running(Scheduler(objects), SimulatedKubelet(objects)):
        objects.create(PODS, pod())
        await until(lambda: is_ready(get(objects)))
        assert phase_is("Running")(get(objects))
        assert str(objects.list(PODS)[0]["status"]["podIP"]).startswith("127.")


async def test_simulated_pods_take_as_long_as_they_are_told() -> None:
    objects = ApiServer().objects
    loop = asyncio.get_running_loop()
    async with running(Scheduler(objects), SimulatedKubelet(objects, startup_seconds=0.3)):
        began = loop.time()
        for name in ("first", "second"):
            objects.create(PODS, pod(name=name))
        await until(lambda: is_ready(get(objects, "first")) and is_ready(get(objects, "second")))
        assert 0.3 <= loop.time() - began < 2


async def test_a_simulated_pod_ends_as_it_is_told_and_is_gone_when_it_is_deleted() -> None:
    objects = ApiServer().objects
    kubelet = SimulatedKubelet(objects)
    async with running(Scheduler(objects), kubelet):
        objects.create(PODS, pod(name="ended"))
        objects.create(PODS, pod(name="deleted", terminationGracePeriodSeconds=30))
        await until(lambda: is_ready(get(objects, "ended")) and is_ready(get(objects, "deleted")))
        kubelet.exit_containers(NAMESPACE, "ended", 137)
        assert phase_is("Failed")(get(objects, "ended"))
        assert state(get(objects, "ended"))["state"]["terminated"]["exitCode"] == 137
        objects.delete(PODS, NAMESPACE, "deleted")
        await until(lambda: objects.get(PODS, NAMESPACE, "deleted") is None)


async def test_a_simulated_pod_is_killed_for_its_memory_or_evicted_as_it_is_told() -> None:
    objects = ApiServer().objects
    kubelet = SimulatedKubelet(objects)
    async with running(Scheduler(objects), kubelet):
        for name in ("killed", "evicted"):
            objects.create(PODS, pod(name=name))
        await until(lambda: all(is_ready(manifest) for manifest in objects.list(PODS)))
        kubelet.exit_containers(NAMESPACE, "killed", 137, "OOMKilled")
        await kubelet.evict(NAMESPACE, "evicted")
        killed, evicted = (objects.get(PODS, NAMESPACE, name) or {} for name in ("killed", "evicted"))
    assert state(killed)["state"]["terminated"]["reason"] == "OOMKilled"
    assert (evicted["status"]["phase"], evicted["status"]["reason"]) == ("Failed", "Evicted")


async def test_a_frozen_simulated_node_starts_and_ends_nothing_until_it_is_thawed() -> None:
    objects = ApiServer().objects
    kubelet = SimulatedKubelet(objects)
    async with running(Scheduler(objects), kubelet):
        objects.create(PODS, pod(name="old", terminationGracePeriodSeconds=30))
        await until(lambda: is_ready(get(objects, "old")))
        kubelet.freeze()
        objects.delete(PODS, NAMESPACE, "old")
        objects.create(PODS, pod(name="new"))
        await until(lambda: bool(objects.list(PODS) and all(p["spec"].get("nodeName") for p in objects.list(PODS))))
        await asyncio.sleep(0)
        assert phase_is("Pending")(get(objects, "new"))
        assert get(objects, "old")
        kubelet.thaw()
        await until(lambda: is_ready(get(objects, "new")))
        assert objects.get(PODS, NAMESPACE, "old") is None


async def test_a_thousand_pods_are_ready_within_seconds() -> None:
    objects = ApiServer().objects
    parts = (Scheduler(objects), EndpointsController(objects), SimulatedKubelet(objects))
    async with running(*parts):
        spec = {"selector": {"app": "many"}, "clusterIP": "None", "ports": [{"port": 80}]}
        objects.create(SERVICES, {"kind": "Service", "metadata": {"name": "x", "namespace": NAMESPACE}, "spec": spec})
        for number in range(1000):
            objects.create(PODS, pod(name=f"pod-{number}"))
        await until(lambda: all(is_ready(manifest) for manifest in objects.list(PODS)), seconds=30)
