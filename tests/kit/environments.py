"""Environments besides the tests' own: the released client, what images hold, tools; `make setup-tests` makes them."""

from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]


def find_environment(name: str) -> Path:
    """The folder of `.venv-<name>`; the test is skipped where it is not made."""
    directory = _ROOT / f".venv-{name}"
    if not (directory / ".ready").exists():
        pytest.skip(f"{directory.name} is not made: `make setup-tests` does it")
    return directory
