"""`c` as configuration code finds it, and what the code changes of it, in place or not."""

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from traitlets.config import Config
from traitlets.config.loader import LazyConfigValue

from gateway_common.configuration.code_blocks import CodeBlock
from gateway_common.configuration.code_objects import AUTHENTICATOR_PLACES
from gateway_common.configuration.code_sections import Section, Sections
from gateway_common.configuration.sources import Path
from gateway_common.configuration.traits import Trait, default_of, sections, traits_by_setting

_UNSET = object()
#: Whose objects make others, to which sections within theirs apply; those that make these first.
_PARENTS = ("DaskGateway", "Backend", "KubeBackend")


class ChangeTracker:
    """Says which block had the last word about each traitlet, in the order in which the code has them."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self.changed: dict[Trait, CodeBlock] = {}
        self._before = self._snapshot()

    def note(self, block: CodeBlock) -> None:
        """The block has run: what has changed since the last one is its doing."""
        _flatten(self._config)
        now = self._snapshot()
        assigned = set(self._take_assigned())
        changed = [
            trait
            for trait, value in now.items()
            if trait in assigned or not _same(self._before.get(trait, _UNSET), value)
        ]
        for trait in sorted(changed, key=lambda trait: block.line_of(*trait) or 0):
            self.changed.pop(trait, None)
            self.changed[trait] = block
        for trait in self._before.keys() - now.keys():
            self.changed.pop(trait, None)
        self._before = now

    def _snapshot(self) -> dict[Trait, Any]:
        """All traitlets with copies of their values. Those that were only looked at are none."""
        found: dict[Trait, Any] = {}
        for section, content in self._config.items():
            if not isinstance(content, Config):
                found["", section] = _frozen(content)
                continue
            for name, value in content.items():
                if not _is_blank(value):
                    found[section, name] = _frozen(value)
        return {trait: value for trait, value in found.items() if not (trait[0] == "" and _is_blank(value))}

    def _take_assigned(self) -> Iterator[Trait]:
        for section, content in self._config.items():
            if isinstance(content, Section):
                yield from ((section, name) for name in content._assigned if name in content)
                content._assigned.clear()


def prefilled(settings: Mapping[str, Any]) -> Config:
    """`c` with what values files set, and with empty mappings and lists to be filled in place.

    All traitlets of one setting share one object, so that it doesn't matter through which it is changed.
    """
    config = Sections()
    for section in sorted(sections()):
        config[section] = Section(name=section)
    for path, traits in traits_by_setting().items():
        value = lookup(settings, path, _UNSET)
        if value is _UNSET or value is None:
            value = default_of(path)
            if not isinstance(value, dict | list):
                continue
        value = copy.deepcopy(value)
        for section, name in traits:
            config[section][name] = value
    _fill_in_authenticator(config, lookup(settings, ("auth",), {}))
    for content in config.values():
        content._assigned.clear()
    return config


def lookup(tree: Any, path: Path, default: Any = None) -> Any:
    """What is at a path of nested dicts."""
    for part in path:
        if not isinstance(tree, Mapping) or part not in tree:
            return default
        tree = tree[part]
    return tree


def _flatten(config: Config) -> None:
    """`c.KubeBackend.KubeClusterConfig.image` is for that backend, of which there is one: `c.KubeClusterConfig.image`.

    It wins over the latter, wherever either stands, as with traitlets.
    """
    for parent in _PARENTS:
        content = config[parent]
        for name, nested in list(content.items()):
            if isinstance(nested, Config) and not _is_blank(nested):
                del content[name]
                content._assigned.discard(name)
                _merge(config[name], nested)


def _merge(section: Config, nested: Config) -> None:
    for name, value in nested.items():
        present = section.get(name)
        if isinstance(value, Config) and isinstance(present, Config):
            present.update(value)
        else:
            section[name] = value


def _fill_in_authenticator(config: Config, auth: Mapping[str, Any]) -> None:
    chosen = auth.get("authenticator")
    place = (
        lookup(auth, ("custom", "class_name")) if chosen == "custom" else AUTHENTICATOR_PLACES.get(chosen or "simple")
    )
    if isinstance(place, str) and place:
        config["DaskGateway"].setdefault("authenticator_class", place)
        own = lookup(auth, ("custom", "config"), {})
        name = place.replace(":", ".").rpartition(".")[2]
        if chosen == "custom" and name and isinstance(own, Mapping) and name[0].isupper():
            section = config[name] if name in config else Section(name=name)
            config[name] = section
            for trait, value in own.items():
                section.setdefault(trait, copy.deepcopy(value))


def _is_blank(value: Any) -> bool:
    """What traitlets puts where code only looked."""
    if isinstance(value, LazyConfigValue):
        return not value.to_dict()
    return isinstance(value, Config) and all(_is_blank(entry) for entry in value.values())


def _frozen(value: Any) -> Any:
    if isinstance(value, LazyConfigValue):
        return _frozen(value.to_dict())
    if isinstance(value, dict):
        return {key: _frozen(entry) for key, entry in value.items()}
    return [_frozen(entry) for entry in value] if isinstance(value, list) else value


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    try:
        return one is other or (type(one) is type(other) and bool(one == other))
    except Exception:  # what the operator's objects make of a comparison is theirs
        return False
