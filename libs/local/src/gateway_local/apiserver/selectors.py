"""Label and field selectors: text to predicates. No I/O.

Grammar: k8s.io/apimachinery/pkg/labels and /fields.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from gateway_local.apiserver.errors import bad_request

Labels = Mapping[str, str]
LabelPredicate = Callable[[Labels], bool]
FieldPaths = Mapping[str, tuple[str, ...]]

_KEY = r"(?:[A-Za-z0-9](?:[-A-Za-z0-9.]*[A-Za-z0-9])?/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?"
_VALUE = r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?)?"
_REQUIREMENT = re.compile(
    rf"""\s*(?:
        (?P<absent>!\s*)(?P<absent_key>{_KEY})
      | (?P<set_key>{_KEY})\s+(?P<set_op>in|notin)\s*\((?P<values>[^()]*)\)
      | (?P<key>{_KEY})\s*(?:(?P<op>==|=|!=)\s*(?P<value>{_VALUE}))?
    )\s*(?:,(?=.)|$)""",
    re.VERBOSE,
)


def match_everything(_: object) -> bool:
    return True


@lru_cache(maxsize=4096)
def parse_label_selector(text: str) -> LabelPredicate:
    """A predicate over an object's labels. `StatusError` 400 for anything that is not a selector."""
    if not text.strip():
        return match_everything
    requirements = []
    position = 0
    while position < len(text):
        match = _REQUIREMENT.match(text, position)
        if match is None:
            raise bad_request(f"unable to parse requirement: found '{text[position:]}' in label selector {text!r}")
        requirements.append(_requirement(match))
        position = match.end()
    if len(requirements) == 1:
        return requirements[0]
    return lambda labels: all(requirement(labels) for requirement in requirements)


def format_label_selector(selector: Mapping[str, Any]) -> str:
    """A LabelSelector object (matchLabels, matchExpressions) as text; what matches everything is empty."""
    terms = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    for expression in selector.get("matchExpressions") or ():
        key, values = expression["key"], ",".join(expression.get("values") or ())
        forms = {"In": f"{key} in ({values})", "NotIn": f"{key} notin ({values})", "Exists": key}
        terms.append(forms.get(expression["operator"], f"!{key}"))
    return ",".join(terms)


def matches_label_selector(selector: Mapping[str, Any], labels: Labels) -> bool:
    """Whether a LabelSelector object selects what has these labels."""
    return parse_label_selector(format_label_selector(selector))(labels)


def _requirement(match: re.Match[str]) -> LabelPredicate:
    if match["absent"]:
        missing = match["absent_key"]
        return lambda labels: missing not in labels
    if match["set_op"]:
        key = match["set_key"]
        values = frozenset(value.strip() for value in match["values"].split(","))
        if bad := [value for value in values if not re.fullmatch(_VALUE, value)]:
            raise bad_request(f"unable to parse requirement: values: invalid label value: {bad[0]!r}")
        if match["set_op"] == "in":
            return lambda labels: labels.get(key) in values
        return lambda labels: labels.get(key) not in values
    key, value = match["key"], match["value"]
    if match["op"] is None:
        return lambda labels: key in labels
    if match["op"] == "!=":
        return lambda labels: labels.get(key) != value
    return lambda labels: labels.get(key) == value


class FieldSelector:
    """Requirements on single fields, all of which an object has to meet."""

    def __init__(self, requirements: list[tuple[tuple[str, ...], bool, str]]) -> None:
        self._requirements = requirements

    def __bool__(self) -> bool:
        return bool(self._requirements)

    def __call__(self, manifest: Mapping[str, Any]) -> bool:
        return all((_field(manifest, path) == value) is equal for path, equal, value in self._requirements)

    @property
    def name(self) -> str | None:
        """The one name that can match, if the selector says so."""
        for path, equal, value in self._requirements:
            if equal and path == ("metadata", "name"):
                return value
        return None


def parse_field_selector(text: str, fields: FieldPaths) -> FieldSelector:
    """A predicate over an object. `fields` are the paths that its kind lets one select by.

    `StatusError` 400 for other fields and for anything that is not a selector.
    """
    requirements = []
    for term in filter(None, (part.strip() for part in text.split(","))):
        match = re.fullmatch(r"([^=!]+?)\s*(==|=|!=)\s*(.*)", term)
        if match is None:
            raise bad_request(f"invalid selector: '{text}'; can't understand '{term}'")
        label, operator, value = match.groups()
        if label not in fields:
            raise bad_request(f"field label not supported: {label}")
        requirements.append((fields[label], operator != "!=", value))
    return FieldSelector(requirements)


def _field(manifest: Mapping[str, Any], path: tuple[str, ...]) -> str:
    value: Any = manifest
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
