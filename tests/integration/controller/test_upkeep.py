"""What leads to running clusters is made anew when the installation has changed, and again when somebody deletes it."""

from typing import Any

import pytest

from gateway_common.configuration.model import Configuration
from gateway_common.configuration.proxy import ProxyGroup
from gateway_common.configuration.services import Middleware
from gateway_common.manifests.installation import installation_of
from gateway_common.names import ClusterName, service_name
from gateway_common.resources import (
    HTTPROUTES,
    INGRESSROUTES,
    INGRESSROUTETCPS,
    NAMESPACES,
    SERVICES,
    TLSROUTES,
    Resource,
)
from gateway_controller.core.build.access import build_access
from gateway_local.apiserver.faults import Fault
from tests.kit.controller import World
from tests.kit.kube import KubeServer
from tests.kit.waiting import eventually, until

GATEWAY_API = ProxyGroup(kind="gatewayAPI", gateway_api={"gateway": "edge"})
ROUTES = {"traefik": (INGRESSROUTES, INGRESSROUTETCPS), "gatewayAPI": (HTTPROUTES, TLSROUTES)}


@pytest.fixture
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway_controller.upkeep.PERIOD", 0.05)


def changed(settings: Configuration, **controller: Any) -> Configuration:
    """Another prefix, entry points, middlewares."""
    group = settings.controller.model_copy(update=controller)
    return settings.model_copy(update={"prefix": "/services/dask-gateway", "controller": group})


async def is_as_made_now(world: World, name: str, *resources: Resource) -> None:
    installation = installation_of(world.settings)
    wanted = build_access(installation, ClusterName(world.namespace, name))

    async def probe() -> bool:
        found = {resource: await world.find(resource, service_name(name)) for resource in resources}
        return all(
            manifest
            and manifest["spec"] == wanted[resource]["spec"]
            and wanted[resource]["metadata"]["labels"].items() <= manifest["metadata"]["labels"].items()
            for resource, manifest in found.items()
        )

    await eventually(probe)


@pytest.mark.parametrize("proxy", [ProxyGroup(), GATEWAY_API])
async def test_routes_of_running_clusters_follow_the_configuration(world: World, proxy: ProxyGroup) -> None:
    world.settings = world.settings.model_copy(update={"proxy": proxy})
    first = await world.controller()
    name = await world.running_cluster()
    before = await world.children(name)
    await is_as_made_now(world, name, *ROUTES[proxy.kind])
    await first.stop()

    private = [Middleware(name="dashboard-auth")]
    world.settings = changed(
        world.settings,
        proxy_tcp_entrypoint="schedulers",
        proxy_tls=True,
        proxy_own_middlewares=private,
        proxy_route_labels={"traefik-instance": "public"},
    )
    await world.controller()
    await is_as_made_now(world, name, *ROUTES[proxy.kind])
    assert await world.children(name) == before
    assert await world.phase(name) == "Running"


@pytest.mark.parametrize("kube_server", ["embedded"], indirect=True)
async def test_what_is_found_while_workers_are_made_is_mended_after_that(kube_server: KubeServer, world: World) -> None:
    assert kube_server.embedded
    first = await world.controller()
    name = await world.running_cluster()
    await first.stop()

    world.settings = changed(world.settings)
    await world.set_spec(name, replicas=1)
    kube_server.embedded.faults.add(Fault(verb="create", resource="pods", latency=1.0))
    await world.controller()
    await world.has_workers(name, [0])
    await is_as_made_now(world, name, *ROUTES["traefik"])


@pytest.mark.usefixtures("_looks_often")
@pytest.mark.parametrize("kube_server", ["embedded"], indirect=True)
async def test_what_waits_to_be_mended_is_not_forgotten_over_what_is_found_next(
    kube_server: KubeServer, world: World
) -> None:
    assert kube_server.embedded
    first = await world.controller()
    name = await world.running_cluster()
    await first.stop()

    refusal = kube_server.embedded.faults.add(Fault(verb="patch", resource="ingressroutes", code=500))
    world.settings = changed(world.settings)
    await world.controller()
    await until(lambda: refusal.met > 0)
    await world.client.delete(SERVICES, service_name(name), namespace=world.namespace)
    await eventually(lambda: world.find(SERVICES, service_name(name)))
    kube_server.embedded.faults.remove(refusal)
    await is_as_made_now(world, name, INGRESSROUTES)


async def test_what_an_installation_no_longer_asks_for_goes_from_routes(world: World) -> None:
    world.settings = changed(world.settings, proxy_tls=True, proxy_own_middlewares=[Middleware(name="dashboard-auth")])
    first = await world.controller()
    name = await world.running_cluster()
    await first.stop()

    group = world.settings.controller.model_copy(update={"proxy_tls": False, "proxy_own_middlewares": []})
    world.settings = world.settings.model_copy(update={"controller": group})
    await world.controller()
    await is_as_made_now(world, name, INGRESSROUTES)
    route = await world.find(INGRESSROUTES, service_name(name))
    assert route
    assert "tls" not in route["spec"]
    assert "middlewares" not in route["spec"]["routes"][0]


@pytest.mark.usefixtures("_looks_often")
@pytest.mark.parametrize("resource", [SERVICES, INGRESSROUTES, INGRESSROUTETCPS])
async def test_what_somebody_deletes_is_made_again(world: World, resource: Resource) -> None:
    await world.controller()
    name = await world.running_cluster()
    before = await world.children(name)
    await world.client.delete(resource, service_name(name), namespace=world.namespace)

    async def is_back() -> bool:
        return (await world.children(name)).keys() == before.keys()

    await eventually(is_back)
    after = await world.children(name)
    assert {kind for kind in before if after[kind] != before[kind]} == {resource.kind}
    found = await world.find(resource, service_name(name))
    assert found
    assert found["metadata"]["ownerReferences"][0]["uid"] == before["Pod"]


@pytest.mark.usefixtures("_looks_often")
async def test_what_the_server_fills_in_is_not_fought_over(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway_controller.upkeep.is_outdated", lambda *_: True)
    running = await world.controller()
    name = await world.running_cluster()
    renewed = {("patch", resource.plural): 1 for resource in (SERVICES, INGRESSROUTES, INGRESSROUTETCPS)}

    async def is_renewed() -> bool:
        return {call: running.calls[call] for call in renewed} == renewed

    await eventually(is_renewed)
    # by the time that this is mended, everything has been looked at again
    await world.client.delete(INGRESSROUTES, service_name(name), namespace=world.namespace)
    await eventually(lambda: world.find(INGRESSROUTES, service_name(name)))
    assert running.calls["patch", "ingressroutetcps"] == 1


@pytest.mark.usefixtures("_looks_often")
@pytest.mark.parametrize("kube_server", ["embedded"], indirect=True)
async def test_a_namespace_that_can_not_be_read_costs_no_other(
    kube_server: KubeServer, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    assert kube_server.embedded
    await world.client.create(
        NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"{world.namespace}-other"}}
    )
    spaces = [f"{world.namespace}-other", world.namespace]
    world.settings = world.settings.model_copy(
        update={"kube": world.settings.kube.model_copy(update={"namespaces": spaces})}
    )
    await world.controller()
    name = await world.running_cluster()
    elsewhere = World(world.client, world.settings.kube, spaces[0])
    await elsewhere.running_cluster()
    path = f"/namespaces/{spaces[0]}/services"
    kube_server.embedded.faults.add(Fault(verb="list", path=path, code=403, message="no longer yours"))
    await world.client.delete(SERVICES, service_name(name), namespace=world.namespace)
    await eventually(lambda: world.find(SERVICES, service_name(name)))
    assert f"Cannot look after the routes in {spaces[0]}" in caplog.text
