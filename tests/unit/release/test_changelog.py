"""What is said with a release is what the changelog says."""

from pathlib import Path

import pytest

from release.changelog import read_notes
from release.version import VersionError


@pytest.fixture
def changelog(tmp_path: Path) -> Path:
    file = tmp_path / "CHANGELOG.md"
    file.write_text(
        "# Changelog\n\n## 2031.3.0 (unreleased)\n\n- new\n\n## 2031.2.0 (2031-02-07)\n\n### Better\n- old\n"
    )
    return file


def test_the_words_are_those_of_the_version(changelog: Path) -> None:
    assert read_notes("2031.2.0", changelog) == "### Better\n- old"


@pytest.mark.parametrize(
    ("version", "why"), [("2031.3.0", "no date for 2031.3.0"), ("2031.1.0", "nothing of 2031.1.0")]
)
def test_a_version_without_words_or_date_is_not_released(changelog: Path, version: str, why: str) -> None:
    with pytest.raises(VersionError, match=why):
        read_notes(version, changelog)
