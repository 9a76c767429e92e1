"""Every key that a values file may have: those of the model's fields, and those of the chart alone.

Loading, the reference page and the chart's schema all go by this.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from gateway_common.config import ClusterConfig
from gateway_common.configuration.chart_keys import chart_keys
from gateway_common.configuration.limits import Amounts, GroupLimits
from gateway_common.configuration.model import Configuration
from gateway_common.configuration.options import GroupSettings
from gateway_common.configuration.sources import Path
from gateway_common.setting import unit_of, values_of
from gateway_common.worker_groups import WorkerGroup

#: Where the name of a group, of users or of workers, stands in keys and in paths of settings.
ANY_NAME = "*"
BACKEND = "gateway.backend"
GROUP = f"gateway.groups.{ANY_NAME}"

#: Where the chart's default is not the field's: the reference chart says it in words of its own, or the chart knows a
#: better one than can be written down.
_CHART_DEFAULTS: Mapping[str, Any] = {
    "gateway.prefix": "/",
    "gateway.loglevel": "INFO",
    "controller.loglevel": "INFO",
    "controller.proxyWebEntrypoint": None,
    "controller.proxyTcpEntrypoint": None,
}


@dataclass(frozen=True, slots=True)
class Key:
    """One key that takes a value."""

    path: Path
    #: As pydantic understands it, constraints included.
    type: Any
    description: str
    unit: str = ""
    #: The chart's; None: not set.
    default: Any = None
    #: What it sets; none for keys of the chart alone.
    settings: tuple[Path, ...] = ()

    @property
    def name(self) -> str:
        return ".".join(self.path)

    @property
    def cluster_field(self) -> str | None:
        """The field of a cluster's configuration that it sets."""
        return self.settings[0][-1] if self.settings and "backend" in self.settings[0][:-1] else None


@dataclass(slots=True)
class Section:
    """A mapping whose keys are known."""

    path: Path = ()
    keys: dict[str, "Key | Section"] = field(default_factory=dict)
    #: What stands below any name, where names are the operator's.
    each: "Section | None" = None
    #: What it sets where plain text stands in its place.
    text: Key | None = None

    def add(self, key: Key) -> None:
        """Put a key in its place, with the sections on its way."""
        here = self
        for depth, part in enumerate(key.path[:-1], start=1):
            path = key.path[:depth]
            if part == ANY_NAME:
                here.each = here.each or Section(path)
                here = here.each
                continue
            there = here.keys.setdefault(part, Section(path))
            if isinstance(there, Key):
                there = here.keys[part] = Section(path, text=there)
            here = there
        here.keys[key.path[-1]] = key


@cache
def all_keys() -> Mapping[str, Key]:
    """By their names; `*` stands for any name."""
    keys: dict[str, Key] = {}
    for key in (*_model_keys(Configuration, ()), *_backend_keys(), *_limit_keys(), *_group_keys()):
        known = keys.get(key.name)
        keys[key.name] = replace(known, settings=(*known.settings, *key.settings)) if known else key
    for chart_key in chart_keys():
        path = tuple(chart_key.name.split("."))
        keys[chart_key.name] = Key(path, chart_key.type, chart_key.description, default=chart_key.default)
    return MappingProxyType(keys)


@cache
def known_keys() -> Section:
    """The same as a tree."""
    root = Section()
    for key in all_keys().values():
        root.add(key)
    return root


def chart_defaults() -> dict[str, Any]:
    """The chart's values where an operator sets none."""
    return _defaults(known_keys())


def _defaults(section: Section) -> dict[str, Any]:
    return {
        name: _defaults(below) if isinstance(below, Section) else below.default for name, below in section.keys.items()
    }


def _model_keys(model: type[BaseModel], where: Path) -> Iterator[Key]:
    for name, info in model.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            yield from _model_keys(info.annotation, (*where, name))
        for values_key in values_of(info):
            yield _key(values_key, info, (*where, name), _chart_default(values_key, info))


def _chart_default(values_key: str, info: FieldInfo) -> Any:
    default = _CHART_DEFAULTS.get(values_key, None if info.is_required() else info.default)
    return default if isinstance(default, str | bool | int | float | list | dict | None) and default != "" else None


def _backend_keys(prefix: str = BACKEND, where: Path = ("backend",)) -> Iterator[Key]:
    """Those of a cluster's configuration. What they are not set to, the built-in default is."""
    for name, info in ClusterConfig.model_fields.items():
        for values_key in values_of(info):
            if name == "worker_groups":
                yield from _worker_group_keys(f"{prefix}.{values_key}.{ANY_NAME}", (*where, name, ANY_NAME))
            else:
                default = info.default if info.default in ({}, []) else None
                yield _key(f"{prefix}.{values_key}", info, (*where, name), default)
    image, _, tag = str(ClusterConfig.model_fields["image"].default).rpartition(":")
    of_general = prefix == BACKEND
    for part, usual, text in (("name", image, "without its tag"), ("tag", tag, "its tag alone")):
        path = (*prefix.split("."), "image", part)
        yield Key(path, str, f"The image of scheduler and workers, {text}.", default=usual if of_general else None)


def _worker_group_keys(prefix: str, where: Path) -> Iterator[Key]:
    for name, info in WorkerGroup.model_fields.items():
        for values_key in values_of(info):
            yield _key(f"{prefix}.{values_key}", info, (*where, name), None)
    for part, text in (("name", "without its tag"), ("tag", "its tag alone")):
        yield Key((*prefix.split("."), "image", part), str, f"The image of the group's workers, {text}.")


def _limit_keys() -> Iterator[Key]:
    for owner in ("user", "total"):
        yield from _amounts(f"gateway.limits.{owner}", ("limits", owner))


def _group_keys() -> Iterator[Key]:
    where: Path = ("groups", ANY_NAME)
    for name in ("priority", "options"):
        yield _key(f"{GROUP}.{name}", GroupSettings.model_fields[name], (*where, name), None)
    yield from _backend_keys(f"{GROUP}.backend", (*where, "backend"))
    for owner in GroupLimits.model_fields:
        yield from _amounts(f"{GROUP}.limits.{owner}", (*where, "limits", owner))


def _amounts(prefix: str, where: Path) -> Iterator[Key]:
    for name, info in Amounts.model_fields.items():
        yield _key(f"{prefix}.{name}", info, (*where, name), None)


def _key(name: str, info: FieldInfo, setting: Path, default: Any) -> Key:
    whole = Annotated[(info.annotation, *info.metadata)] if info.metadata else info.annotation
    return Key(tuple(name.split(".")), whole, info.description or "", unit_of(info), default, (setting,))
