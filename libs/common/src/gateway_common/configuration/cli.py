"""The `gateway` command: look at a configuration, and check one, without starting anything."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path as FilePath

import orjson

from gateway_common.configuration.code_changes import lookup
from gateway_common.configuration.environment import FILES_VARIABLE
from gateway_common.configuration.loading import VALUES_FILES, Loaded, configured_files, load_configuration
from gateway_common.configuration.shown import shown
from gateway_common.configuration.values_file import read_values
from gateway_common.errors import InvalidConfig

#: Stands for the installation's name, which the chart gives.
_INSTANCE = "dask-gateway"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command. Exits with 1 where the configuration is wrong, and with 2 where the command line is."""
    options = _parser().parse_args(arguments)
    try:
        files = options.files or configured_files()
        if options.command == "check" and not files:
            sys.exit(f"gateway config check: give the files to check, or name them in {FILES_VARIABLE}")
        unknown = _set_variables(files)
        loaded = load_configuration(files, os.environ, instance=_INSTANCE)
    except InvalidConfig as error:
        hint = f"\ngateway.env takes from Kubernetes, so not here: {', '.join(unknown)}" if unknown else ""
        sys.exit(f"{error}{hint}")
    if options.command == "check":
        print(f"OK: {', '.join(map(str, files))}")  # noqa: T201  # a command's answer
    else:
        sys.stdout.write(_json(loaded) if options.json else _lines(loaded))


def _set_variables(files: Sequence[FilePath]) -> list[str]:
    """Give code the variables that the chart would, where it would; the names of those whose values only it has."""
    values = read_values([file for file in files if file.suffix in VALUES_FILES])
    env = lookup(values.tree, ("gateway", "env")) or ()
    named = {entry["name"]: entry.get("value") for entry in env if entry.get("name", "") not in {"", *os.environ}}
    os.environ.update({name: value for name, value in named.items() if value is not None})
    return sorted(name for name, value in named.items() if value is None)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="gateway", description=__doc__)
    config = parser.add_subparsers(required=True, metavar="config").add_parser("config", help="about the configuration")
    commands = config.add_subparsers(dest="command", required=True)
    show = commands.add_parser("show", help="print every setting with its value and where that came from")
    show.add_argument("--json", action="store_true", help="print JSON")
    check = commands.add_parser("check", help="say everything that is wrong; exit with 1 if anything is")
    for command in (show, check):
        command.add_argument(
            "files",
            nargs="*",
            type=FilePath,
            metavar="FILE",
            help=f"values files (.yaml, .yml, .json) and Python code (.py). Default: those in {FILES_VARIABLE}",
        )
    return parser


def _lines(loaded: Loaded) -> str:
    rows = [(setting.name, orjson.dumps(setting.value).decode(), setting.source) for setting in shown(loaded)]
    return "".join(f"{name} = {value}  # {source}\n" for name, value, source in rows)


def _json(loaded: Loaded) -> str:
    settings = {setting.name: {"value": setting.value, "source": setting.source} for setting in shown(loaded)}
    return orjson.dumps(settings, option=orjson.OPT_INDENT_2).decode() + "\n"


if __name__ == "__main__":
    main()
