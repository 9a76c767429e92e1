"""Python configuration code: runs it, and turns what it says of `c` into settings."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from traitlets.config import Config

from gateway_common.configuration.code_blocks import CodeBlock, CodeRunner
from gateway_common.configuration.code_changes import ChangeTracker, lookup, prefilled
from gateway_common.configuration.code_targets import collect
from gateway_common.configuration.problems import Problem
from gateway_common.configuration.sources import Path, Source
from gateway_common.configuration.traits import secret_settings, traits_by_setting

__all__ = ("Assigned", "CodeBlock", "run_code")


@dataclass(frozen=True, slots=True)
class Assigned:
    """Settings that code assigned or changed, the block that had the last word about each, and what is no setting."""

    settings: dict[Path, Any] = field(default_factory=dict)
    sources: dict[Path, Source] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def run_code(blocks: Sequence[CodeBlock], *, values: Mapping[str, Any], settings: Mapping[str, Any]) -> Assigned:
    """Run the blocks in their order.

    Parameters
    ----------
    values
        What `get_property` reads: the values tree with the chart's defaults.
    settings
        What values files set, as a nested dict of the Configuration's settings: code finds it in `c`.

    Raises InvalidConfig where code raises.
    """
    config = prefilled(settings)
    tracker = ChangeTracker(config)
    tree = copy.deepcopy(dict(values))

    def get_property(name: str, default: Any = None) -> Any:
        """A value of the chart: `get_property("gateway.backend.image.name")`."""
        return lookup(tree, tuple(name.split(".")), default)

    runner = CodeRunner(config, get_property, lambda: _secrets(config, settings))
    for block in blocks:
        runner.run(block)
        tracker.note(block)
    return Assigned(*collect(config, tracker.changed, settings))


def _secrets(config: Config, settings: Mapping[str, Any]) -> Iterator[str]:
    """Texts that no message may show."""
    for path in secret_settings():
        yield _text(lookup(settings, path))
        yield from (_text(dict.get(config[section], name)) for section, name in traits_by_setting().get(path, ()))
    own = lookup(settings, ("auth", "custom", "config"))
    if isinstance(own, Mapping):
        yield from map(_text, own.values())


def _text(value: Any) -> str:
    shown = value.get_secret_value() if hasattr(value, "get_secret_value") else value
    return shown if isinstance(shown, str) else ""
