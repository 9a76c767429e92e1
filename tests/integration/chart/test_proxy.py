"""A real Traefik with what the chart tells it: the ways to the api, to dashboards, to schedulers; TLS; rights."""

import ssl
from collections import defaultdict
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway_common.names import ClusterName
from tests.kit.chart import FULLNAME, NAMESPACE, find
from tests.kit.chart_proxy import Proxy, answer, chart_proxy
from tests.kit.tls import make_key_pair
from tests.kit.traefiks import VERSIONS, find_version
from tests.kit.waiting import eventually

CLUSTER = ClusterName(NAMESPACE, "c0ffee")
PAGE = f"/gw/clusters/{CLUSTER}/status"


async def dashboard(client: httpx.AsyncClient, page: str, **headers: str) -> httpx.Response:
    """The first answer of the dashboard: the api has all that has no route yet."""

    async def shown() -> httpx.Response | None:
        said = await answer(client, page, **headers)
        return said if "headers" in said.json() else None

    return await eventually(shown)


async def scheduler(proxy: Proxy, entry_point: str = "web") -> bytes:
    """The first answer of the scheduler."""
    return await eventually(lambda: proxy.greeting(CLUSTER, entry_point))


async def test_the_api_and_private_dashboards_are_below_the_prefix(traefik: Path, tmp_path: Path) -> None:
    async with (
        chart_proxy(traefik, tmp_path, {"gateway": {"prefix": "/gw"}}) as proxy,
        proxy.traefik(),
        proxy.client() as client,
    ):
        for path in ("/gw/api/health", "/gw/docs", "/gw/oauth_callback", "/gw/signed-out"):
            said = await answer(client, path)
            assert said.json() == {"path": path.removeprefix("/gw")}
        assert (await client.get("/elsewhere")).status_code == 404

        proxy.publish(CLUSTER)
        credentials = {"cookie": "dask-gateway-dashboard=secret; own=1", "authorization": "Basic secret"}
        shown = await dashboard(client, PAGE, **credentials, **{"x-forwarded-uri": "/gw/clusters/gw.other/status"})
        assert shown.json()["path"] == "/status"
        assert "secret" not in shown.text
        assert shown.json()["headers"]["cookie"] == "own=1"
        assert shown.headers["content-security-policy"] == "frame-ancestors 'self'"
        assert shown.headers["x-content-type-options"] == "nosniff"
        asked = [exchange for exchange in proxy.api.exchanges if exchange.path == "/dashboards/access"][-1]
        assert asked.headers["x-forwarded-uri"] == PAGE, "the caller's word does not count"
        assert "secret" in asked.headers["cookie"]

        proxy.access = 403
        refused = await client.get(PAGE)
        assert (refused.status_code, refused.json()) == (403, {"error": "not yours"})
        assert await scheduler(proxy) == proxy.scheduler.name, "on the port of HTTP"


async def test_dashboards_can_be_left_to_what_is_in_front(traefik: Path, tmp_path: Path) -> None:
    values = {"gateway": {"prefix": "/gw", "dashboards": {"private": False, "frameAncestors": []}}}
    async with chart_proxy(traefik, tmp_path, values) as proxy, proxy.traefik(), proxy.client() as client:
        proxy.publish(CLUSTER)
        shown = await dashboard(client, PAGE, cookie="session=1")
        assert shown.json()["headers"]["cookie"] == "session=1"
        assert shown.headers["content-security-policy"] == "frame-ancestors 'none'"
        assert not [exchange for exchange in proxy.api.exchanges if exchange.path == "/dashboards/access"]


async def test_schedulers_can_have_a_port_of_their_own(traefik: Path, tmp_path: Path) -> None:
    values = {"traefik": {"service": {"ports": {"tcp": {"port": 8786}}}}}
    async with chart_proxy(traefik, tmp_path, values) as proxy, proxy.traefik():
        proxy.publish(CLUSTER)
        assert await scheduler(proxy, "tcp") == proxy.scheduler.name
        assert await proxy.greeting(CLUSTER, "web") == b""


async def test_with_a_certificate_everything_is_https(traefik: Path, tmp_path: Path) -> None:
    key, certificate = make_key_pair()
    values = {"gateway": {"prefix": "/gw"}, "traefik": {"tls": {"secretName": "cert"}}}
    trusting = ssl.create_default_context(cadata=certificate)
    async with (
        chart_proxy(traefik, tmp_path, values, (key, certificate)) as proxy,
        proxy.traefik(),
        proxy.client("websecure", verify=trusting) as secure,
        proxy.client() as plain,
    ):
        proxy.publish(CLUSTER)
        assert (await answer(secure, "/gw/api/health")).json() == {"path": "/api/health"}
        assert (await dashboard(secure, PAGE)).json()["path"] == "/status"
        assert await scheduler(proxy, "websecure") == proxy.scheduler.name, "with its own certificate"
        sent = await plain.get("/gw/api/health", headers={"host": "dask.example.org"})
        assert sent.status_code in (301, 308)
        assert sent.headers["location"] == "https://dask.example.org/gw/api/health"

        # renewed: the Secret's files change, and Traefik reads them again
        renewed = make_key_pair("renewed")
        (tmp_path / "dynamic/tls.key").write_text(renewed[0])
        (tmp_path / "dynamic/tls.crt").write_text(renewed[1])
        async with proxy.client("websecure", verify=ssl.create_default_context(cadata=renewed[1])) as again:
            await answer(again, "/gw/api/health")


@pytest.mark.parametrize(
    ("namespaces", "role"),
    [([], ("Role", f"traefik-{FULLNAME}")), (["*"], ("ClusterRole", f"traefik-{FULLNAME}-{NAMESPACE}"))],
    ids=["named namespaces", "all namespaces"],
)
async def test_traefik_has_the_rights_that_some_version_uses_and_no_others(
    tmp_path: Path, namespaces: list[str], role: tuple[str, str]
) -> None:
    used: dict[tuple[str, str], set[str]] = defaultdict(set)
    values: dict[str, Any] = {"gateway": {"prefix": "/gw", "backend": {"namespaces": namespaces}}}
    for version in VERSIONS:
        directory = tmp_path / (version or "newest")
        directory.mkdir()
        async with (
            chart_proxy(find_version(version), directory, values) as proxy,
            proxy.traefik(),
            proxy.client() as client,
        ):
            proxy.publish(CLUSTER)
            await dashboard(client, PAGE)
            for asked in proxy.kubernetes.requests:
                used[asked].add(version)
    rules = find(proxy.manifests, *role)["rules"]
    granted = {(verb, name) for rule in rules for name in rule["resources"] for verb in rule["verbs"]}
    assert granted == used.keys(), dict(used)
