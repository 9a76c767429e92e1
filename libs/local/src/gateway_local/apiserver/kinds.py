"""What the server knows of one kind of object."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway_common.resources import Manifest, Resource
from gateway_local.apiserver.errors import FieldProblem
from gateway_local.apiserver.schema import Raw, Schema, kubernetes_type
from gateway_local.apiserver.validation import NameRule, check_subdomain_name

METADATA_FIELDS: Mapping[str, tuple[str, ...]] = {
    "metadata.name": ("metadata", "name"),
    "metadata.namespace": ("metadata", "namespace"),
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table that kubectl prints. `value` reads the cell from an object."""

    name: str
    type: str
    value: Callable[[Manifest], Any]
    priority: int = 0


@dataclass(frozen=True, slots=True)
class ScalePaths:
    """Where a kind keeps what its scale subresource shows. `selector` is empty where there is none."""

    spec: tuple[str, ...]
    status: tuple[str, ...]
    selector: tuple[str, ...] = ()


def nothing_to_set(_: Manifest) -> None:
    """For kinds that have no defaults."""


def nothing_to_check(_: Manifest, __: Manifest | None) -> Iterator[FieldProblem]:
    """For kinds whose type says all."""
    return iter(())


@dataclass(frozen=True, eq=False, kw_only=True)
class Kind:
    """A kind: its names, its schema, and the rules of its own.

    `raw_schema` is what a custom resource's schema was made from. `set_defaults` fills in a private copy. `check`
    answers what is wrong with an object, given the version that it replaces (None for a new one).
    """

    resource: Resource
    singular: str
    schema: Schema
    raw_schema: Raw | None = None
    list_kind: str
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    has_status: bool = False
    scale: ScalePaths | None = None
    counts_generations: bool = False
    is_custom: bool = False
    selectable: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: METADATA_FIELDS)
    name_rule: NameRule = check_subdomain_name
    set_defaults: Callable[[Manifest], None] = nothing_to_set
    check: Callable[[Manifest, Manifest | None], Iterator[FieldProblem]] = nothing_to_check
    columns: tuple[Column, ...] = ()

    @property
    def group(self) -> str:
        return self.resource.group

    @property
    def version(self) -> str:
        return self.resource.version

    @property
    def api_version(self) -> str:
        return self.resource.api_version

    @property
    def plural(self) -> str:
        return self.resource.plural

    @property
    def name(self) -> str:
        return self.resource.kind

    @property
    def namespaced(self) -> bool:
        return self.resource.namespaced

    @property
    def key(self) -> tuple[str, str]:
        """Under which its table is stored."""
        return self.group, self.plural


def own_kind(resource: Resource, *short_names: str, **rules: Any) -> Kind:
    """A kind of Kubernetes itself, whose type is known; `rules` are fields of `Kind`."""
    return Kind(
        resource=resource,
        singular=resource.kind.lower(),
        schema=kubernetes_type(resource.kind),
        list_kind=f"{resource.kind}List",
        short_names=short_names,
        **rules,
    )
