"""What `make dist` makes: complete, of one version, and the same bytes whenever it is made."""

import json
import os
import re
import subprocess
import tarfile
import zipfile
from email.parser import Parser
from hashlib import sha256
from pathlib import Path

import helm_python
import pytest

from release.places import IMAGES, MEMBERS
from release.version import read_version
from tests.kit.environments import find_environment
from tests.unit.release.conftest import ROOT

VERSION = read_version()
EPOCH = 1_700_000_000


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("dist"))


def build(directory: Path) -> Path:
    python = find_environment("release") / "bin/python"
    command = [python, "-m", "release", "dist", "--directory", directory]
    # no index can be asked: all that is needed is there
    environment = {"PATH": os.environ["PATH"], "SOURCE_DATE_EPOCH": str(EPOCH), "PIP_NO_INDEX": "1"}
    subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=True)
    return directory


def packages() -> set[str]:
    return {
        re.search(r'^name = "(.+)"', (member / "pyproject.toml").read_text(), re.MULTILINE)[1] for member in MEMBERS
    }


def test_every_member_is_a_wheel_and_a_source_package(dist: Path) -> None:
    stems = {f"{name.replace('-', '_')}-{VERSION}" for name in packages()}
    assert {wheel.name for wheel in dist.glob("*.whl")} == {f"{stem}-py3-none-any.whl" for stem in stems}
    assert {source.name for source in dist.glob("*.tar.gz")} == {f"{stem}.tar.gz" for stem in stems}


def test_wheels_hold_the_sources_as_they_are_here(dist: Path) -> None:
    for member in MEMBERS:
        (name,) = re.findall(r'^name = "(.+)"', (member / "pyproject.toml").read_text(), re.MULTILINE)
        with zipfile.ZipFile(dist / f"{name.replace('-', '_')}-{VERSION}-py3-none-any.whl") as wheel:
            metadata = Parser().parsestr(wheel.read(f"{name.replace('-', '_')}-{VERSION}.dist-info/METADATA").decode())
            assert (metadata["Name"], metadata["Version"], metadata["License-Expression"]) == (
                name,
                VERSION,
                "BSD-3-Clause",
            )
            modules = {entry for entry in wheel.namelist() if entry.endswith(".py")}
        assert modules == {str(file.relative_to(member / "src")) for file in (member / "src").rglob("*.py")}


def test_the_chart_is_what_helm_reads_from_the_folder(dist: Path) -> None:
    packaged = helm_python.Chart.load(dist / f"dask-gateway-{VERSION}.tgz")
    here = helm_python.Chart.load(ROOT / "charts/dask-gateway")
    assert (packaged.name, packaged.version, packaged.metadata["appVersion"]) == ("dask-gateway", VERSION, VERSION)
    assert packaged.metadata == here.metadata
    assert packaged.values == here.values
    assert sorted(packaged.templates, key=str) == sorted(here.templates, key=str)
    with tarfile.open(dist / f"dask-gateway-{VERSION}.tgz") as archive:
        assert {(entry.mtime, entry.uid, entry.uname) for entry in archive.getmembers()} == {(EPOCH, 0, "")}


@pytest.mark.parametrize("image", IMAGES)
def test_a_bill_of_materials_names_all_that_is_pinned(dist: Path, image: str) -> None:
    bill = json.loads((dist / f"image-{image}.cdx.json").read_text())
    assert bill["bomFormat"] == "CycloneDX"
    assert bill["metadata"]["component"]["version"] == VERSION
    pins = re.findall(r"^([\w.-]+)==([\w.]+)", (ROOT / f"requirements/images/{image}.txt").read_text(), re.MULTILINE)
    assert {(part["name"], part["version"]) for part in bill["components"]} == set(pins)


def test_the_same_sources_give_the_same_bytes(dist: Path, tmp_path: Path) -> None:
    assert sums(build(tmp_path)) == sums(dist)


def sums(directory: Path) -> dict[str, str]:
    return {file.name: sha256(file.read_bytes()).hexdigest() for file in directory.iterdir()}
