"""All that leads to a cluster: the Service of its scheduler, and the routes to it. They go when its scheduler goes."""

from gateway_common.manifests.installation import Installation
from gateway_common.names import ClusterName
from gateway_common.resources import SERVICES, Manifest, Resource
from gateway_controller.core.build.routes import build_routes, route_resources
from gateway_controller.core.build.service import build_service


def build_access(installation: Installation, cluster: ClusterName) -> dict[Resource, Manifest]:
    """The objects by their kinds: each cluster has one of a kind."""
    return {SERVICES: build_service(installation, cluster), **dict(build_routes(installation, cluster))}


def access_resources(installation: Installation) -> tuple[Resource, ...]:
    """The kinds of these objects."""
    return (SERVICES, *route_resources(installation))
