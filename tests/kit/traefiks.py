"""Traefik in the versions that the chart is tested with: the oldest, one between, and the one of its default tag."""

from pathlib import Path

from gateway_local.traefik import find_traefik
from tests.kit.environments import find_environment

#: "" is the one of our own environment.
VERSIONS = ("3.3", "3.5", "")
_ENVIRONMENTS = {"3.3": "released", "3.5": "traefik-3.5"}


def find_version(version: str) -> Path:
    """The program; the test is skipped where it is not installed."""
    return find_environment(_ENVIRONMENTS[version]) / "bin/traefik" if version else find_traefik()
