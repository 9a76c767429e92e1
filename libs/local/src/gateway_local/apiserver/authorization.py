"""May this user do that? The roles and bindings that are stored answer, at every request anew."""

from collections.abc import Iterator

from gateway_common.resources import Manifest
from gateway_local.apiserver.endpoints import Target
from gateway_local.apiserver.errors import StatusError, qualified
from gateway_local.apiserver.rbac import GROUP, Attributes, User, allows, binds
from gateway_local.apiserver.selectors import parse_field_selector
from gateway_local.apiserver.storage import Storage

MASTERS = "system:masters"
"""The group that may do everything, whatever is stored."""


class Authorizer:
    """Decides by the stored roles and bindings."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def check(self, user: User, verb: str, target: Target, field_selector: str = "") -> None:
        """`StatusError` 403 unless the user may. A list or watch of one name is about that name."""
        if MASTERS in user.groups:
            return
        kind = target.kind
        name = target.name or parse_field_selector(field_selector, kind.selectable).name or ""
        asked = Attributes(verb, kind.group, kind.plural, target.subresource, target.scope, name)
        if not any(allows(rule, asked) for rule in self._rules(user, target.scope)):
            raise _denied(user, asked)

    def _rules(self, user: User, namespace: str) -> Iterator[Manifest]:
        """The rules that hold for a user in a namespace; "": those that hold everywhere."""
        for table, scope in (("clusterrolebindings", ""), ("rolebindings", namespace)):
            if table == "rolebindings" and not namespace:
                return
            for binding in self._storage.open((GROUP, table)).iterate(scope or None):
                if binds(binding.object, user):
                    yield from self._role(binding.object["roleRef"], namespace)

    def _role(self, reference: Manifest, namespace: str) -> list[Manifest]:
        is_cluster_wide = reference["kind"] == "ClusterRole"
        table = self._storage.open((GROUP, "clusterroles" if is_cluster_wide else "roles"))
        role = table.get("" if is_cluster_wide else namespace, reference["name"])
        return role.object.get("rules") or [] if role else []


def _denied(user: User, asked: Attributes) -> StatusError:
    """As k8s.io/apiserver/pkg/endpoints/handlers/responsewriters words it."""
    where = f'in the namespace "{asked.namespace}"' if asked.namespace else "at the cluster scope"
    about = qualified(asked.resource, asked.group) + (f' "{asked.name}"' if asked.name else "")
    message = (
        f'{about} is forbidden: User "{user.name}" cannot {asked.verb} resource "{asked.full_resource}" '
        f'in API group "{asked.group}" {where}'
    )
    details = {"name": asked.name, "group": asked.group, "kind": asked.resource}
    return StatusError(403, "Forbidden", message, {key: value for key, value in details.items() if value})
