"""Schedulers that really can't start, or really end, as processes: what each client says, and what is kept of them."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from dask_gateway import BasicAuth, Gateway, GatewayClusterError, GatewayWarning
from gateway_common.names import parse_cluster_name
from gateway_common.resources import DASKCLUSTERS, PODS
from gateway_local.gateway import LocalGateway, LocalSettings
from tests.integration.gateway.conftest import PASSWORD
from tests.kit.programs import run_scenario

VALUES = Path(__file__).parents[2] / "data/gateway/situations.yaml"

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalGateway]:
    directory = tmp_path_factory.mktemp("situations")
    async with LocalGateway(LocalSettings(port=0, password=PASSWORD, directory=directory, config=[VALUES])) as running:
        yield running


async def test_our_client_says_why_a_cluster_can_not_start(gateway: LocalGateway) -> None:
    await run_scenario(sys.executable, "failed_to_start", address=gateway.address, password=PASSWORD)


async def test_the_released_client_says_why_a_cluster_can_not_start(
    gateway: LocalGateway, released_environment: Path
) -> None:
    python = released_environment / "bin" / "python"
    await run_scenario(python, "failed_to_start", address=gateway.address, password=PASSWORD)


@pytest.mark.parametrize(
    ("situation", "reason", "failure"),
    [
        ("exits", "SchedulerFailed", {"exitCode": 3, "log": "no licence\ngood bye"}),
        ("is killed", "SchedulerFailed", {"exitCode": 137}),
        ("has no image", "ImagePullBackOff", None),
        ("has no secret", "CreateContainerConfigError", None),
        ("is too large", "StartTimeout", None),
    ],
)
async def test_what_is_kept_of_a_scheduler_outlives_its_pod(
    gateway: LocalGateway, situation: str, reason: str, failure: dict[str, Any] | None
) -> None:
    objects = gateway.kubernetes.objects
    async with Gateway(gateway.address, auth=BasicAuth("bob", PASSWORD), asynchronous=True) as client:
        name = await client.submit(situation=situation)
        with pytest.raises(GatewayClusterError):
            await client.connect(name)

        namespace, short = parse_cluster_name(name)
        async for _, found in objects.watch(DASKCLUSTERS):
            if found["metadata"]["name"] == short and found["status"]["phase"] == "Failed":
                break
        status = found["status"]
        assert status["reason"] == reason
        assert status.get("schedulerFailure") == failure
        failed = await client.list_clusters(status="failed", user="bob")
        described = next(report for report in failed if report.name == name)
        assert (described.reason, described.message) == (reason, status["message"])
        pods = objects.list(PODS, namespace)
        assert not [pod for pod in pods if short in pod["metadata"]["name"]]


async def test_a_cluster_without_room_is_pending_and_its_user_is_told(gateway: LocalGateway) -> None:
    async with Gateway(gateway.address, auth=BasicAuth("carol", PASSWORD), asynchronous=True) as client:
        name = await client.submit(situation="waits for a node")
        with (
            pytest.warns(GatewayWarning, match=r"is pending: .*no node has room for it: 0/1 nodes are available"),
            pytest.raises(GatewayClusterError, match="did not start in time"),
        ):
            await client.connect(name)
