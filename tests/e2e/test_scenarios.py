"""What users do, with our client and with the released one."""

import sys

import pytest

from tests.e2e.installation import Installation
from tests.integration.gateway.scenarios import ANYWHERE
from tests.kit.programs import run_scenario

NAMES = [scenario.__name__ for scenario in ANYWHERE]


def needs_a_password(installation: Installation, name: str) -> None:
    if name == "wrong_password" and not installation.password:
        pytest.skip("GATEWAY_PASSWORD is not set: any password will do")


@pytest.mark.parametrize("name", NAMES)
async def test_our_client(installation: Installation, name: str) -> None:
    needs_a_password(installation, name)
    await run_scenario(sys.executable, name, address=installation.address, password=installation.password)


@pytest.mark.parametrize("name", NAMES)
async def test_the_released_client(installation: Installation, name: str) -> None:
    needs_a_password(installation, name)
    python = installation.wanted("released_python")
    await run_scenario(python, name, address=installation.address, password=installation.password)
