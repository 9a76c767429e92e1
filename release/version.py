"""The one version of repository, packages, images and chart: where it stands, and how it is changed.

Each part of the project has to carry it itself: a package can't look into the repository that it was built from.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from release.places import CHART, MEMBERS, ROOT

#: Calendar versions that PEP 440 and semantic versioning, which charts need, read alike: no zero stands before a month.
_VERSION = re.compile(r"20\d\d\.(?:[1-9]|1[0-2])\.(?:0|[1-9]\d*)")


class VersionError(Exception):
    """The version can't be what was asked for, or the repository has no single one."""


@dataclass(frozen=True)
class Place:
    """A line in a file. `before` and `after` are what stands around the version in it."""

    file: Path
    before: str
    after: str = ""

    def read(self) -> str:
        """The version that stands there; raises VersionError if the line is not there exactly once."""
        found = self._line.findall(self.file.read_text())
        if len(found) != 1:
            raise VersionError(f"{self.file}: {len(found)} lines begin with {self.before!r}")
        return str(found[0])

    def write(self, version: str) -> None:
        """Put another one there."""
        text = self._line.sub(lambda _: f"{self.before}{version}{self.after}", self.file.read_text())
        self.file.write_text(text)

    @property
    def _line(self) -> re.Pattern[str]:
        return re.compile(f"^{re.escape(self.before)}(.*){re.escape(self.after)}$", re.MULTILINE)


def places(root: Path = ROOT) -> Iterator[Place]:
    """All of them; what `make docs` generates follows by itself."""
    yield Place(root / "pyproject.toml", 'version = "', '"')
    for member in MEMBERS:
        yield Place(root / member.relative_to(ROOT) / "pyproject.toml", 'version = "', '"')
    yield Place(root / "libs/common/src/gateway_common/__init__.py", '__version__ = "', '"')
    for key in ("version: ", "appVersion: "):
        yield Place(root / CHART.relative_to(ROOT) / "Chart.yaml", key)


def read_versions(root: Path = ROOT) -> Mapping[Place, str]:
    """The version at each place."""
    return {place: place.read() for place in places(root)}


def read_version(root: Path = ROOT) -> str:
    """The version; raises VersionError if the places do not agree."""
    found = set(read_versions(root).values())
    if len(found) != 1:
        raise VersionError(f"the repository has several versions: {', '.join(sorted(found))}")
    return found.pop()


def write_version(version: str, root: Path = ROOT) -> None:
    """Change it everywhere. Raises VersionError, and changes nothing, where it is none or is no step forward."""
    if not _VERSION.fullmatch(version):
        raise VersionError(f"{version!r} is no version: it is to be YEAR.MONTH.NUMBER, such as 2026.11.0")
    if _parts(version) <= _parts(read_version(root)):
        raise VersionError(f"{version} does not come after {read_version(root)}")
    for place in places(root):
        place.write(version)


def _parts(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]
