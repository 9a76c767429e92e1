"""Namespaces by template: `dask-{user}` or `dask-{group}` becomes the name of one namespace.

Two users never share a namespace by accident: what stands in a placeholder's place is a different text for each name.
"""

import hashlib
import re

from gateway_common.errors import InvalidConfig
from gateway_common.kubernetes_names import check_namespace, is_dns_label

USER, GROUP = "{user}", "{group}"

#: A DNS label's (RFC 1123).
_LONGEST = 63
#: Of SHA-256, in hexadecimal: 80 bits, so that nobody finds two names with the same one.
_DIGITS = 20
#: Never in a name that stays as it is, always before the digits of one that doesn't.
_MARK = "--"

_PLACEHOLDER = re.compile(r"(\{[^{}]*\})")
_UNSAFE = re.compile(r"[^a-z0-9]+")


def safe_label(name: str, longest: int = _LONGEST) -> str:
    """A DNS label of at most `longest` (at least 23) characters that stands for `name` and for no other.

    A name that is such a label already, and has no `--` in it, stays as it is. Any other one becomes what is left of
    it, `--`, and 20 hexadecimal digits of its SHA-256.
    """
    if len(name) <= longest and is_dns_label(name) and _MARK not in name:
        return name
    return _hashed(name, longest)


def is_template(namespace: str) -> bool:
    """Whether the namespace depends on who asks."""
    return "{" in namespace


def check_template(template: str) -> None:
    """Whether a template gives every user and group a namespace of their own; raises InvalidConfig."""
    format_namespace(template, user="A", group="A")


def format_namespace(template: str, *, user: str, group: str | None = None) -> str:
    """The namespace that a template means for a user; raises InvalidConfig where there is none.

    Parameters
    ----------
    group
        What `{group}` stands for. None: the user is in no group that counts.
    """
    parts = _PLACEHOLDER.split(template)
    placeholders, texts = parts[1::2], parts[::2]
    if unknown := [part for part in placeholders if part not in (USER, GROUP)]:
        raise InvalidConfig(f"namespace: {template!r} has {unknown[0]} in it; {USER} and {GROUP} are known")
    if GROUP in placeholders and group is None:
        raise InvalidConfig(
            "namespace: every group has a namespace of its own here, and you are in none of the groups that have one. "
            "Ask the operator of this gateway."
        )
    if any(not text.startswith("-") for text in texts[1:-1]):
        raise InvalidConfig(f"namespace: in {template!r} a '-' must follow the first placeholder, before the next")
    names = {USER: user, GROUP: group or ""}
    longest = _room(template, texts, len(placeholders))
    # of two names side by side nobody could say where one ends if both might have a '-' in them
    fill = safe_label if len(placeholders) < 2 else _without_dashes
    filled = [fill(names[part], longest) if part in names else part for part in parts]
    return _checked("".join(filled))


def _room(template: str, texts: list[str], placeholders: int) -> int:
    """Characters that are left for each placeholder."""
    if not placeholders:
        return 0
    room = (_LONGEST - sum(map(len, texts))) // placeholders
    if room <= len(_MARK) + _DIGITS:
        raise InvalidConfig(f"namespace: {template!r} is too long: a namespace has at most {_LONGEST} characters")
    return room


def _without_dashes(name: str, longest: int) -> str:
    return _hashed(name, longest) if "-" in name else safe_label(name, longest)


def _hashed(name: str, longest: int) -> str:
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
    rest = longest - len(_MARK) - _DIGITS
    left = _UNSAFE.sub("-", name.lower()).strip("-")[:rest].rstrip("-")
    return f"{left or 'x'}{_MARK}{digest}"


def _checked(namespace: str) -> str:
    try:
        check_namespace(namespace)
    except ValueError as error:
        raise InvalidConfig(f"namespace: {error}") from error
    return namespace
