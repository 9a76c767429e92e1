"""What is wrong with a configuration, in words that name the place, the key and what was expected.

No problem ever holds the value itself where it could be a secret.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from gateway_common.config_errors import reason
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


def reasons(error: ValidationError) -> Iterator[tuple[tuple[str, ...], str]]:
    """Where in the value something is wrong, and what was expected. Of a choice of types: one of them."""
    found: dict[tuple[str, ...], list[str]] = {}
    for detail in error.errors(include_url=False):
        texts = found.setdefault(_place(detail["loc"]), [])
        if (text := reason(detail, show_text=False)) not in texts:
            texts.append(text)
    for place, texts in found.items():
        yield place, _either(texts)


def _place(location: tuple[Any, ...]) -> tuple[str, ...]:
    """Without what pydantic calls the members of a union, and all that follows."""
    place: list[str] = []
    for part in map(str, location):
        if "[" in part or part in _TYPES:
            break
        place.append(part)
    return tuple(place)


_TYPES = {"str", "int", "float", "bool"}


def _either(texts: list[str]) -> str:
    """`expected text, got a list` and `expected an object, got a list` are one reason."""
    if len(texts) == 1:
        return texts[0]
    wanted = [text.removeprefix("expected ").partition(", got ") for text in texts if text.startswith("expected ")]
    if len(wanted) < len(texts):
        return ", or ".join(texts)
    return f"expected {' or '.join(want for want, _, _ in wanted)}, got {wanted[0][2]}"


def nearest(word: str, known: Collection[str]) -> str | None:
    """The known word that was probably meant."""
    by_case = {name.lower(): name for name in known}
    close = get_close_matches(word.lower(), by_case, n=1, cutoff=0.6)
    return by_case[close[0]] if close else None
