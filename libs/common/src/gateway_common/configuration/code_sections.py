"""The sections of `c`: what code assigns to them while it is read, and while one user's options are worked out."""

import copy
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from traitlets.config import Config

from gateway_common.config import ClusterConfig
from gateway_common.configuration.traits import CLUSTER_SECTIONS, Trait, sections

logger = logging.getLogger(__name__)


class Section(Config):
    """A section that knows what was assigned to it, were it what stood there before.

    `name` is what `c` calls it; empty in copies, which are nobody's.
    """

    def __init__(self, *args: Any, name: str = "", **kwargs: Any) -> None:
        # past Config, for which attributes are entries
        object.__setattr__(self, "_name", name)
        object.__setattr__(self, "_assigned", set())
        super().__init__(*args, **kwargs)

    def __getitem__(self, key: str) -> Any:
        return self._apart.look(self, key) if self._apart else super().__getitem__(key)

    def __setitem__(self, key: str, value: Any) -> None:
        if self._apart:
            self._apart.values[self._name, key] = value
            return
        self._assigned.add(key)
        super().__setitem__(key, value)

    def update(self, *args: Any, **kwargs: Any) -> None:
        """As assignments of each entry: subconfigs are merged by it."""
        for key, value in dict(*args, **kwargs).items():
            self[key] = value

    def shared(self, key: str) -> Any:
        """What is there for everybody."""
        return super().__getitem__(key)

    @property
    def _apart(self) -> "Apart | None":
        return _running.get() if self._name else None


class Sections(Config):
    """`c` itself, whose sections are all of ours: those of operators' own classes, too."""

    def __getitem__(self, key: str) -> Any:
        if key not in self and key[:1].isupper():
            self[key] = Section(name=key)
        return super().__getitem__(key)


class Apart:
    """What one piece of running code finds in `c` and changes of it, which is nobody else's."""

    def __init__(self) -> None:
        self.values: dict[Trait, Any] = {}
        self._found: dict[Trait, Any] = {}

    def look(self, section: Section, key: str) -> Any:
        """The value of a traitlet. What can be changed in place is a copy."""
        trait = section._name, key
        if trait not in self.values:
            value = section.shared(key)
            if not isinstance(value, dict | list | set):
                return value
            self._found[trait] = value
            self.values[trait] = copy.deepcopy(value)
        return self.values[trait]

    def fields(self) -> dict[str, Any]:
        """The fields of a cluster's configuration that were changed. Changes of anything else have no effect."""
        found: dict[str, Any] = {}
        for (section, name), value in self._changed():
            if _sets_field(section, name):
                found[name] = value
            else:
                logger.warning("c.%s.%s was set while a cluster was made, which has no effect", section, name)
        return found

    def _changed(self) -> Iterator[tuple[Trait, Any]]:
        for trait, value in self.values.items():
            if isinstance(value, Config):
                # a section within one, as `c.KubeBackend.KubeClusterConfig`
                yield from (((trait[1], name), entry) for name, entry in value.items())
            elif trait not in self._found or self._found[trait] != value:
                yield trait, value


def _sets_field(section: str, name: str) -> bool:
    """A section that nobody knows is that of the operator's own class."""
    return name in ClusterConfig.model_fields and (section in CLUSTER_SECTIONS or section not in sections())


_running: ContextVar[Apart | None] = ContextVar("running", default=None)


@contextmanager
def apart() -> Iterator[Apart]:
    """While this lasts, code that runs here changes a `c` of its own."""
    own = Apart()
    token = _running.set(own)
    try:
        yield own
    finally:
        _running.reset(token)
