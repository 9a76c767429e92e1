"""Traefik in the versions that the chart is tested with: the oldest, one between, and the one of its default tag."""

from pathlib import Path

import pytest

from gateway_local.traefik import find_traefik

#: "" is the one of our own environment.
VERSIONS = ("3.3", "3.5", "")
_ROOT = Path(__file__).parents[2]
_ENVIRONMENTS = {"3.3": ".venv-released", "3.5": ".venv-traefik-3.5"}


def find_version(version: str) -> Path:
    """The program; the test is skipped where it is not installed."""
    if not version:
        return find_traefik()
    environment = _ROOT / _ENVIRONMENTS[version]
    if not (environment / ".ready").exists():
        pytest.skip(f"Traefik {version} is not installed: `make {environment.name}/.ready` does it")
    return environment / "bin/traefik"
