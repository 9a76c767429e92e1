"""What holds for a user because of the groups that they are in. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from gateway_common.configuration.declared_options import merge_declarations
from gateway_common.configuration.model import Configuration
from gateway_common.configuration.options import OptionDeclaration
from gateway_common.merge import merge_config


@dataclass(frozen=True, slots=True)
class Policy:
    """What a user's clusters start from.

    Parameters
    ----------
    backend
        Fields of a cluster's configuration, without its namespace.
    options
        What the user may choose, where that is declared.
    namespace
        Where clusters run unless the choice says otherwise: a name or a template.
    groups
        The user's groups that the configuration names, by name.
    group
        The one of them that has the last word: what `{group}` stands for.
    """

    backend: Mapping[str, Any]
    options: tuple[OptionDeclaration, ...]
    namespace: str
    groups: tuple[str, ...]
    group: str | None


def policy_of(configuration: Configuration, groups: Iterable[str]) -> Policy:
    """The policy for a user in these groups: groups override in order of priority, then of name."""
    known = configuration.groups
    ordered = sorted(set(groups) & known.keys(), key=lambda name: (known[name].priority, name))
    backend: dict[str, Any] = dict(configuration.backend)
    for name in ordered:
        backend = merge_config(backend, known[name].backend)
    namespace = backend.pop("namespace", None) or configuration.default_namespace
    options = merge_declarations([configuration.options, *(known[name].options for name in ordered)])
    return Policy(backend, tuple(options), namespace, tuple(sorted(ordered)), ordered[-1] if ordered else None)


def from_notebook(configuration: Configuration, image: str | None) -> dict[str, Any]:
    """The field that follows from the image of the user's notebook: none unless the operator allows such images."""
    allowed = image and any(fnmatchcase(image, pattern) for pattern in configuration.notebook_images)
    return {"image": image} if allowed else {}
