"""What is wrong with a configuration, in words that name the place, the key and what was expected.

No problem ever holds the value itself where it could be a secret.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from gateway_common.config_errors import reason
from gateway_common.config_types import EntryErrors
from gateway_common.errors import InvalidConfig

#: The place of what variables say; their names speak for themselves.
ENVIRONMENT = "environment"


@dataclass(frozen=True, slots=True)
class Problem:
    """`place` is a file, a block of code, or the environment; `key` what is wrong there, empty for all of it."""

    place: str
    key: str
    reason: str

    def __str__(self) -> str:
        place = "" if self.place == ENVIRONMENT else self.place
        return ": ".join(part for part in (place, self.key, self.reason) if part)


def raise_problems(problems: Iterable[Problem]) -> None:
    """Raise InvalidConfig with all of them, a line each, unless there are none."""
    if lines := list(dict.fromkeys(map(str, problems))):
        raise InvalidConfig("\n".join(lines))


def reasons(error: ValidationError, type_: Any = None) -> Iterator[tuple[tuple[str, ...], str]]:
    """Where in a value of this type something is wrong, and what was expected."""
    found: dict[tuple[str, ...], list[str]] = {}
    for detail in error.errors(include_url=False):
        place, cause = _place(detail["loc"]), detail.get("ctx", {}).get("error")
        told = cause.reasons if isinstance(cause, EntryErrors) else {"": _reason(detail, type_)}
        for entry, text in told.items():
            texts = found.setdefault((*place, *filter(None, (entry,))), [])
            if text not in texts:
                texts.append(text)
    for place, texts in found.items():
        yield place, _either(texts)


def _reason(detail: Mapping[str, Any], type_: Any) -> str:
    if detail["type"] == "extra_forbidden":
        near = nearest(str(detail["loc"][-1]), set(_names_in(type_)))
        return "unknown key" + (f": did you mean {near}?" if near else "")
    text = reason(detail, show_text=False)
    return f"{text}: write it in quotes" if text in _UNQUOTED else text


_UNQUOTED = ("expected text, got a number", "expected text, got a boolean")


def _names_in(type_: Any) -> Iterator[str]:
    """The names of all fields of the models in a type."""
    if isinstance(type_, type) and issubclass(type_, BaseModel):
        for name, info in type_.model_fields.items():
            yield name
            yield from _names_in(info.annotation)
    for part in get_args(type_):
        yield from _names_in(part)


def _place(location: tuple[Any, ...]) -> tuple[str, ...]:
    """Without what pydantic calls the members of a union, and all that follows."""
    place: list[str] = []
    for part in location:
        if isinstance(part, int):
            place.append(f"[{part}]")
        elif _UNION_MEMBER.search(part):
            break
        else:
            place.append(part)
    return tuple(place)


_UNION_MEMBER = re.compile(r"\[|^(str|int|float|bool|none)$|^(constrained|function|nullable|literal)-")


def _either(texts: list[str]) -> str:
    """`expected text, got a list` and `expected an object, got a list` are one reason."""
    if len(texts) == 1:
        return texts[0]
    parts = [re.fullmatch(r"expected (.+), got (.+)|must be (.+)", text) for text in texts]
    if not all(parts):
        return ", or ".join(texts)
    found = next((part[2] for part in parts if part and part[2]), None)
    expected = " or ".join(part[1] or part[3] for part in parts if part)
    return f"expected {expected}" + (f", got {found}" if found else "")


def nearest(word: str, known: Collection[str]) -> str | None:
    """The known word that was probably meant."""
    by_case = {name.lower(): name for name in known}
    close = get_close_matches(word.lower(), by_case, n=1, cutoff=0.6)
    return by_case[close[0]] if close else None
