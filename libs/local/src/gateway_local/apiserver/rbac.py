"""Roles and bindings: what they must look like, and what they allow. No I/O.

The rules of k8s.io/kubernetes/pkg/registry/rbac and plugin/pkg/auth/authorizer/rbac. Aggregated ClusterRoles are not
put together, and nobody is kept from writing a role that allows more than the writer may do.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gateway_common.resources import Manifest
from gateway_local.apiserver.errors import FieldProblem
from gateway_local.apiserver.kinds import Kind, own_kind
from gateway_local.resources import CLUSTERROLEBINDINGS, CLUSTERROLES, ROLEBINDINGS, ROLES

GROUP = ROLES.group


@dataclass(frozen=True, slots=True)
class User:
    """Who asks."""

    name: str
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Attributes:
    """What is asked for. `namespace` is "" for what has none, and for all; `name` may be empty."""

    verb: str
    group: str
    resource: str
    subresource: str
    namespace: str
    name: str

    @property
    def full_resource(self) -> str:
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


def allows(rule: Manifest, asked: Attributes) -> bool:
    """Whether a rule of a role covers a request."""
    resources = rule.get("resources") or ()
    names = rule.get("resourceNames")
    return (
        _holds(rule.get("verbs"), asked.verb)
        and _holds(rule.get("apiGroups"), asked.group)
        and (
            _holds(resources, asked.full_resource) or bool(asked.subresource and f"*/{asked.subresource}" in resources)
        )
        and (not names or asked.name in names)
    )


def binds(binding: Manifest, user: User) -> bool:
    """Whether a binding is about a user."""
    return any(_is_subject(subject, user) for subject in binding.get("subjects") or ())


def service_account_name(namespace: str, name: str) -> str:
    """The user name of a service account."""
    return f"system:serviceaccount:{namespace}:{name}"


def service_account_groups(namespace: str) -> frozenset[str]:
    """The groups that every service account of a namespace is in."""
    return frozenset({"system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated"})


def rbac_kinds() -> list[Kind]:
    """In the order of discovery."""
    return [
        own_kind(CLUSTERROLEBINDINGS, check=_check_binding),
        own_kind(CLUSTERROLES, check=_check_role),
        own_kind(ROLEBINDINGS, set_defaults=_set_binding_defaults, check=_check_binding),
        own_kind(ROLES, check=_check_role),
    ]


def _holds(values: Iterable[str] | None, wanted: str) -> bool:
    return bool(values) and any(value in ("*", wanted) for value in values or ())


def _is_subject(subject: Manifest, user: User) -> bool:
    match subject["kind"]:
        case "ServiceAccount":
            return service_account_name(subject.get("namespace", ""), subject["name"]) == user.name
        case "Group":
            return subject["name"] in user.groups
        case _:
            return bool(subject["name"] == user.name)


def _set_binding_defaults(binding: Manifest) -> None:
    """A service account without a namespace stays without one, and so is nobody: Kubernetes refuses it."""
    for subject in binding.get("subjects") or ():
        subject.setdefault("apiGroup", "" if subject.get("kind") == "ServiceAccount" else GROUP)


def _check_role(role: Manifest, _: Manifest | None) -> Iterator[FieldProblem]:
    for index, rule in enumerate(role.get("rules") or ()):
        if not rule.get("verbs"):
            yield FieldProblem.required(f"rules[{index}].verbs", "verbs must contain at least one value")
        if rule.get("nonResourceURLs"):
            continue
        for field, why in (
            ("apiGroups", "supply at least one api group"),
            ("resources", "supply at least one resource"),
        ):
            if not rule.get(field):
                yield FieldProblem.required(f"rules[{index}].{field}", f"resource rules must {why}")


def _check_binding(binding: Manifest, old: Manifest | None) -> Iterator[FieldProblem]:
    reference = binding.get("roleRef") or {}
    kinds = ("ClusterRole",) if binding["kind"] == CLUSTERROLEBINDINGS.kind else ("Role", "ClusterRole")
    if reference.get("kind") not in kinds:
        yield FieldProblem.not_supported("roleRef.kind", reference.get("kind"), kinds)
    if not reference.get("name"):
        yield FieldProblem.required("roleRef.name")
    for index, subject in enumerate(binding.get("subjects") or ()):
        if subject.get("kind") == "ServiceAccount" and not subject.get("namespace"):
            yield FieldProblem.required(f"subjects[{index}].namespace")
    if old is not None and reference != old.get("roleRef"):
        yield FieldProblem.invalid("roleRef", reference, "cannot change roleRef")
