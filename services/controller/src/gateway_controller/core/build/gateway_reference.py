"""The parts of a route that say which Gateway serves it, and where it leads.

With all that the API server would fill in: what is there can then be compared with what would be made.
"""

from gateway_common.configuration.proxy import GatewayApiGroup
from gateway_common.resources import HTTPROUTES, SERVICES, Manifest


def build_gateway_reference(gateway_api: GatewayApiGroup, listener: str) -> Manifest:
    """A parentRef to the Gateway, or to one of its listeners."""
    optional = {"namespace": gateway_api.gateway_namespace, "sectionName": listener}
    gateway = {"group": HTTPROUTES.group, "kind": "Gateway", "name": gateway_api.gateway}
    return {**gateway, **{key: value for key, value in optional.items() if value}}


def build_backend_reference(service: str, port: int) -> Manifest:
    """A backendRef to a port of a Service."""
    return {"group": SERVICES.group, "kind": SERVICES.kind, "name": service, "port": port, "weight": 1}
