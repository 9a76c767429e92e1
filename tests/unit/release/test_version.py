"""One version for repository, packages, images and chart."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from release.places import IMAGES, MEMBERS
from release.version import VersionError, places, read_version, write_version
from tests.unit.release.conftest import ROOT


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A copy of the files that carry the version."""
    for place in places():
        copy = tmp_path / place.file.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(place.file, copy)
    return tmp_path


def test_all_parts_have_one_version() -> None:
    version = read_version()
    assert re.fullmatch(r"\d{4}\.\d{1,2}\.\d+", version)
    assert {place.file.parent for place in places()} >= {ROOT, *MEMBERS, ROOT / "charts/dask-gateway"}
    assert f"\n## {version}" in (ROOT / "CHANGELOG.md").read_text()


def test_images_are_tagged_and_labelled_with_it() -> None:
    planned = subprocess.run(
        ["make", "--no-print-directory", "-n", "images"],
        cwd=ROOT,
        # not with the variables of a make that runs these tests
        env={name: value for name, value in os.environ.items() if name != "ARGS" and "MAKE" not in name},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert planned.split() == ["images/build.sh", "ghcr.io/dask", read_version()]
    script = (ROOT / "images/build.sh").read_text()
    assert f"${{IMAGES:-{' '.join(IMAGES)}}}" in script


def test_a_new_version_gets_everywhere_and_changes_nothing_else(repository: Path) -> None:
    before = {place.file: place.file.read_text() for place in places(repository)}
    write_version("2031.2.0", repository)
    assert read_version(repository) == "2031.2.0"
    for file, text in before.items():
        assert file.read_text().replace("2031.2.0", read_version()) == text


@pytest.mark.parametrize("version", ["1.0.0", "2031.13.0", "2031.1", "2031.01.0", "2031.1.0rc1", "2020.1.0"])
def test_what_is_no_step_forward_is_refused_and_changes_nothing(repository: Path, version: str) -> None:
    with pytest.raises(VersionError, match=re.escape(version)):
        write_version(version, repository)
    assert read_version(repository) == read_version()


def test_parts_that_disagree_are_found(repository: Path) -> None:
    chart = repository / "charts/dask-gateway/Chart.yaml"
    chart.write_text(chart.read_text().replace("appVersion: ", "appVersion: 1"))
    with pytest.raises(VersionError, match="several versions"):
        read_version(repository)
