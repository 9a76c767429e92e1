"""The route by which Traefik says that it has read all others: there as long as a controller leads."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from gateway_common.resources import INGRESSROUTES
from gateway_controller.readiness import keep_readiness_route
from gateway_local.apiserver.faults import Fault
from tests.kit.controller import World
from tests.kit.kube import KubeServer
from tests.kit.recorded_calls import Access, recorded, recorder
from tests.kit.waiting import eventually, until

NAME = "ready-test"


@pytest.fixture(autouse=True)
def _recorder() -> Iterator[None]:
    with recorder():
        yield


@asynccontextmanager
async def kept(world: World) -> AsyncIterator[set[Access]]:
    """While this lasts somebody impatient keeps the route in existence; what that asks for."""
    found: set[Access] = set()
    group = world.settings.controller.model_copy(update={"proxy_readiness_entrypoint": "traefik"})
    settings = world.settings.model_copy(update={"controller": group})
    with recorded(found):
        task = asyncio.create_task(keep_readiness_route(world.client, settings, period=0.01, pause=0.01))
    try:
        yield found
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.wait((task,))


async def uid(world: World, other_than: str = "") -> str:
    """The route's, once there is one of another life."""

    async def probe() -> str:
        manifest = await world.find(INGRESSROUTES, NAME)
        found = str(manifest["metadata"]["uid"]) if manifest else ""
        return "" if found == other_than else found

    return await eventually(probe)


async def test_it_comes_back_when_somebody_deletes_it_and_takes_one_right(world: World) -> None:
    async with kept(world) as found:
        first = await uid(world)
        await world.client.delete(INGRESSROUTES, NAME, namespace=world.namespace)
        assert await uid(world, other_than=first)
    assert found == {Access("create", "traefik.io", "ingressroutes", world.namespace)}


@pytest.mark.parametrize("kube_server", ["embedded"], indirect=True)
async def test_where_a_namespace_was_lost_the_next_one_has_the_route(kube_server: KubeServer, world: World) -> None:
    assert kube_server.embedded
    kube_server.embedded.faults.add(Fault(verb="create", path="/namespaces/lost/", code=403))
    kube = world.settings.kube.model_copy(update={"namespaces": ["lost", world.namespace]})
    world.settings = world.settings.model_copy(update={"kube": kube})
    async with kept(world):
        assert await uid(world)


@pytest.mark.parametrize("kube_server", ["embedded"], indirect=True)
async def test_a_kind_that_is_not_known_yet_is_tried_again(
    kube_server: KubeServer, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    assert kube_server.embedded
    unknown = kube_server.embedded.faults.add(Fault(verb="create", resource="ingressroutes", code=404))
    async with kept(world):
        await until(lambda: unknown.met > 2)
        kube_server.embedded.faults.clear()
        assert await uid(world)
    assert "Cannot make the route" in caplog.text
