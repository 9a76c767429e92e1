"""The chart behind a Gateway of the Kubernetes Gateway API, which Traefik serves here as anybody else would."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from dask_gateway import BasicAuth, Gateway
from gateway_common.resources import HTTPROUTES, NAMESPACES, SERVICES, TLSROUTES, Manifest
from gateway_common.traefik_crds import traefik_definitions
from gateway_local.cluster import Cluster, gateway_images
from tests.integration.gateway.conftest import PASSWORD
from tests.kit.chart import CHART, FULLNAME, NAMESPACE, RELEASE
from tests.kit.credentials import basic_credentials
from tests.kit.end_to_end import run
from tests.kit.gateway_api import gateway_api_definitions
from tests.kit.helm import CHARTS, helm
from tests.kit.waiting import eventually

EDGE = "edge"
PREFIX = "/services/dask"
ACCESS = {
    "type": "ExtensionRef",
    "extensionRef": {"group": "traefik.io", "kind": "Middleware", "name": "dashboard-access"},
}
VALUES: dict[str, Any] = {
    "gateway": {"prefix": PREFIX, "auth": {"simple": {"password": PASSWORD}}},
    "proxy": {
        "kind": "gatewayAPI",
        "gatewayAPI": {
            "gateway": EDGE,
            "gatewayNamespace": EDGE,
            "webListener": "web",
            "schedulerListener": "schedulers",
            "dashboardFilters": [ACCESS],
        },
    },
}


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    """With a Gateway that takes routes from everywhere."""
    definitions = [*gateway_api_definitions(), *traefik_definitions()]
    async with Cluster(directory=tmp_path / "pods", images=gateway_images(), definitions=definitions) as cluster:
        cluster.objects.create(NAMESPACES, {"metadata": {"name": NAMESPACE}})
        async with helm(cluster, tmp_path, CHARTS / EDGE, EDGE, EDGE) as edge:
            await edge.install(api=f"http://api-{FULLNAME}.{NAMESPACE}:8000", namespace=NAMESPACE)
        yield cluster


@pytest.fixture
def address(cluster: Cluster) -> str:
    """The host of the Gateway."""
    service = cluster.objects.get(SERVICES, EDGE, EDGE)
    assert service is not None
    return str(service["status"]["loadBalancer"]["ingress"][0]["ip"])


def is_accepted(route: Manifest | None) -> bool:
    """Whether the Gateway says that it serves a route, and finds what is behind it."""
    parents = (route or {}).get("status", {}).get("parents", [])
    said = {condition["type"]: condition["status"] for parent in parents for condition in parent["conditions"]}
    return said.get("Accepted") == said.get("ResolvedRefs") == "True"


async def is_served(public: str) -> None:
    """Wait until the Gateway has the api's route, and its pods."""

    async def answers() -> bool:
        return (await visit(f"{public}/api/health", "")).status_code == 200

    await eventually(answers)


async def visit(page: str, user: str) -> httpx.Response:
    """What a user's browser gets, one without any cookies."""
    async with httpx.AsyncClient(trust_env=False, timeout=60) as browser:
        return await browser.get(page, headers=basic_credentials(user, PASSWORD) if user else {})


@pytest.mark.timeout(600)
async def test_a_gateway_serves_the_api_dashboards_and_schedulers(
    cluster: Cluster, address: str, tmp_path: Path
) -> None:
    async with helm(cluster, tmp_path, CHART, RELEASE, NAMESPACE) as release:
        await release.install(**VALUES)
    assert not [name for name in cluster.objects.list(SERVICES, NAMESPACE) if "traefik" in name["metadata"]["name"]]
    public = f"http://{address}{PREFIX}"

    await is_served(public)
    async with (
        Gateway(
            public, proxy_address=f"tls://{address}:8786", auth=BasicAuth("alice", PASSWORD), asynchronous=True
        ) as gateway,
        gateway.new_cluster(shutdown_on_close=True) as dask,
        dask.get_client() as client,
    ):
        await dask.scale(1)
        assert await client.submit(sum, [1, 2, 3]) == 6
        routes = [cluster.objects.list(kind, NAMESPACE) for kind in (HTTPROUTES, TLSROUTES)]
        assert [is_accepted(route) for kind in routes for route in kind] == [True] * 3

        page = f"{public}/clusters/{dask.name}/status"
        answers = {user: await visit(page, user) for user in ("alice", "bob", "")}
        assert {user: answer.status_code for user, answer in answers.items()} == {"alice": 200, "bob": 403, "": 401}
        shown = answers["alice"]
        assert "Dask" in shown.text
        assert shown.headers["content-security-policy"] == "frame-ancestors 'self'"
        assert shown.headers["x-content-type-options"] == "nosniff"
        assert dask.dashboard_link == page


@pytest.mark.timeout(600)
async def test_the_end_to_end_scenarios_pass_behind_a_gateway(cluster: Cluster, address: str, tmp_path: Path) -> None:
    async with helm(cluster, tmp_path, CHART, RELEASE, NAMESPACE) as release:
        await release.install(**VALUES)
    await is_served(f"http://{address}{PREFIX}")
    output = await run(
        *("pytest", "-q", "-p", "no:cacheprovider", "tests/e2e/test_scenarios.py", "tests/e2e/test_clusters.py"),
        KUBECONFIG=str(cluster.server.kubeconfig(tmp_path / "kubeconfig")),
        GATEWAY_ADDRESS=f"http://{address}{PREFIX}",
        GATEWAY_NAMESPACE=NAMESPACE,
        GATEWAY_PASSWORD=PASSWORD,
        DASK_GATEWAY__PROXY_ADDRESS=f"tls://{address}:8786",
    )
    assert "passed" in output, output
