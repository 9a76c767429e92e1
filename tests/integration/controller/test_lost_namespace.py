"""A backend namespace that may no longer be read, as when it was deleted and the controller's role in it with it."""

from functools import partial

import pytest

from gateway_common import informer
from gateway_common.resources import NAMESPACES, PODS
from gateway_local.apiserver.faults import Fault
from tests.kit.controller import World
from tests.kit.kube import KubeServer
from tests.kit.waiting import eventually, until

pytestmark = pytest.mark.parametrize("kube_server", ["embedded"], indirect=True)


@pytest.fixture
async def other(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """Another namespace of the same installation."""
    monkeypatch.setattr(informer, "WatchTiming", partial(informer.WatchTiming, longest_refusal=0.1, longest_pause=0.2))
    name = f"{world.namespace}-other"
    await world.client.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    kube = world.settings.kube.model_copy(update={"namespaces": [name, world.namespace]})
    world.settings = world.settings.model_copy(update={"kube": kube})
    return World(world.client, kube, name)


async def test_it_costs_no_other_namespace(kube_server: KubeServer, world: World, other: World) -> None:
    assert kube_server.embedded
    kube_server.embedded.faults.add(Fault(path=f"/namespaces/{other.namespace}/", code=403))
    await world.controller()
    name = await world.running_cluster(replicas=1)
    await world.has_workers(name, [0])


async def test_with_half_a_picture_nothing_is_made(kube_server: KubeServer, world: World, other: World) -> None:
    assert kube_server.embedded
    first = await world.controller()
    name = await other.running_cluster(replicas=2)
    await other.has_workers(name, [0, 1])
    await first.stop()
    no_pods = Fault(verb="list", path=f"/namespaces/{other.namespace}/pods", code=403)
    kube_server.embedded.faults.add(no_pods)

    second = await world.controller()
    await until(lambda: second.controller.is_ready)
    elsewhere = await world.running_cluster()
    assert second.calls["create", PODS.plural] == 1, f"that of {elsewhere}"
    kube_server.embedded.faults.remove(no_pods)
    await other.set_spec(name, replicas=3)
    await eventually(lambda: _has_three(other, name))
    assert second.calls["create", PODS.plural] == 2


async def _has_three(world: World, name: str) -> bool:
    return len(await world.workers(name)) == 3
