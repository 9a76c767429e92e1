"""A whole gateway with an operator's values file: what it says is what users get."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from dask_gateway import BasicAuth, Gateway
from gateway_local.errors import LocalGatewayError
from gateway_local.gateway import LocalGateway, LocalSettings
from tests.integration.gateway.conftest import PASSWORD
from tests.kit.programs import run_scenario

VALUES = Path(__file__).parents[2] / "data/gateway/values.yaml"

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def configured(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalGateway]:
    directory = tmp_path_factory.mktemp("configured")
    async with LocalGateway(LocalSettings(port=0, password=PASSWORD, directory=directory, config=[VALUES])) as gateway:
        yield gateway


async def test_our_client_meets_the_operators_options_and_limits(configured: LocalGateway) -> None:
    await run_scenario(sys.executable, "within_limits", address=configured.address, password=PASSWORD)


async def test_the_released_client_meets_the_operators_options_and_limits(
    configured: LocalGateway, released_environment: Path
) -> None:
    python = released_environment / "bin" / "python"
    await run_scenario(python, "within_limits", address=configured.address, password=PASSWORD)


async def test_an_administrator_sees_and_stops_the_cluster_of_another(configured: LocalGateway) -> None:
    def gateway(user: str) -> Gateway:
        return Gateway(configured.address, auth=BasicAuth(user, PASSWORD), asynchronous=True)

    async with gateway("bob") as bobs, gateway("root") as roots:
        cluster = await bobs.new_cluster(shutdown_on_close=False)
        assert await roots.list_clusters() == []
        (report,) = await roots.list_clusters(all_users=True)
        assert (report.name, report.user) == (cluster.name, "bob")

        await roots.stop_cluster(cluster.name)
        assert await bobs.list_clusters() == []
        await cluster.close()


async def test_a_mistake_in_the_file_is_told_before_anything_starts(tmp_path: Path) -> None:
    broken = tmp_path / "values.yaml"
    broken.write_text("gateway: {backend: {idleTimout: 60}}\n")
    with pytest.raises(LocalGatewayError, match=r"gateway\.backend\.idleTimout.*idleTimeout"):
        LocalGateway(LocalSettings(port=0, directory=tmp_path, config=[broken]))
