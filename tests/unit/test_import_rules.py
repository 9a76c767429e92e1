"""Every import rule is proven by breaking it: in a copy of the sources, one import that must not be."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted([*ROOT.glob("libs/*/src/*"), *ROOT.glob("services/*/src/*")])

BREACHES = {
    "common may not import a web framework": ("gateway_common/breach.py", "import starlette"),
    "common may not import a service": ("gateway_common/breach.py", "import gateway_api"),
    "a service may not import another": ("gateway_api/breach.py", "import gateway_controller"),
    "a service may not import the client": ("gateway_auth/breach.py", "import dask_gateway"),
    "a service may not import the local gateway": ("gateway_controller/breach.py", "import gateway_local"),
    "the client may not import ours": ("dask_gateway/breach.py", "import gateway_common"),
    "the core may not do I/O": ("gateway_controller/core/breach.py", "import asyncio"),
    "builders of manifests may not talk to Kubernetes": (
        "gateway_common/manifests/breach.py",
        "import gateway_common.kube",
    ),
    "only kube.py may import kr8s": ("gateway_api/breach.py", "import kr8s"),
}


@pytest.fixture
def copied_sources(tmp_path: Path) -> Path:
    for source in SOURCES:
        shutil.copytree(source, tmp_path / source.name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / ".importlinter", tmp_path)
    return tmp_path


def lint_imports(directory: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(directory)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_sources_keep_the_import_rules(copied_sources: Path) -> None:
    outcome = lint_imports(copied_sources)
    assert outcome.returncode == 0, outcome.stdout


@pytest.mark.parametrize("breach", BREACHES)
def test_a_breach_is_found(copied_sources: Path, breach: str) -> None:
    path, statement = BREACHES[breach]
    (copied_sources / path).write_text(f"{statement}\n")
    outcome = lint_imports(copied_sources)
    assert outcome.returncode == 1, outcome.stdout
    assert "BROKEN" in outcome.stdout


@pytest.mark.parametrize(
    "statement",
    ["import time\ntime.time()", "import uuid\nuuid.uuid4()", "import random\nrandom.random()"],
    ids=["clock", "uuid", "random"],
)
@pytest.mark.parametrize(
    "package",
    ["services/controller/src/gateway_controller/core", "libs/common/src/gateway_common/manifests"],
    ids=["core", "manifests"],
)
def test_pure_packages_read_no_clock_and_throw_no_dice(package: str, statement: str) -> None:
    outcome = subprocess.run(
        [
            Path(sys.executable).parent / "ruff",
            "check",
            "--no-cache",
            "--stdin-filename",
            ROOT / package / "breach.py",
            "-",
        ],
        input=f'"""A breach."""\n\n{statement}\n',
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 1
    assert "TID251" in outcome.stdout
