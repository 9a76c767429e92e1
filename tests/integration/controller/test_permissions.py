"""The controller's permissions are what it needs, as seen in a whole life: no more, no less, and only where it may."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from gateway_common.configuration.model import Configuration
from gateway_common.configuration.proxy import ProxyGroup
from gateway_common.kube import KubeClient
from gateway_common.manifests.installation import installation_of
from gateway_common.names import scheduler_pod_name, worker_pod_name
from gateway_common.resources import DASKCLUSTERS, LEASES
from gateway_controller.core.build.routes import route_resources
from gateway_controller.leader import Election, LeaseTiming
from gateway_controller.lease import LeaseLock
from gateway_controller.permissions import BACKEND_RULES, LEASE_RULES, ROUTE_RULES
from gateway_controller.settings import lease_kube_settings, lease_place
from tests.kit.controller import RunningController, World
from tests.kit.recorded_calls import Access, allowed, recorded, recorder
from tests.kit.waiting import eventually, until


@pytest.fixture(autouse=True)
def _recorder() -> Iterator[None]:
    with recorder():
        yield


async def recorded_controller(world: World, found: set[Access], **settings: Any) -> RunningController:
    with recorded(found):
        return await world.controller(**settings)


def elsewhere(settings: Configuration) -> Configuration:
    """With all entry points, or listeners, under other names."""
    listeners = settings.proxy.gateway_api.model_copy(update={"web_listener": "other", "scheduler_listener": "other"})
    return settings.model_copy(
        update={
            "proxy": settings.proxy.model_copy(update={"gateway_api": listeners}),
            "controller": settings.controller.model_copy(
                update={"proxy_web_entrypoint": "other", "proxy_tcp_entrypoint": "other"}
            ),
        }
    )


async def live(world: World, found: set[Access]) -> None:
    """All that may happen to clusters, so that every call is made that there is."""
    first = await recorded_controller(world, found, die_after=5)
    name = await world.new_cluster()
    await first.dies()
    # all objects are there, and nobody has written down that they are
    second = await recorded_controller(world, found)
    await world.reaches(name, "Pending")
    await world.run_pod(scheduler_pod_name(name))
    await world.reaches(name, "Running")
    await world.set_spec(name, replicas=2)
    await world.has_workers(name, [0, 1])
    await world.run_pod(worker_pod_name(name, 0))
    await world.set_spec(name, replicas=1)
    await world.has_workers(name, [0])
    await world.set_spec(name, active=False)
    await world.stops(name)
    lost = await world.running_cluster()
    await world.remove_pod(scheduler_pod_name(lost))
    await world.reaches(lost, "Failed")
    failing = await world.running_cluster()
    await second.stop()
    world.settings = elsewhere(world.settings)
    second = await recorded_controller(world, found)
    # both routes are given to a proxy that is elsewhere now
    renewed = route_resources(installation_of(world.settings))
    await until(lambda: {access.resource for access in found if access.verb == "patch"} >= {r.plural for r in renewed})
    await world.run_pod(scheduler_pod_name(failing), state={"terminated": {"exitCode": 1}})
    await world.stops(failing, "Failed")
    await second.stop()

    await recorded_controller(world, found, completed_cluster_max_age=0)

    async def is_cleaned_up() -> bool:
        return not (await world.client.list(DASKCLUSTERS, namespace=world.namespace)).items

    await eventually(is_cleaned_up)


@pytest.mark.parametrize("proxy", [ProxyGroup(), ProxyGroup(kind="gatewayAPI", gateway_api={"gateway": "edge"})])
async def test_a_whole_life_takes_exactly_the_permissions_that_are_listed(world: World, proxy: ProxyGroup) -> None:
    world.settings = world.settings.model_copy(update={"proxy": proxy})
    found: set[Access] = set()
    await live(world, found)
    expected = allowed([*BACKEND_RULES, *ROUTE_RULES[proxy.kind]], world.namespace)
    assert found - expected == set(), "not listed"
    assert expected - found == set(), "never used"


async def test_an_election_takes_exactly_the_permissions_that_are_listed(world: World) -> None:
    found: set[Access] = set()
    stopping = asyncio.Event()

    async def work(note: str) -> str:
        await stopping.wait()
        return note

    client = await KubeClient.connect(lease_kube_settings(world.settings))
    place = lease_place(world.settings)
    election = Election(LeaseLock(client, *place, {}), "a", timing=LeaseTiming(renew_period=0.01))
    with recorded(found):
        running = asyncio.create_task(election.run(work, stopping))

    async def is_renewed() -> bool:
        lease = await world.find(LEASES, place.name)
        return lease is not None and lease["spec"]["renewTime"] > lease["spec"]["acquireTime"]

    await eventually(is_renewed)
    stopping.set()
    await running
    await client.close()
    assert found == allowed(LEASE_RULES, world.namespace)
