"""Groups of workers on a whole gateway, with real schedulers and workers."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from dask_gateway import BasicAuth, Gateway, GatewayClusterError
from gateway_local.gateway import LocalGateway, LocalSettings
from tests.integration.gateway.conftest import PASSWORD
from tests.kit.programs import run_scenario

VALUES = Path(__file__).parents[2] / "data/gateway/groups.yaml"

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def grouped(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalGateway]:
    directory = tmp_path_factory.mktemp("grouped")
    async with LocalGateway(LocalSettings(port=0, password=PASSWORD, directory=directory, config=[VALUES])) as gateway:
        yield gateway


async def test_a_group_of_workers_is_scaled_on_its_own_and_runs_the_tasks_that_ask_for_it(
    grouped: LocalGateway,
) -> None:
    await run_scenario(sys.executable, "worker_groups", address=grouped.address, password=PASSWORD)


async def test_a_scheduler_with_the_released_package_scales_no_group_and_all_else(
    tmp_path: Path, released_environment: Path
) -> None:
    image = "example.org/released:2026.3.0"
    settings = LocalSettings(
        port=0,
        password=PASSWORD,
        directory=tmp_path,
        config=[VALUES],
        images={image: released_environment},
        environment={"DASK_GATEWAY__BACKEND__IMAGE": image},
    )
    async with (
        LocalGateway(settings) as gateway,
        Gateway(gateway.address, auth=BasicAuth("alice", PASSWORD), asynchronous=True) as alice,
        await alice.new_cluster() as cluster,
        cluster.get_client() as client,
    ):
        with pytest.raises(GatewayClusterError, match="can't scale groups of workers"):
            await cluster.scale(1, group="big")
        await cluster.scale(1)
        await client.wait_for_workers(1, timeout=120)
        assert list((await client.nthreads()).values()) == [1]
