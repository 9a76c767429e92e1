"""What a service account must be allowed to do in Kubernetes, as RBAC counts it."""

from dataclasses import dataclass

from gateway_common.resources import Resource


@dataclass(frozen=True, slots=True)
class Rule:
    """Verbs on a resource, or on a subresource of it."""

    resource: Resource
    verbs: tuple[str, ...]
    subresource: str = ""
