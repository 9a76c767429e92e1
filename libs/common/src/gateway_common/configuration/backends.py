"""Checks what the configuration says about clusters: general, and for each group laid over the general."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from gateway_common.config import problems_of_overrides
from gateway_common.config_errors import dotted
from gateway_common.config_types import name_of_type
from gateway_common.configuration.problems import Problem
from gateway_common.configuration.sources import Path, Source
from gateway_common.merge import merge_config


def backend_problems(tree: Mapping[str, Any], sources: Mapping[Path, Source]) -> Iterator[Problem]:
    """Fields that are wrong by themselves, else those that are impossible together, as a limit below its request."""
    general = tree.get("backend", {})
    wrong = list(_each(("backend",), general, sources))
    yield from wrong
    if not wrong:
        yield from _together({name: ("backend", name) for name in general}, general, sources)
    groups = tree.get("groups", {})
    for group, settings in groups.items() if isinstance(groups, Mapping) else ():
        own = settings.get("backend", {}) if isinstance(settings, Mapping) else {}
        place: Path = ("groups", group, "backend")
        wrong_in_group = list(_each(place, own, sources))
        yield from wrong_in_group
        if own and not wrong and not wrong_in_group:
            places = {name: ("backend", name) for name in general} | {name: (*place, name) for name in own}
            yield from _together(places, merge_config(general, own), sources)


def _each(place: Path, fields: Any, sources: Mapping[Path, Source]) -> Iterator[Problem]:
    if not isinstance(fields, Mapping):
        yield Problem(*_called(place, sources), f"expected an object, got {name_of_type(fields)}")
        return
    for name, value in fields.items():
        for where, reason in problems_of_overrides({name: value}):
            yield Problem(*_called((*place, *(where or (name,))), sources), reason)


def _together(
    places: Mapping[str, Path], fields: Mapping[str, Any], sources: Mapping[Path, Source]
) -> Iterator[Problem]:
    for _, text in problems_of_overrides(dict(fields)):
        called = [_called(places[name], sources) for name in fields if re.search(rf"\b{re.escape(name)}\b", text)]
        files = dict.fromkeys(place for place, _ in called)
        yield Problem(" and ".join(files), " and ".join(key for _, key in called), text)


def _called(place: Path, sources: Mapping[Path, Source]) -> tuple[str, str]:
    """Where a setting was made, and what it is called there."""
    for length in range(len(place), 0, -1):
        if source := sources.get(place[:length]):
            return source.place, dotted((source.key, *place[length:]))
    return "", dotted(place)
