"""What users do, with our client and with the released one, against one gateway."""

import sys
from pathlib import Path

import pytest

from gateway_local.gateway import LocalGateway, LocalSettings
from tests.integration.gateway import scenarios
from tests.integration.gateway.conftest import PASSWORD
from tests.kit.programs import run_scenario

NAMES = [scenario.__name__ for scenario in scenarios.SCENARIOS]

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize("name", NAMES)
async def test_our_client(gateway: LocalGateway, name: str) -> None:
    await run_scenario(sys.executable, name, address=gateway.address, password=PASSWORD)


@pytest.mark.parametrize("name", NAMES)
async def test_the_released_client(gateway: LocalGateway, released_environment: Path, name: str) -> None:
    python = released_environment / "bin" / "python"
    await run_scenario(python, name, address=gateway.address, password=PASSWORD)


async def test_an_image_with_only_the_released_package_works(tmp_path: Path, released_environment: Path) -> None:
    image = "example.org/released:2026.3.0"
    settings = LocalSettings(
        port=0,
        password=PASSWORD,
        directory=tmp_path,
        images={image: released_environment},
        environment={"DASK_GATEWAY__BACKEND__IMAGE": image},
    )
    async with LocalGateway(settings) as gateway:
        python = released_environment / "bin" / "python"
        await run_scenario(python, "main_job", address=gateway.address, password=PASSWORD)
