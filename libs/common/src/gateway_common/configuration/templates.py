"""Templates of declared options: texts with names in braces, which values take the place of.

A template is the operator's, the values are users': they are put in as they are, and whatever they hold stays text.
Only whole names count: no attributes, no indexes, no formats.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

_TOKEN = re.compile(r"\{\{|\}\}|\{[^{}]*\}|[{}]|[^{}]+")
_NAME = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")

#: Where a text stands in fields of a cluster's configuration: the field, and what leads on from there.
Path = tuple[str, ...]


class TemplateError(ValueError):
    """A text that is no template."""


@dataclass(frozen=True, slots=True)
class Placeholder:
    """A name in a template. `whole`: it is all that there is, so that the value keeps its type."""

    path: Path
    name: str
    whole: bool


def placeholders(template: Any, path: Path = ()) -> Iterator[Placeholder]:
    """All names in the texts of `template`, at any depth; raises TemplateError."""
    if isinstance(template, str):
        parts = _parse(template)
        yield from (Placeholder(path, part[1], len(parts) == 1) for part in parts if part[0])
    elif isinstance(template, Mapping):
        for key, entry in template.items():
            if isinstance(key, str) and any(is_name for is_name, _ in _parse(key)):
                raise TemplateError(f"{'.'.join((*path, key))}: the name of an entry can't hold a value")
            yield from placeholders(entry, (*path, str(key)))
    elif isinstance(template, list):
        for index, entry in enumerate(template):
            yield from placeholders(entry, (*path, str(index)))


def fill(template: Any, values: Mapping[str, Any]) -> Any:
    """A copy of `template` with values in place of names."""
    if isinstance(template, str):
        parts = _parse(template)
        if len(parts) == 1 and parts[0][0]:
            return values[parts[0][1]]
        return "".join(as_text(values[text]) if is_name else text for is_name, text in parts)
    if isinstance(template, Mapping):
        return {_key(key): fill(entry, values) for key, entry in template.items()}
    return [fill(entry, values) for entry in template] if isinstance(template, list) else template


def as_text(value: Any) -> str:
    """A value within a text, as JSON and YAML write it: `true`, and `2` for 2.0."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return str(value)


def _key(key: Any) -> Any:
    return "".join(text for _, text in _parse(key)) if isinstance(key, str) else key


@lru_cache(maxsize=4096)  # of the operator's texts, which are few
def _parse(text: str) -> tuple[tuple[bool, str], ...]:
    """The text in pieces: names, and what stands between."""
    parts: list[tuple[bool, str]] = []
    for token in _TOKEN.findall(text):
        if name := _NAME.fullmatch(token):
            parts.append((True, name[1]))
        elif token in ("{{", "}}"):
            parts.append((False, token[0]))
        elif "{" in token or "}" in token:
            raise TemplateError(f"{token[:40]!r} is not a name in braces; a brace itself is written twice, as '{{{{'")
        else:
            parts.append((False, token))
    return tuple(parts)
