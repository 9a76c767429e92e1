"""From traitlets that code changed to the settings that they mean: by their names, and by operators' own classes."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from traitlets import TraitType
from traitlets.config import Config, Configurable
from traitlets.config.loader import LazyConfigValue

from dask_gateway_server import auth
from dask_gateway_server.backends.base import ClusterConfig as BaseClusterConfig
from dask_gateway_server.backends.kubernetes import KubeClusterConfig
from dask_gateway_server.backends.resolve import configured_class, load_cluster_config_class
from gateway_common.config import ClusterConfig
from gateway_common.configuration.code_blocks import CodeBlock
from gateway_common.configuration.code_changes import lookup
from gateway_common.configuration.code_objects import (
    AUTHENTICATOR_PLACES,
    check_backend_class,
    kind_of,
    load_authenticator,
)
from gateway_common.configuration.problems import Problem, nearest
from gateway_common.configuration.sources import Path, Source
from gateway_common.configuration.traits import (
    AUTHENTICATORS,
    CLUSTER_SECTIONS,
    Trait,
    default_of,
    names_of,
    sections,
    settings_by_trait,
    traits_by_setting,
    why_passed_over,
)
from gateway_common.errors import InvalidConfig

logger = logging.getLogger(__name__)

_AUTHENTICATOR: Path = ("auth", "authenticator")
_AUTHENTICATOR_CLASS: Path = ("auth", "authenticator_class")
_AUTHENTICATOR_CONFIG: Path = ("auth", "custom", "config")
_CLUSTER_CLASS: Path = ("cluster_config_class",)
_BACKEND_CLASS: Trait = ("DaskGateway", "backend_class")
#: Where traitlets of the operator's own cluster configuration class are kept until they are put on the class.
_CLUSTER_OWN: Path = ("own",)

Settings = dict[Path, Any]
Sources = dict[Path, Source]


@dataclass(frozen=True, slots=True)
class Target:
    """A setting, and how specific the class was by which it was set: the most specific one counts."""

    path: Path
    rank: int


@dataclass(frozen=True, slots=True)
class Found:
    """A value for a setting."""

    target: Target
    trait: Trait
    block: CodeBlock
    value: Any

    @property
    def source(self) -> Source:
        return Source(_place(self.block, self.block.line_of(*self.trait)), "c." + ".".join(self.trait))


def collect(
    config: Config, changed: Mapping[Trait, CodeBlock], settings: Mapping[str, Any]
) -> tuple[Settings, Sources, list[Problem]]:
    """The settings, where each came from, and what is no setting."""
    reader = _Reader(config, changed, settings)
    found = list(reader.read())
    best: dict[Path, Found] = {}
    for entry in sorted(found, key=lambda entry: entry.target.rank):
        before = best.get(entry.target.path)
        if before is None or not _is_same_object_unnamed(before, entry):
            best[entry.target.path] = entry
    return *reader.finish(best), reader.problems


def _is_same_object_unnamed(before: Found, entry: Found) -> bool:
    """Several traitlets share a mapping: it was changed through the one that the code has a line for."""
    return before.value is entry.value and entry.block.line_of(*entry.trait) is None


@dataclass
class _Reader:
    config: Config
    changed: Mapping[Trait, CodeBlock]
    settings: Mapping[str, Any]
    problems: list[Problem] = field(default_factory=list)

    def read(self) -> Iterator[Found]:
        """Every change that means something; what is wrong with others goes to `problems`."""
        for trait, block in self.changed.items():
            try:
                if trait == _BACKEND_CLASS:
                    check_backend_class(self.config[trait[0]][trait[1]])
                    continue
                targets = self._targets(*trait)
                if not targets and (why := self._why_passed_over(*trait)):
                    logger.warning("%s: c.%s.%s is passed over: %s", block.name, *trait, why)
                for target in targets or ():
                    yield Found(target, trait, block, self._value(trait, target.path))
            except (_Unusable, InvalidConfig) as error:
                self._complain(trait, block, str(error))

    def finish(self, best: Mapping[Path, Found]) -> tuple[Settings, Sources]:
        """Puts together what goes to the operator's classes."""
        settings: Settings = {}
        sources: Sources = {}
        own_config: dict[str, Any] = {}
        own_cluster: dict[str, Any] = {}
        for path, found in best.items():
            if path[:-1] == _AUTHENTICATOR_CONFIG:
                own_config[path[-1]] = found.value
                sources[_AUTHENTICATOR_CONFIG] = found.source
            elif path[:-1] == _CLUSTER_OWN:
                own_cluster[path[-1]] = found.value
                sources.setdefault(_CLUSTER_CLASS, found.source)
            else:
                settings[path] = found.value
                sources[path] = found.source
        if own_config:
            before = lookup(self.settings, _AUTHENTICATOR_CONFIG, {})
            settings[_AUTHENTICATOR_CONFIG] = {**before, **own_config}
        if _AUTHENTICATOR_CLASS in settings:
            settings[_AUTHENTICATOR_CLASS] = self._authenticator
            settings[_AUTHENTICATOR] = kind_of(self._authenticator)
            sources[_AUTHENTICATOR] = sources[_AUTHENTICATOR_CLASS]
        if own_cluster or _CLUSTER_CLASS in settings:
            chosen = self._cluster_class
            settings[_CLUSTER_CLASS] = configured_class(chosen, own_cluster) if own_cluster else chosen
        return settings, sources

    def _targets(self, section: str, name: str) -> list[Target] | None:
        """What the traitlet sets: nothing where it is passed over; raises _Unusable where there is no such."""
        if paths := settings_by_trait().get((section, name)):
            if paths == (_AUTHENTICATOR_CLASS,):
                self._authenticator  # noqa: B018 - it must be there and good, whatever else is set
            if paths == (_CLUSTER_CLASS,):
                self._cluster_class  # noqa: B018
            return [Target(path, _rank(path, section)) for path in paths]
        if self._why_passed_over(section, name):
            return None
        lineage = self._lineage_of(section)
        if lineage is not None and name in lineage.class_trait_names(config=True):
            return [_target_in(lineage, section, name)]
        raise _Unusable(self._unknown(section, name, lineage))

    def _lineage_of(self, section: str) -> type[Configurable] | None:
        """The class in use of which `section` is a base or itself."""
        if section in CLUSTER_SECTIONS:
            return self._cluster_class
        if section in AUTHENTICATORS and section not in _bases(self._authenticator):
            unused: type[auth.Authenticator] = getattr(auth, section)
            return unused
        if section in ("Authenticator", *AUTHENTICATORS):
            return self._authenticator
        if section in sections():
            return None
        in_use: tuple[type[Configurable], ...] = (self._cluster_class, self._authenticator)
        return next((cls for cls in in_use if section in _bases(cls)), None)

    def _why_passed_over(self, section: str, name: str) -> str | None:
        if why := why_passed_over(section, name):
            return why
        if name == "cookie_name" and self._lineage_of(section) is not None:
            return why_passed_over("Authenticator", name)
        return None

    def _unknown(self, section: str, name: str, lineage: type[Configurable] | None) -> str:
        if section == "":
            return "expected c.<Class>.<traitlet>"
        known = names_of(section)
        if lineage is not None:
            known |= set(lineage.class_trait_names(config=True))
        if known:
            elsewhere = next((f"c.{other}.{name}" for other, same in settings_by_trait() if same == name), None)
            near = elsewhere or nearest(name, known)
            return f"{section} has no traitlet {name}" + (f": did you mean {near}?" if near else "")
        own = {cls.__name__ for cls in (self._cluster_class, self._authenticator)}
        near = nearest(section, sections() | own)
        return f"there is no class {section}" + (
            f": did you mean {near}?"
            if near
            else "; those of your own must be the authenticator_class or cluster_config_class"
        )

    @cached_property
    def _authenticator(self) -> type[auth.Authenticator]:
        trait = ("DaskGateway", "authenticator_class")
        place = dict.get(self.config["DaskGateway"], trait[1], AUTHENTICATOR_PLACES["simple"])
        chosen: type[auth.Authenticator] = self._load(trait, place)
        return chosen

    @cached_property
    def _cluster_class(self) -> type[BaseClusterConfig]:
        for trait in reversed(traits_by_setting()[_CLUSTER_CLASS]):
            place = dict.get(self.config[trait[0]], trait[1])
            if trait in self.changed and place is not None:
                chosen: type[BaseClusterConfig] = self._load(trait, place)
                return chosen
        place = lookup(self.settings, _CLUSTER_CLASS)
        return KubeClusterConfig if place is None else load_cluster_config_class(place)

    def _load(self, trait: Trait, place: Any) -> Any:
        """The class that code or values name; in its stead the built-in one where there is something wrong with it."""
        try:
            if trait[1] == "cluster_config_class":
                return load_cluster_config_class(place)
            return load_authenticator(place)
        except InvalidConfig as error:
            self._complain(trait, self.changed.get(trait), str(error))
            return KubeClusterConfig if trait[1] == "cluster_config_class" else auth.Authenticator

    def _value(self, trait: Trait, path: Path) -> Any:
        value = self.config[trait[0]][trait[1]]
        if not isinstance(value, LazyConfigValue):
            return value
        initial = self._initial(trait, path)
        if not isinstance(initial, dict | list | set):
            raise _Unusable("it is no list and no mapping that could be added to: set it as a whole")
        return value.get_value(initial)

    def _initial(self, trait: Trait, path: Path) -> Any:
        if path[:-1] in (_CLUSTER_OWN, _AUTHENTICATOR_CONFIG):
            given = lookup(self.settings, path)
            own: TraitType[Any, Any] = self._lineage_of(trait[0]).class_traits()[trait[1]]  # type: ignore[union-attr]
            return own.default() if given is None else given
        given = lookup(self.settings, path)
        return default_of(path) if given is None else given

    def _complain(self, trait: Trait, block: CodeBlock | None, text: str) -> None:
        if block is None:
            self.problems.append(Problem("", "gateway.auth.custom.class", text))
            return
        place = _place(block, block.line_of(*trait) or block.line_of(trait[0], ""))
        self.problems.append(Problem(place, "c." + ".".join(filter(None, trait)), text))


class _Unusable(Exception):
    """Something that code assigned, and why it can't be."""


def _place(block: CodeBlock, line: int | None) -> str:
    return block.name if line is None else f"{block.name}, line {line}"


def _rank(path: Path, section: str) -> int:
    """Of the classes that a setting is known by, the last wins. Classes of the operator's follow."""
    return [known for known, _ in traits_by_setting()[path]].index(section) - len(traits_by_setting()[path]) + 1


def _target_in(lineage: type[Configurable], section: str, name: str) -> Target:
    bases = _bases(lineage)
    if issubclass(lineage, KubeClusterConfig):
        path: Path = ("backend", name) if name in ClusterConfig.model_fields else (*_CLUSTER_OWN, name)
        return Target(path, bases.index("KubeClusterConfig") - bases.index(section))
    for base in bases:
        if paths := settings_by_trait().get((base, name)):
            return Target(paths[0], bases.index(base) - bases.index(section))
    return Target((*_AUTHENTICATOR_CONFIG, name), -bases.index(section))


def _bases(cls: type) -> list[str]:
    """The names of a class and its bases, the most specific first."""
    return [base.__name__ for base in cls.__mro__]
