"""The command: `python -m release version | bump VERSION | notes | dist | sbom`."""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from release.changelog import read_notes
from release.chart import build_chart
from release.packages import build_packages
from release.places import DIST, ROOT
from release.sbom import build_sboms
from release.version import VersionError, read_version, write_version


def main() -> None:
    parser = argparse.ArgumentParser(prog="release", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("version", help="print the version; exit with 1 if there are several")
    bump = commands.add_parser("bump", help="change the version everywhere")
    bump.add_argument("version", metavar="VERSION")
    commands.add_parser(
        "notes", help="print what CHANGELOG.md says of the version; exit with 1 if it is not yet released"
    )
    for name, what in (("dist", "wheels, source packages, chart and bills of materials"), ("sbom", "the latter alone")):
        commands.add_parser(name, help=f"build {what}").add_argument("--directory", type=Path, default=DIST)
    arguments = parser.parse_args()
    try:
        _run(arguments)
    except VersionError as error:
        sys.exit(f"release: {error}")


def _run(arguments: argparse.Namespace) -> None:
    if arguments.command == "version":
        print(read_version())
        return
    if arguments.command == "notes":
        print(read_notes(read_version()))
        return
    if arguments.command == "bump":
        write_version(arguments.version)
        print("docs/releasing.md says what comes next.")
        return
    read_version()
    directory, epoch = arguments.directory.resolve(), _epoch()
    if arguments.command == "dist":
        # what another version has left there is not to be published with this one
        shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True, exist_ok=True)
    build_sboms(directory, epoch)
    if arguments.command == "dist":
        build_packages(directory, epoch)
        build_chart(directory, epoch)


def _epoch() -> int:
    """The time of a release, in seconds since 1970: that of its commit, unless SOURCE_DATE_EPOCH says otherwise."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if given is None:
        command = ["git", "log", "-1", "--format=%ct"]
        given = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return int(given)


if __name__ == "__main__":
    main()
