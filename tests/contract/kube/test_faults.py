"""Trouble on demand, which only the embedded server makes."""

import asyncio
import time
from pathlib import Path

import httpx
import pytest

from gateway_common.resources import CONFIGMAPS, PODS
from gateway_local.apiserver.faults import Fault
from gateway_local.apiserver.server import ApiServer
from tests.contract.kube.widgets import config_map
from tests.kit.kube import KubeHttp, KubeServer, embedded_kubernetes, kube_http, refused


@pytest.fixture
def kube_server(embedded_kube_server: KubeServer) -> KubeServer:
    return embedded_kube_server


@pytest.fixture
def server(embedded_kube_server: KubeServer) -> ApiServer:
    assert embedded_kube_server.embedded is not None
    return embedded_kube_server.embedded


async def test_an_error_is_answered_so_many_times(kube: KubeHttp, server: ApiServer) -> None:
    fault = server.faults.add(Fault(verb="create", resource="configmaps", code=429, retry_after=3, times=2))

    for _ in range(2):
        response = await kube.client.post(kube.path(CONFIGMAPS), json=config_map("a"))
        refused(response, 429, "TooManyRequests")
        assert response.headers["retry-after"] == "3"
    await kube.create(CONFIGMAPS, config_map("a"))
    assert fault.met == 2


async def test_a_rule_meets_only_what_it_says(kube: KubeHttp, server: ApiServer) -> None:
    rule = server.faults.add(Fault(verb="list", resource="configmaps", path=kube.namespace, code=500))

    assert (await kube.client.get(kube.path(CONFIGMAPS))).status_code == 500
    for path in (kube.path(PODS), CONFIGMAPS.path("default"), kube.path(CONFIGMAPS, "a")):
        assert (await kube.client.get(path)).status_code != 500
    server.faults.remove(rule)
    assert (await kube.client.get(kube.path(CONFIGMAPS))).status_code == 200


async def test_chances_repeat_themselves(kube: KubeHttp, server: ApiServer, tmp_path: Path) -> None:
    async def codes(kube: KubeHttp, server: ApiServer) -> list[int]:
        server.faults.add(Fault(verb="list", code=503, probability=0.5))
        return [(await kube.client.get(kube.path(PODS))).status_code for _ in range(20)]

    first = await codes(kube, server)

    assert set(first) == {200, 503}
    async with embedded_kubernetes(tmp_path) as other, kube_http(other, "default") as http:
        assert other.embedded is not None
        assert await codes(http, other.embedded) == first


async def test_an_answer_can_be_late(kube: KubeHttp, server: ApiServer) -> None:
    server.faults.add(Fault(latency=0.2, times=1))

    before = time.monotonic()
    await kube.list(PODS)

    assert time.monotonic() - before >= 0.2


async def test_an_open_watch_can_be_dropped(kube: KubeHttp, server: ApiServer) -> None:
    async with kube.watch(CONFIGMAPS) as configmaps, kube.watch(PODS) as pods:
        await kube.create(CONFIGMAPS, config_map("a"))
        await configmaps.next()

        assert server.faults.drop_watches("configmaps") == 1

        with pytest.raises((StopAsyncIteration, httpx.RemoteProtocolError)):
            await configmaps.next()
        with pytest.raises(asyncio.TimeoutError):
            await pods.next(seconds=0.05)


async def test_a_watch_can_be_refused(kube: KubeHttp, server: ApiServer) -> None:
    server.faults.add(Fault(verb="watch", code=410, times=1))

    refused(await kube.client.get(kube.path(PODS), params={"watch": "true"}), 410, "Expired")


async def test_events_can_come_twice_or_not_at_all(kube: KubeHttp, server: ApiServer) -> None:
    async with kube.watch(CONFIGMAPS, resourceVersion="0") as events:
        server.faults.add(Fault(resource="configmaps", events="duplicate", times=1))
        await kube.create(CONFIGMAPS, config_map("a"))
        assert await events.names(2) == [("ADDED", "a"), ("ADDED", "a")]
        server.faults.add(Fault(resource="configmaps", events="drop", times=1))
        await kube.create(CONFIGMAPS, config_map("b"))
        await kube.create(CONFIGMAPS, config_map("c"))
        assert await events.names(1) == [("ADDED", "c")]


async def test_requests_are_counted(kube: KubeHttp, server: ApiServer) -> None:
    server.requests.clear()
    await kube.create(CONFIGMAPS, config_map("a"))
    await kube.list(CONFIGMAPS)
    await kube.list(CONFIGMAPS)
    await kube.patch(PODS, "a", {}, subresource="status")

    assert server.requests == {
        ("create", "configmaps"): 1,
        ("list", "configmaps"): 2,
        ("patch", "pods/status"): 1,
    }
