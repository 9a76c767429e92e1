"""Namespaces by template: `dask-{user}` or `dask-{group}` becomes the name of one namespace.

Two users never share a namespace by accident: what stands in a placeholder's place is a different text for each name.
Nor does anybody come into a namespace that is not theirs because they are called like it.
"""

import hashlib
import re
from collections.abc import Callable, Iterable
from functools import partial

from gateway_common.errors import InvalidConfig
from gateway_common.kubernetes_names import check_namespace, is_dns_label

USER, GROUP = "{user}", "{group}"

#: A DNS label's (RFC 1123).
_LONGEST = 63
#: Of SHA-256, in hexadecimal: 80 bits, so that nobody finds two names with the same one.
_DIGITS = 20
#: Never in a name that stays as it is, always before the digits of one that doesn't.
_MARK = "--"

#: Names that begin so are Kubernetes' own, as is `default` (kubernetes.io, "Namespaces").
_KUBERNETES = "kube-"

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


class Namespaces:
    """The namespaces that one configuration's templates mean.

    Parameters
    ----------
    templates
        All that the configuration has; a plain name is one, too.
    groups
        The names that `{group}` can stand for.
    own
        Where the gateway itself runs.
    """

    def __init__(self, templates: Iterable[str], groups: Iterable[str], own: str) -> None:
        known, names = set(templates), list(groups)
        shared = [template for template in known if USER not in template]
        self._of_users = {template: _pattern(template) for template in known.difference(shared)}
        self._shared = {own} | {
            format_namespace(template, user="", group=group)
            for template in shared
            for group in (names if GROUP in template else [None])
        }

    def format(self, template: str, *, user: str, group: str | None = None) -> str:
        """As `format_namespace`, but no user's own namespace is one that others have, whatever the user is called."""
        return format_namespace(template, user=user, group=group, is_taken=partial(self._is_taken, template))

    def _is_taken(self, template: str, namespace: str) -> bool:
        if namespace in self._shared or namespace == "default" or namespace.startswith(_KUBERNETES):
            return True
        # of two templates that may mean the same, the one that says more has it
        others = (pattern for other, pattern in self._of_users.items() if _rank(other) > _rank(template))
        return any(pattern.fullmatch(namespace) for pattern in others)


def format_namespace(
    template: str, *, user: str, group: str | None = None, is_taken: Callable[[str], bool] = lambda _: False
) -> str:
    """The namespace that a template means for a user; raises InvalidConfig where there is none.

    Parameters
    ----------
    group
        What `{group}` stands for. None: the user is in no group that counts.
    is_taken
        Whether a namespace can't be one user's own: instead of their name as it is, theirs has digits in it then.
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
    label = safe_label if len(placeholders) < 2 else _without_dashes
    labels = {part: label(names[part], longest) for part in placeholders}
    namespace = _checked("".join(labels.get(part, part) for part in parts))
    if USER in labels and is_taken(namespace):
        labels[USER] = _hashed(user, longest)
        namespace = "".join(labels.get(part, part) for part in parts)
    return namespace


def _rank(template: str) -> tuple[int, str]:
    """By how much of it is the same for everybody."""
    return len(_PLACEHOLDER.sub("", template)), template


def _pattern(template: str) -> re.Pattern[str]:
    """All that a template may mean."""
    parts = _PLACEHOLDER.split(template)
    return re.compile("".join(".+" if part in (USER, GROUP) else re.escape(part) for part in parts))


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
