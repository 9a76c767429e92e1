"""Install each member alone, with the pinned versions, and import every module of it.

    python tests/isolated.py --uv UV MEMBER...

A member that imports what it does not declare fails here, and only here: everywhere else its siblings bring it along.
"""

import argparse
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

_IMPORT_ALL = """
import importlib, pkgutil, sys
for name in sys.argv[1:]:
    package = importlib.import_module(name)
    for module in pkgutil.walk_packages(package.__path__, name + "."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
"""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--uv", required=True)
    parser.add_argument("members", nargs="+", type=Path)
    arguments = parser.parse_args()
    sources = {_project(member)["name"]: member for member in arguments.members}
    failed = [member for member in arguments.members if not _works_alone(arguments.uv, member, sources)]
    print(f"{len(arguments.members) - len(failed)} passed, {len(failed)} failed")
    sys.exit(bool(failed))


def _works_alone(uv: str, member: Path, sources: dict[str, Path]) -> bool:
    with tempfile.TemporaryDirectory() as directory:
        environment = Path(directory)
        _run(uv, "venv", "-q", "-p", sys.executable, directory)
        siblings = _with_siblings(member, sources) - {member}
        wanted = [f"{member}{_extras(member)}", *map(str, siblings)]
        constraints = ["--constraint", "requirements/dev.txt"]
        _run(uv, "pip", "install", "-q", "-p", directory, *constraints, *wanted)
        packages = [path.name for path in (member / "src").iterdir()]
        outcome = subprocess.run(
            [environment / "bin" / "python", "-c", _IMPORT_ALL, *packages], capture_output=True, text=True, check=False
        )
    print(f"{member}: {'ok' if outcome.returncode == 0 else outcome.stderr.strip().splitlines()[-1]}")
    return outcome.returncode == 0


def _extras(member: Path) -> str:
    """What modules that are imported on demand need. Kerberos is left out: it takes a C library of the system's."""
    extras = sorted(set(_project(member).get("optional-dependencies", {})) - {"kerberos"})
    return f"[{','.join(extras)}]" if extras else ""


def _with_siblings(member: Path, sources: dict[str, Path]) -> set[Path]:
    """The member, and those of this repository that it declares: no index has them."""
    found = {member}
    for requirement in _project(member)["dependencies"]:
        if requirement in sources and sources[requirement] not in found:
            found |= _with_siblings(sources[requirement], sources)
    return found


def _project(member: Path) -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((member / "pyproject.toml").read_text())["project"]
    return project


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
