"""``GatewayCluster`` with a real scheduler behind a proxy: start, use, end, display."""

import asyncio
import gc
import logging
import weakref
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import distributed
import pytest
from distributed import Scheduler, Worker
from distributed.security import Security

from dask_gateway import BasicAuth, Gateway, GatewayCluster, GatewayClusterError
from dask_gateway.cluster import cleanup_lingering_clusters
from tests.kit.mini_gateway import MiniGateway, cluster_record
from tests.kit.scripted_server import Exchange
from tests.kit.sni_proxy import sni_proxy
from tests.kit.tls import make_key_pair
from tests.kit.waiting import until

KEY, CERTIFICATE = make_key_pair()
NAME = "ns.a"
SECURITY = Security(
    tls_ca_file=CERTIFICATE,
    tls_scheduler_cert=CERTIFICATE,
    tls_scheduler_key=KEY,
    tls_worker_cert=CERTIFICATE,
    tls_worker_key=KEY,
    require_encryption=True,
)


@dataclass
class System:
    """A gateway with one cluster to give, and what a client needs to reach both."""

    api: MiniGateway
    scheduler: Scheduler
    arguments: dict[str, Any]

    @property
    def is_stopped(self) -> bool:
        return ("DELETE", f"/api/v1/clusters/{NAME}") in [(e.method, e.path) for e in self.api.exchanges]

    async def worker(self) -> Worker:
        return await Worker(
            self.scheduler.address, nthreads=2, memory_limit="1 GiB", security=SECURITY, dashboard_address=":0"
        )


@pytest.fixture
async def system(gateway_api: MiniGateway) -> AsyncIterator[System]:
    gateway_api.new_cluster = cluster_record(NAME, tls_cert=CERTIFICATE, tls_key=KEY)
    async with (
        Scheduler(protocol="tls", host="127.0.0.1", port=0, dashboard_address=":0", security=SECURITY) as scheduler,
        sni_proxy() as proxy,
    ):
        proxy.routes[f"daskgateway-{NAME}"] = ("127.0.0.1", scheduler.port)
        arguments = {"address": gateway_api.url, "proxy_address": proxy.port, "auth": BasicAuth("ada")}
        yield System(gateway_api, scheduler, arguments)


async def test_a_cluster_is_started_used_and_stopped_in_an_event_loop(system: System) -> None:
    async with Gateway(**system.arguments, asynchronous=True) as gateway:
        cluster = gateway.new_cluster(n=1)
        assert cluster.status == "created"
        async with cluster:
            assert (cluster.status, cluster.name) == ("running", NAME)
            assert cluster.scheduler_address == f"gateway://127.0.0.1:{system.arguments['proxy_address']}/{NAME}"
            async with await system.worker(), cluster.get_client() as client:
                assert await client.submit(sum, [1, 2]) == 3
                await until(lambda: len(cluster.scheduler_info["workers"]) == 1)
            await until(lambda: len(cluster.scheduler_info["workers"]) == 0)
        assert cluster.status == "closed"
    assert system.is_stopped


async def test_the_same_works_without_an_event_loop(system: System) -> None:
    worker = await system.worker()

    def use() -> int:
        with GatewayCluster(**system.arguments, n=1) as cluster:
            assert repr(cluster) == f"GatewayCluster<{NAME}, status=running>"
            cluster.scale(2)
            cluster.adapt(minimum=1, maximum=2)
            client = cluster.get_client()
            assert distributed.default_client() is client
            result: int = client.submit(sum, [1, 2]).result(timeout=20)
        assert client.status == "closed"
        assert cluster.close() is None, "closing twice is no error"
        return result

    assert await asyncio.to_thread(use) == 3
    assert system.is_stopped
    assert system.api.bodies("POST", f"/api/v1/clusters/{NAME}/scale") == [{"count": 2}]
    await worker.close()


async def test_awaiting_starts_and_closing_decides_about_the_cluster(system: System) -> None:
    cluster = await GatewayCluster(**system.arguments, asynchronous=True)
    assert await cluster is cluster
    await cluster.close(shutdown=False)
    assert not system.is_stopped
    cluster = await GatewayCluster(**system.arguments, asynchronous=True, shutdown_on_close=False)
    await cluster.shutdown()
    assert system.is_stopped


async def test_connecting_to_a_cluster_leaves_it_running(system: System) -> None:
    async with Gateway(**system.arguments, asynchronous=True) as gateway:
        name = await gateway.submit()
        async with gateway.connect(name) as cluster:
            assert cluster.status == "running"
            assert cluster.shutdown_on_close is False
        async with GatewayCluster.from_name(name, **system.arguments, asynchronous=True) as cluster:
            assert cluster.name == name
    assert not system.is_stopped


async def test_a_cluster_that_fails_to_start_is_stopped_and_says_why(system: System) -> None:
    system.api.answers["GET", f"/api/v1/clusters/{NAME}"] = [(409, {"error": "Image 'x' cannot be pulled"})]
    cluster = GatewayCluster(**system.arguments, asynchronous=True, shutdown_on_close=False)
    with pytest.raises(GatewayClusterError, match="Image 'x' cannot be pulled"):
        await cluster
    assert cluster.status == "closed"
    assert system.is_stopped


async def test_an_interrupted_start_stops_the_cluster(system: System) -> None:
    system.api.new_cluster["status"] = "PENDING"
    starting = asyncio.ensure_future(GatewayCluster(**system.arguments, asynchronous=True)._start())
    await until(lambda: NAME in system.api.clusters)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert system.is_stopped


async def test_an_interrupt_while_the_request_is_on_its_way_stops_the_cluster(system: System) -> None:
    arrived, may_answer = asyncio.Event(), asyncio.Event()

    async def answer_late(exchange: Exchange) -> None:
        if exchange.method == "POST":
            arrived.set()
            await may_answer.wait()
        await system.api.handle(exchange)

    assert system.api.server
    system.api.server.handler = answer_late
    starting = asyncio.ensure_future(GatewayCluster(**system.arguments, asynchronous=True)._start())
    await arrived.wait()
    starting.cancel()
    may_answer.set()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert system.is_stopped


async def test_a_cluster_that_cannot_be_stopped_closes_with_a_log(
    system: System, caplog: pytest.LogCaptureFixture
) -> None:
    system.api.answers["DELETE", f"/api/v1/clusters/{NAME}"] = [(500, {"error": "no"})]
    with caplog.at_level(logging.ERROR, "distributed.client"):
        async with GatewayCluster(**system.arguments, asynchronous=True):
            pass
    assert f"Failed to stop cluster {NAME}" in caplog.text


async def test_a_client_that_fails_to_close_does_not_keep_the_cluster_alive(system: System) -> None:
    class StubbornClient:
        async def _close(self) -> None:
            raise RuntimeError("stubborn")

    stubborn = StubbornClient()
    async with GatewayCluster(**system.arguments, asynchronous=True) as cluster:
        cluster._clients.add(stubborn)
    assert system.is_stopped


@pytest.mark.parametrize("end", [gc.collect, cleanup_lingering_clusters])
async def test_a_cluster_that_a_program_forgets_is_stopped(system: System, end: Any) -> None:
    def use() -> "weakref.ref[GatewayCluster]":
        cluster = GatewayCluster(**system.arguments)
        if end is cleanup_lingering_clusters:
            end()
        return weakref.ref(cluster)

    ref = await asyncio.to_thread(use)
    await asyncio.to_thread(end)
    assert ref() is None
    assert system.is_stopped


async def test_scaling_before_the_start_is_an_error(system: System) -> None:
    cluster = GatewayCluster(**system.arguments, asynchronous=True)
    with pytest.raises(RuntimeError, match="This cluster is not started"):
        cluster.scale(1)
    await cluster.close()


async def test_a_cluster_shows_its_name_and_dashboard(system: System) -> None:
    cluster = GatewayCluster(**system.arguments, asynchronous=True)
    assert "Not Available" in cluster._repr_html_()
    async with cluster:
        link = f"{system.api.url}/clusters/{NAME}/status"
        assert cluster.dashboard_link == link
        html = cluster._repr_html_()
    assert NAME in html
    assert f'<a href="{link}"' in html


async def test_the_panel_counts_workers_and_scales(
    system: System, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    worker = await system.worker()

    def use() -> str:
        with GatewayCluster(**system.arguments) as cluster:
            cluster._ipython_display_()
            widget = cluster._widget()
            assert cluster._widget() is widget
            status, scaling = widget.children[1].children
            count, scale = scaling.children[0].children
            minimum, maximum, adapt = scaling.children[1].children
            count.value, minimum.value, maximum.value = 3, 1, 2
            scale.click()
            adapt.click()
            system.api.answers["POST", f"/api/v1/clusters/{NAME}/scale"] = [(422, {"error": "too many"})]
            scale.click()
        text: str = status.value
        return text

    status = await asyncio.to_thread(use)
    assert "<th>Workers</th><td>1</td>" in status
    assert "<th>Threads</th><td>2</td>" in status
    assert "<th>Memory</th><td>1.00 GiB</td>" in status
    assert "VBox" in capsys.readouterr().out
    assert system.api.bodies("POST", f"/api/v1/clusters/{NAME}/scale") == [{"count": 3}, {"count": 3}]
    assert system.api.bodies("POST", f"/api/v1/clusters/{NAME}/adapt") == [{"minimum": 1, "maximum": 2, "active": True}]
    assert "Failed to scale the cluster" in caplog.text
    await worker.close()
