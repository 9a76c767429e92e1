"""The chart's probes and a real Traefik: it is ready when all its routes are there, and not before."""

from pathlib import Path

import httpx

from gateway_common.names import ClusterName
from gateway_common.resources import INGRESSROUTES
from gateway_local.apiserver.faults import Fault
from tests.kit.chart import FULLNAME, NAMESPACE
from tests.kit.chart_proxy import Proxy, chart_proxy
from tests.kit.waiting import eventually, until

VALUES = {"gateway": {"prefix": "/gw", "dashboards": {"private": False}}}
#: On a machine with nothing else to do, Traefik reads so many in 0.2 s after its first answer to a ping.
CLUSTERS = [ClusterName(NAMESPACE, f"c{number:04}") for number in range(300)]


async def passes(proxy: Proxy, kubelet: httpx.AsyncClient, probe: str) -> bool:
    """Whether one of the chart's probes passes now."""
    try:
        return (await kubelet.get(proxy.probe(probe))).status_code == 200
    except httpx.TransportError:  # it does not listen yet
        return False


async def lost(proxy: Proxy) -> list[ClusterName]:
    """The clusters whose pages or schedulers are not there when they are asked for, once."""
    async with proxy.client() as client:
        return [
            cluster
            for cluster in reversed(CLUSTERS)
            if "headers" not in (await client.get(f"/gw/clusters/{cluster}/status")).json()
            or not await proxy.greeting(cluster)
        ]


async def test_what_has_started_serves_every_route_that_was_there_before(traefik: Path, tmp_path: Path) -> None:
    async with chart_proxy(traefik, tmp_path, VALUES) as proxy, proxy.client("traefik") as kubelet:
        proxy.publish_ready_route()
        for cluster in CLUSTERS:
            proxy.publish(cluster)
        for _ in range(3):
            async with proxy.traefik():
                await eventually(lambda: passes(proxy, kubelet, "startupProbe"))
                assert await lost(proxy) == []


async def test_what_may_not_read_its_routes_answers_pings_but_has_not_started(traefik: Path, tmp_path: Path) -> None:
    async with chart_proxy(traefik, tmp_path, VALUES) as proxy, proxy.client("traefik") as kubelet:
        proxy.publish_ready_route()
        forbidden = proxy.kubernetes.faults.add(Fault(resource="tlsstores", code=403))
        async with proxy.traefik():
            await until(lambda: forbidden.met > 1)
            await eventually(lambda: passes(proxy, kubelet, "readinessProbe"))
            assert not await passes(proxy, kubelet, "startupProbe")
            proxy.kubernetes.faults.clear()
            await eventually(lambda: passes(proxy, kubelet, "startupProbe"))


async def test_what_has_started_stays_ready_without_the_route_that_said_so(traefik: Path, tmp_path: Path) -> None:
    async with chart_proxy(traefik, tmp_path, VALUES) as proxy, proxy.client("traefik") as kubelet:
        proxy.publish_ready_route()
        async with proxy.traefik():
            await eventually(lambda: passes(proxy, kubelet, "startupProbe"))
            proxy.kubernetes.objects.delete(INGRESSROUTES, NAMESPACE, f"ready-{FULLNAME}")

            async def is_gone() -> bool:
                return not await passes(proxy, kubelet, "startupProbe")

            await eventually(is_gone)
            assert await passes(proxy, kubelet, "readinessProbe")
            assert await passes(proxy, kubelet, "livenessProbe")
