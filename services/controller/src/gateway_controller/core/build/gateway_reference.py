"""The part of a route that says which Gateway serves it."""

from gateway_common.configuration.proxy import GatewayApiGroup
from gateway_common.resources import Manifest


def build_gateway_reference(gateway_api: GatewayApiGroup, listener: str) -> Manifest:
    """A parentRef to the Gateway, or to one of its listeners."""
    optional = {"namespace": gateway_api.gateway_namespace, "sectionName": listener}
    return {"name": gateway_api.gateway, **{key: value for key, value in optional.items() if value}}
