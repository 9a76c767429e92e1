"""The programs that releases are checked with."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kit.environments import find_environment

ROOT = Path(__file__).parents[3]

#: Runs a program and returns how it went.
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def release_tool() -> Run:
    """Run one of the programs of requirements/release.in at the root of the repository."""
    programs = find_environment("release") / "bin"

    def run(program: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [programs / program, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
        )

    return run
