"""What is wrong with a cluster's configuration, in sentences that name the field."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from gateway_common.config_types import Contradictions, EntryErrors, name_of_type

#: What pydantic calls by Python's names.
_EXPECTED = {
    "dict_type": "an object",
    "list_type": "a list",
    "tuple_type": "a list",
    "path_type": "text",
    "string_type": "text",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a number that is finite",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "model_type": "an object",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
}
_TOLD = {
    "missing": "it must be given",
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
}
_BOUNDS = ("greater_than", "greater_than_equal", "less_than", "less_than_equal")
_TEXTS = ("string_type", "path_type")
_UNREADABLE = ("float_parsing", "int_parsing", "bool_parsing")


#: Where in a configuration something is wrong, and why. Without a place: several fields do not fit together.
FieldProblem = tuple[tuple[str, ...], str]


def field_problems(
    error: ValidationError, values: Mapping[str, Any], fields: Collection[str]
) -> Iterator[FieldProblem]:
    """All that is wrong with the values, and nothing of them that could be a secret.

    `fields` are those that there are.
    """
    for detail in error.errors():
        if not _is_derived(detail, values):
            yield from _problems(detail, fields)


def explain(problems: Iterable[FieldProblem]) -> str:
    """The same in one line."""
    return "; ".join(": ".join(filter(None, (dotted(place), reason))) for place, reason in problems)


def dotted(path: Iterable[str]) -> str:
    """A path as people write it: `gateway.options[0].name`."""
    return ".".join(path).replace(".[", "[")


def _is_derived(detail: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
    """A limit that nobody gave is the request, and as wrong as that: one complaint is enough."""
    field = str(detail["loc"][0]) if detail["loc"] else ""
    return field.endswith("_limit") and values.get(field) is None


def _problems(detail: Mapping[str, Any], fields: Collection[str]) -> Iterator[FieldProblem]:
    place = tuple(f"[{part}]" if isinstance(part, int) else part for part in detail["loc"] if part != "[key]")
    cause = detail.get("ctx", {}).get("error")
    if isinstance(cause, EntryErrors):
        yield from (((*place, *filter(None, (entry,))), reason) for entry, reason in cause.reasons.items())
    elif isinstance(cause, Contradictions):
        yield from ((place, sentence) for sentence in cause.sentences)
    elif place:
        yield place, _reason(detail, fields)
    else:
        yield place, _plain(detail["msg"])


def _reason(detail: Mapping[str, Any], fields: Collection[str]) -> str:
    kind = detail["type"]
    if kind == "extra_forbidden":
        if len(detail["loc"]) > 1:
            return "there is no such field"
        near = get_close_matches(str(detail["loc"][0]), fields, n=1)
        return "there is no such field in a cluster's configuration" + (f": did you mean {near[0]}?" if near else "")
    return reason(detail)


def reason(detail: Mapping[str, Any], *, show_text: bool = True) -> str:
    """What was expected, of one of pydantic's errors, without the value where it could be a secret.

    `show_text`: text that stands in the place of a number is none.
    """
    kind = detail["type"]
    found = _found(detail["input"], kind, show_text)
    if expected := _EXPECTED.get(kind):
        return f"expected {expected}, got {found}"
    if told := _TOLD.get(kind):
        return told
    text = _plain(detail["msg"])
    return text[0].lower() + text[1:] + (f", got {found}" if kind in _BOUNDS else "")


def _found(value: Any, kind: str, show_text: bool) -> str:
    """Numbers may be shown, and text in the place of a number. What was to be text may be a secret."""
    if kind in _TEXTS or isinstance(value, bool):
        return name_of_type(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, int):
        # Python writes no longer ones out
        return str(value) if value.bit_length() < 128 else "a very large number"
    shown = show_text and kind in _UNREADABLE and isinstance(value, str)
    return repr(value[:40]) if shown else name_of_type(value)


def _plain(message: str) -> str:
    return message.removeprefix("Value error, ").replace("Input should be", "must be").replace("String should", "must")
