"""What the changelog says of a version: the words of its release."""

import re
from pathlib import Path

from release.places import ROOT
from release.version import VersionError

CHANGELOG = ROOT / "CHANGELOG.md"


def read_notes(version: str, changelog: Path = CHANGELOG) -> str:
    """The section of a version, without its heading. Raises VersionError where there is none, or none with a date."""
    sections = re.split(r"^## (.+)\n", changelog.read_text(), flags=re.MULTILINE)[1:]
    for heading, text in zip(sections[::2], sections[1::2], strict=True):
        name, _, date = heading.partition(" ")
        if name == version:
            if not re.fullmatch(r"\(\d{4}-\d\d-\d\d\)", date):
                raise VersionError(f"{changelog.name} has no date for {version}: its heading is {heading!r}")
            return text.strip()
    raise VersionError(f"{changelog.name} says nothing of {version}")
