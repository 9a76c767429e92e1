"""Values files: what each says is checked by itself, so that a problem has a file and a key; then they are merged."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path as FilePath
from typing import Any

import orjson
from pydantic import TypeAdapter, ValidationError

from gateway_common.config import problems_of_overrides
from gateway_common.config_errors import dotted
from gateway_common.config_types import name_of_type
from gateway_common.configuration.known_keys import Key, Section, all_keys, known_keys
from gateway_common.configuration.problems import Problem, nearest, reasons
from gateway_common.configuration.sources import Path
from gateway_common.configuration.values_text import parse_values

_CHART = "dask-gateway"
#: Keys that mean the same in every chart.
_SHARED = {"enabled", "global", "nameOverride", "fullnameOverride"}


@dataclass(frozen=True, slots=True)
class Values:
    """What values files say together: the values that are right, and where each came from."""

    tree: dict[str, Any] = field(default_factory=dict)
    #: By key; of a mapping all files that added to it.
    files: dict[Path, tuple[FilePath, ...]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def read_values(files: Sequence[FilePath]) -> Values:
    """Read, check and merge as Helm does: mappings merge, null removes, else the later file replaces."""
    values = Values()
    for file in files:
        parsed, problems = parse_values(file)
        values.problems.extend(problems)
        above, own = _own_part(parsed)
        right: dict[str, Any] = {}
        for entry in _check(known_keys(), own, ()):
            if isinstance(entry, _Right):
                _put(right, entry.path, entry.value)
                _remember(values, entry, file)
            else:
                values.problems.append(Problem(str(file), dotted((*above, *entry.path)), entry.reason))
        merged = merge_values(values.tree, right)
        values.tree.clear()
        values.tree.update(merged)
    return values


def _own_part(tree: Mapping[str, Any]) -> tuple[Path, Mapping[str, Any]]:
    """Where in a file the chart's values are: below `dask-gateway` in that of a chart that includes it, as daskhub."""
    if not tree.keys() & known_keys().keys.keys() - _SHARED:
        for name, below in tree.items():
            if isinstance(below, Mapping):
                if name == _CHART:
                    return (name,), below
                above, own = _own_part(below)
                if above:
                    return (name, *above), own
    return (), tree


def merge_values(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Neither is changed."""
    merged = dict(base)
    for key, value in over.items():
        present = merged.get(key)
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping):
            merged[key] = merge_values(present if isinstance(present, Mapping) else {}, value)
        else:
            merged[key] = value
    return merged


def leaves(tree: Mapping[str, Any], section: Section | None = None, path: Path = ()) -> Iterator[tuple[Path, Key, Any]]:
    """The keys that are set, in a tree that was checked, and their values."""
    section = section or known_keys()
    for name, value in tree.items():
        known = section.keys.get(name) or section.each
        here = (*path, name)
        if isinstance(known, Section) and isinstance(value, Mapping):
            yield from leaves(value, known, here)
        elif isinstance(known, Section):
            if known.text is not None:
                yield here, known.text, value
        elif known is not None:
            yield here, known, value


@dataclass(frozen=True, slots=True)
class _Right:
    path: Path
    value: Any


@dataclass(frozen=True, slots=True)
class _Wrong:
    path: Path
    reason: str


def _check(section: Section, tree: Mapping[str, Any], path: Path) -> Iterator[_Right | _Wrong]:
    for name, value in tree.items():
        known = section.keys.get(name) or section.each
        here = (*path, name)
        if known is None:
            yield _Wrong(here, _unknown(section, name, path))
        elif value is None:
            yield _Right(here, None)
        elif isinstance(known, Section):
            # a name alone may say something
            yield from [_Right(here, {})] if known is section.each and value == {} else ()
            yield from _check_section(known, value, here)
        else:
            yield from _check_key(known, value, here)


def _check_section(section: Section, value: Any, path: Path) -> Iterator[_Right | _Wrong]:
    if isinstance(value, Mapping):
        yield from _check(section, value, path)
    elif section.text is not None and isinstance(value, str):
        yield from _check_key(section.text, value, path)
    else:
        expected = "an object or text" if section.text is not None else "an object"
        yield _Wrong(path, f"expected {expected}, got {name_of_type(value)}")


def _check_key(key: Key, value: Any, path: Path) -> Iterator[_Right | _Wrong]:
    meant = without_nulls(value)
    wrong: list[_Right | _Wrong] = [_Wrong((*path, *below), reason) for below, reason in value_problems(key, meant)]
    yield from wrong or [_Right(path, value)]


def without_nulls(value: Any) -> Any:
    """What stays of a mapping once nulls have removed what they stand for."""
    return merge_values({}, value) if isinstance(value, Mapping) else value


def value_problems(key: Key, value: Any) -> Iterator[tuple[Path, str]]:
    """What is wrong with a value by itself, and where in it."""
    cluster_field = key.cluster_field
    if cluster_field == "environment":
        plain, secrets, wrong = split_environment(value)
        yield from (((name,), reason) for name, reason in wrong.items())
        yield from _cluster_problems("environment", plain)
        yield from _cluster_problems("environment_secrets", secrets)
    elif cluster_field is not None:
        yield from _cluster_problems(cluster_field, value)
    else:
        try:
            _adapter(key.name).validate_json(orjson.dumps(_whole(value), default=str), strict=True)
        except ValidationError as error:
            yield from reasons(error, key.type)
        except (TypeError, ValueError):
            yield (), "expected what JSON can express"


def split_environment(value: Any) -> tuple[Any, dict[str, Any], dict[str, str]]:
    """Variables with values, those that are in Secrets, and what is wrong with others, by name."""
    if not isinstance(value, Mapping):
        return value, {}, {}
    plain: dict[str, Any] = {}
    secrets: dict[str, Any] = {}
    wrong: dict[str, str] = {}
    for name, entry in value.items():
        if not isinstance(entry, Mapping):
            plain[name] = entry
            continue
        reference = entry.get("valueFrom")
        if set(entry) == {"valueFrom"} and isinstance(reference, Mapping) and set(reference) == {"secretKeyRef"}:
            secrets[name] = reference["secretKeyRef"]
        else:
            wrong[name] = "expected text, or {valueFrom: {secretKeyRef: {name: <a Secret>, key: <a key of it>}}}"
    return plain, secrets, wrong


def _cluster_problems(name: str, value: Any) -> Iterator[tuple[Path, str]]:
    """Those of a field of a cluster's configuration, which tells them by its own name."""
    yield from ((place[1:], reason) for place, reason in problems_of_overrides({name: value}))


@cache
def _adapter(name: str) -> TypeAdapter[Any]:
    return TypeAdapter(all_keys()[name].type)


def _whole(value: Any) -> Any:
    """Helm makes fractions of all numbers."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _unknown(section: Section, name: str, path: Path) -> str:
    if near := nearest(name, section.keys):
        return f"unknown key: did you mean {'.'.join((*path, near))}?"
    elsewhere = {key.path[-1]: key.name for key in reversed(tuple(all_keys().values())) if "*" not in key.path}
    near = nearest(name, elsewhere)
    return "unknown key" + (f": did you mean {elsewhere[near]}?" if near else f": known are {', '.join(section.keys)}")


def _put(tree: dict[str, Any], path: Path, value: Any) -> None:
    for part in path[:-1]:
        tree = tree.setdefault(part, {})
    tree[path[-1]] = value


def _remember(values: Values, entry: _Right, file: FilePath) -> None:
    before = values.files.get(entry.path, ()) if isinstance(entry.value, Mapping) else ()
    values.files[entry.path] = (*before, file)
