"""The programs that releases are checked with, and the environments that images hold; `make setup-tests` makes them."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

#: Runs a program and returns how it went.
Run = Callable[..., subprocess.CompletedProcess[str]]


def environment_of(name: str) -> Path:
    directory = ROOT / f".venv-{name}"
    if not (directory / ".ready").exists():
        pytest.skip(f"{directory.name} is not made: `make setup-tests` does it")
    return directory


@pytest.fixture(scope="session")
def release_tool() -> Run:
    """Run one of the programs of requirements/release.in at the root of the repository."""
    programs = environment_of("release") / "bin"

    def run(program: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [programs / program, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
        )

    return run
