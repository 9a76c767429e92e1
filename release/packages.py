"""Wheels and source packages of all members, the same bytes for the same sources."""

import os
import subprocess
import sys
from pathlib import Path

from release.places import MEMBERS


def build_packages(directory: Path, epoch: int) -> None:
    """Build them into a directory. `epoch` is the time of all that is in them, in seconds since 1970.

    Hatchling is here already, with its pinned version: so nothing is fetched. The source package comes first, since
    the wheel is made of the same files.
    """
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch)}
    for member in MEMBERS:
        command: list[str | Path] = [
            sys.executable,
            "-m",
            "hatchling",
            "build",
            "-d",
            directory,
            "-t",
            "sdist",
            "-t",
            "wheel",
        ]
        subprocess.run(command, cwd=member, env=environment, check=True)
