"""Puts the configuration together from all its sources, and remembers where each value came from."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

import orjson
from pydantic import ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from dask_gateway_server.backends.resolve import load_cluster_config_class
from gateway_common.config_errors import dotted
from gateway_common.configuration.backends import backend_problems
from gateway_common.configuration.code_objects import load_options
from gateway_common.configuration.environment import DEFAULT_PREFIX, FILES_VARIABLE, read_variables, variable_of
from gateway_common.configuration.known_keys import chart_defaults
from gateway_common.configuration.model import Configuration
from gateway_common.configuration.option_checks import check_declarations
from gateway_common.configuration.problems import ENVIRONMENT, Problem, raise_problems, reasons
from gateway_common.configuration.python_code import CodeBlock, run_code
from gateway_common.configuration.sources import Path, Source
from gateway_common.configuration.values_file import Values, merge_values, read_values
from gateway_common.configuration.values_settings import place_setting, settings_of_values
from gateway_common.configuration.values_text import read_text
from gateway_common.errors import InvalidConfig

VALUES_FILES = (".yaml", ".yml", ".json")
_EXTRA_CONFIG = ("gateway", "extraConfig")


@dataclass(frozen=True, slots=True)
class Loaded:
    """The configuration, and where each setting that is not at its default came from."""

    configuration: Configuration
    sources: Mapping[Path, Source]


class _FromFiles(Configuration):
    """Takes what it is given: the environment was read already."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


def read_configuration() -> Configuration:
    """The configuration of this process: its environment, and the files that are named there.

    Raises InvalidConfig, whose text names everything that is wrong, a line each, and no secret.
    """
    return load_configuration(configured_files()).configuration


def configured_files(environ: Mapping[str, str] = os.environ) -> list[FilePath]:
    """The files that the environment names: a JSON list, or paths with colons between them."""
    text = environ.get(FILES_VARIABLE, "").strip()
    if not text.startswith("["):
        return [FilePath(part) for part in text.split(":") if part]
    try:
        return [FilePath(part) for part in orjson.loads(text)]
    except (ValueError, TypeError):
        raise InvalidConfig(f"{FILES_VARIABLE}: expected a list of paths as JSON, or paths with `:` between") from None


def load_configuration(
    files: Sequence[FilePath], environ: Mapping[str, str] = os.environ, *, instance: str | None = None
) -> Loaded:
    """The configuration from files and variables.

    Parameters
    ----------
    files
        Values files (.yaml, .yml, .json), which are merged in order, and Python code (.py), which runs after them.
    instance
        What the installation is called where nothing says so: the chart names it.

    Raises InvalidConfig: all that is wrong, a line each.
    """
    problems = [
        Problem(str(file), "", "is neither a values file (.yaml, .yml, .json) nor Python code (.py)")
        for file in files
        if file.suffix not in (*VALUES_FILES, ".py")
    ]
    values = read_values([file for file in files if file.suffix in VALUES_FILES])
    variables, defaults = read_variables(environ), read_variables(environ, DEFAULT_PREFIX)
    problems += [*values.problems, *variables.problems, *defaults.problems]
    tree: dict[str, Any] = {} if instance is None else {"instance": instance}
    sources: dict[Path, Source] = {}
    _lay_over(tree, sources, defaults.settings, defaults.sources)
    _lay_over(tree, sources, *settings_of_values(values))
    blocks, unreadable = _code(values, [file for file in files if file.suffix == ".py"])
    if blocks:
        try:
            assigned = run_code(blocks, values=merge_values(chart_defaults(), values.tree), settings=tree)
        except InvalidConfig as error:
            problems += [Problem("", "", str(error))]
        else:
            problems += assigned.problems
            _lay_over(tree, sources, assigned.settings, assigned.sources)
    _merge_over(tree, sources, variables.settings, variables.sources)
    configuration, wrong = _validate(tree, sources)
    raise_problems([*problems, *unreadable, *wrong])
    assert configuration is not None
    return Loaded(configuration, sources)


def _code(values: Values, files: Sequence[FilePath]) -> tuple[list[CodeBlock], list[Problem]]:
    """The blocks in values files, in the order of their keys, then the files of code; and those that can't be read."""
    extra = values.tree.get("gateway", {}).get("extraConfig", {})
    name, origin = ".".join(_EXTRA_CONFIG), values.files.get(_EXTRA_CONFIG, (None,))[-1]
    named = {name: extra} if isinstance(extra, str) else {f"{name}.{key}": extra[key] for key in sorted(extra)}
    blocks = [CodeBlock(name=key, source=source, file=origin) for key, source in named.items() if source.strip()]
    problems: list[Problem] = []
    for file in files:
        text, unreadable = read_text(file)
        problems += unreadable
        blocks += [] if unreadable else [CodeBlock(name=str(file), source=text, file=file)]
    return blocks, problems


def _lay_over(
    tree: dict[str, Any], known: dict[Path, Source], settings: Mapping[Path, Any], sources: Mapping[Path, Source]
) -> None:
    for path, value in settings.items():
        place_setting(tree, path, value)
    known.update(sources)


def _merge_over(
    tree: dict[str, Any], known: dict[Path, Source], settings: Mapping[Path, Any], sources: Mapping[Path, Source]
) -> None:
    """Variables add to mappings, such as labels, that files give."""
    for path, value in settings.items():
        present: Any = tree
        for part in path:
            present = present.get(part) if isinstance(present, Mapping) else None
        both = isinstance(present, Mapping) and isinstance(value, Mapping)
        place_setting(tree, path, {**present, **value} if both else value)
    known.update(sources)


def _validate(tree: dict[str, Any], sources: Mapping[Path, Source]) -> tuple[Configuration | None, list[Problem]]:
    """The configuration, or what is wrong in the whole of it."""
    problems = [*backend_problems(tree, sources), *_object_problems(tree, sources)]
    try:
        read = _FromFiles(**tree)
    except ValidationError as error:
        wrong = list(reasons(error, Configuration))
        told = {("backend",)} if problems else set()
        problems += [_problem(place, text, sources) for place, text in wrong if place[:1] not in told]
        return None, problems
    fields = {name: getattr(read, name) for name in Configuration.model_fields}
    configuration = Configuration.model_construct(_fields_set=read.model_fields_set, **fields)
    return configuration, [*problems, *_option_problems(configuration, sources)]


def _object_problems(tree: Mapping[str, Any], sources: Mapping[Path, Source]) -> Iterator[Problem]:
    """What stands for the operator's code and is none."""
    for name, load in (("cluster_options", load_options), ("cluster_config_class", load_cluster_config_class)):
        try:
            if tree.get(name):
                load(tree[name])
        except InvalidConfig as error:
            yield _problem((name,), str(error), sources)


def _option_problems(configuration: Configuration, sources: Mapping[Path, Source]) -> Iterator[Problem]:
    for text in check_declarations(configuration):
        groups = (name for name in configuration.groups if text.startswith(f"gateway.groups.{name}.options"))
        place: Path = next((("groups", name, "options") for name in groups), ("options",))
        source = sources.get(place)
        yield Problem(source.place if source else "", "", text)


def _problem(place: Path, reason: str, sources: Mapping[Path, Source]) -> Problem:
    """Named by the source of what is wrong, or of all that together is."""
    for length in range(len(place), 0, -1):
        if source := sources.get(place[:length]):
            return Problem(source.place, dotted((source.key, *place[length:])), reason)
    members = [source for path, source in sources.items() if path[: len(place)] == place]
    if not members:
        return Problem(ENVIRONMENT, variable_of(place), reason)
    return Problem(members[0].place, " and ".join(source.key for source in members), reason)
