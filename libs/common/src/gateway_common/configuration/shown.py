"""The resolved configuration as it may be shown: every setting with its value and its source, secrets hidden."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from pydantic import BaseModel, SecretStr

from gateway_common.config import ClusterConfig
from gateway_common.config_types import Purpose
from gateway_common.configuration.groups import SettingsGroup
from gateway_common.configuration.loading import Loaded
from gateway_common.configuration.sources import Path, Source

HIDDEN = "********"
DEFAULT = "default"

#: Names whose values are not shown, wherever they are: of variables, and in configuration that only others understand.
_SECRET_NAME = re.compile(r"secret|token|passw|credential|private|api_?key|[._-]key$", re.IGNORECASE)
#: Names that look so, and hold no more than names.
_HARMLESS = {"environment_secrets", "imagePullSecrets", "secret", "secretKeyRef", "secretName", "secretRef"}
#: Nobody knows here what an operator's class keeps secret.
_ALL_SECRET: Path = ("auth", "custom", "config")


@dataclass(frozen=True, slots=True)
class Shown:
    """One setting. `value` is what JSON can express."""

    path: Path
    value: Any
    source: str

    @property
    def name(self) -> str:
        return ".".join(self.path)


def shown(loaded: Loaded) -> Iterator[Shown]:
    """All settings, in the order of the model, those of clusters and groups with them."""
    for path, value in _settings(loaded.configuration, ()):
        if path == ("backend",):
            fields = _cluster_fields(value)
            for name in ClusterConfig.model_fields:
                yield _show((*path, name), getattr(fields, name), loaded.sources)
        else:
            yield _show(path, value, loaded.sources)


def _cluster_fields(values: Mapping[str, Any]) -> ClusterConfig:
    """As they are understood: memory in bytes, and so on."""
    return ClusterConfig.model_validate(values, context=Purpose.OVERRIDES)


def _settings(model: BaseModel, where: Path) -> Iterator[tuple[Path, Any]]:
    for name in type(model).model_fields:
        value, path = getattr(model, name), (*where, name)
        if isinstance(value, SettingsGroup):
            yield from _settings(value, path)
        elif path == ("groups",) and value:
            for group, settings in value.items():
                yield from (entry for entry in _settings_of_group(settings, (*path, group)) if entry[1] is not None)
        else:
            yield path, value


def _settings_of_group(settings: SettingsGroup, where: Path) -> Iterator[tuple[Path, Any]]:
    """Those that are set: what is not, is as it is for everybody."""
    for path, value in _settings(settings, where):
        if path == (*where, "backend"):
            yield from (((*path, name), getattr(_cluster_fields(value), name)) for name in value)
        elif path[len(where)] in settings.model_fields_set:
            yield path, value


def _show(path: Path, value: Any, sources: Mapping[Path, Source]) -> Shown:
    if path[-1] == "environment_secrets":
        # no more than where the secrets are
        shown_value = {name: key.model_dump() for name, key in value.items()}
    elif path == _ALL_SECRET:
        shown_value = dict.fromkeys(value, HIDDEN)
    else:
        shown_value = _hide(value)
    return Shown(path, shown_value, _source(path, sources))


def _source(path: Path, sources: Mapping[Path, Source]) -> str:
    for length in range(len(path), 0, -1):
        if source := sources.get(path[:length]):
            return str(source)
    # what is put together from several settings, as groups of workers are
    parts = dict.fromkeys(str(source) for place, source in sources.items() if place[: len(path)] == path)
    return ", ".join(parts) or DEFAULT


def _hide(value: Any) -> Any:
    """As JSON, without secrets."""
    if isinstance(value, BaseModel):
        return _hide(value.model_dump())
    if isinstance(value, Mapping):
        return {str(name): _hide_entry(str(name), part, value) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_hide(part) for part in value]
    return value if isinstance(value, bool | int | float | str | None) else _describe(value)


def _hide_entry(name: str, value: Any, beside: Mapping[str, Any]) -> Any:
    """One of a mapping. In lists of variables the name stands beside the value."""
    named = str(beside.get("name", "")) if name == "value" else name
    plain = value is None or isinstance(value, bool | int | float)
    return HIDDEN if not plain and named not in _HARMLESS and _SECRET_NAME.search(named) else _hide(value)


def _describe(value: Any) -> str:
    """What JSON has no words for."""
    if isinstance(value, SecretStr):
        return HIDDEN
    if isinstance(value, FilePath):
        return str(value)
    if isinstance(value, type):
        # configuration code is no module: its classes pass for built-in ones
        return value.__qualname__ if value.__module__ == "builtins" else f"{value.__module__}.{value.__qualname__}"
    return f"<{getattr(value, '__qualname__', type(value).__name__)}>"
