"""Traefik, in all versions that the chart works with."""

from pathlib import Path

import pytest

from tests.kit.traefiks import VERSIONS, find_version


@pytest.fixture(params=VERSIONS, ids=lambda version: version or "newest")
def traefik(request: pytest.FixtureRequest) -> Path:
    """Each test that takes it runs with each of them."""
    return find_version(request.param)
