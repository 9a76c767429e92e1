"""What an operator's installation would put into the cluster: the way to the api, and the routes' middleware."""

from gateway_common.configuration.services import DashboardsGroup
from gateway_common.names import DASHBOARD_COOKIE, INSTANCE_LABEL
from gateway_common.resources import ENDPOINTSLICES, INGRESSROUTES, MIDDLEWARES, SERVICES, Manifest, Resource
from gateway_local.endpoints import SERVICE_NAME_LABEL
from gateway_local.traefik import ENTRYPOINT

#: Asks the api whether whoever asks may see a cluster's pages.
_ACCESS_MIDDLEWARE = "dashboard-access"
#: What every answer of a cluster's pages tells browsers.
_HEADERS_MIDDLEWARE = "dashboard-headers"
#: Strips `/clusters/<name>` before a request reaches a scheduler's web pages.
_PREFIX_MIDDLEWARE = "clusters-prefix"
#: Strips the gateway's own prefix before a request reaches the api.
_API_MIDDLEWARE = "api-prefix"


def dashboard_middlewares(dashboards: DashboardsGroup) -> list[str]:
    """The names of those that requests for a cluster's pages go through, in order."""
    access = [_ACCESS_MIDDLEWARE] if dashboards.private else []
    return [*access, _HEADERS_MIDDLEWARE, _PREFIX_MIDDLEWARE]


def build_installation(
    instance: str, namespace: str, api_port: int, prefix: str, dashboards: DashboardsGroup
) -> list[tuple[Resource, Manifest]]:
    """The manifests with their resources, in the order in which they are created."""
    specs = {
        _ACCESS_MIDDLEWARE: _build_access(f"http://127.0.0.1:{api_port}"),
        _HEADERS_MIDDLEWARE: _build_headers(dashboards),
        _PREFIX_MIDDLEWARE: {"stripPrefixRegex": {"regex": [f"{prefix}/clusters/[a-zA-Z0-9.-]+"]}},
    }
    if prefix:
        specs[_API_MIDDLEWARE] = {"stripPrefix": {"prefixes": [prefix]}}
    return [
        *((MIDDLEWARES, _build_middleware(name, instance, namespace, spec)) for name, spec in specs.items()),
        (SERVICES, _build_api_service(instance, namespace)),
        (ENDPOINTSLICES, _build_api_endpoints(instance, namespace, api_port)),
        (INGRESSROUTES, _build_api_route(instance, namespace, prefix)),
    ]


def _build_access(api: str) -> Manifest:
    """Traefik says itself what was asked: the caller's word about that would open every door.

    Of these two headers the user's program gets what the api answers, which is no cookie of ours and no credentials.
    """
    return {
        "forwardAuth": {
            "address": f"{api}/dashboards/access",
            "trustForwardHeader": False,
            "authResponseHeaders": ["Cookie", "Authorization"],
            "addAuthCookiesToResponse": [DASHBOARD_COOKIE],
        }
    }


def _build_headers(dashboards: DashboardsGroup) -> Manifest:
    return {"headers": {"customResponseHeaders": dashboards.headers}}


def _metadata(name: str, instance: str, namespace: str, **labels: str) -> Manifest:
    return {"name": name, "namespace": namespace, "labels": {INSTANCE_LABEL: instance, **labels}}


def _build_middleware(name: str, instance: str, namespace: str, spec: Manifest) -> Manifest:
    return {
        "apiVersion": MIDDLEWARES.api_version,
        "kind": MIDDLEWARES.kind,
        "metadata": _metadata(name, instance, namespace),
        "spec": spec,
    }


def _build_api_service(instance: str, namespace: str) -> Manifest:
    return {
        "apiVersion": SERVICES.api_version,
        "kind": SERVICES.kind,
        "metadata": _metadata("api", instance, namespace),
        "spec": {"clusterIP": "None", "ports": [{"name": "api", "port": 8000, "protocol": "TCP"}]},
    }


def _build_api_endpoints(instance: str, namespace: str, api_port: int) -> Manifest:
    """Where the api really listens: it is a process of this machine, not a pod, so nobody else can know."""
    return {
        "apiVersion": ENDPOINTSLICES.api_version,
        "kind": ENDPOINTSLICES.kind,
        "metadata": _metadata("api", instance, namespace, **{SERVICE_NAME_LABEL: "api"}),
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": True}}],
        "ports": [{"name": "api", "port": api_port, "protocol": "TCP"}],
    }


def _build_api_route(instance: str, namespace: str, prefix: str) -> Manifest:
    return {
        "apiVersion": INGRESSROUTES.api_version,
        "kind": INGRESSROUTES.kind,
        "metadata": _metadata("api", instance, namespace),
        "spec": {
            "entryPoints": [ENTRYPOINT],
            "routes": [
                {
                    "kind": "Rule",
                    "match": f"PathPrefix(`{prefix}/`)",
                    # anything longer, such as a cluster's pages, goes first
                    "priority": 1,
                    "services": [{"name": "api", "port": 8000}],
                    "middlewares": [{"name": _API_MIDDLEWARE}] if prefix else [],
                }
            ],
        },
    }
