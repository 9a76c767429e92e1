"""The routes of the Kubernetes Gateway API: what they say, and that the API's definitions take them."""

from dataclasses import replace
from typing import Any

import jsonschema
import pytest

from gateway_common.configuration.proxy import GatewayApiGroup
from gateway_common.resources import HTTPROUTES, INGRESSROUTES, INGRESSROUTETCPS, TLSROUTES, Manifest
from gateway_controller.core.build.http_route import build_http_route
from gateway_controller.core.build.routes import build_routes
from gateway_controller.core.build.tls_route import build_tls_route
from tests.kit.gateway_api import strict_schema
from tests.kit.observed import INSTALLATION, cluster

NAME = cluster().full_name
REWRITE = {"type": "URLRewrite", "urlRewrite": {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}}
ACCESS = {"type": "ExtensionRef", "extensionRef": {"group": "traefik.io", "kind": "Middleware", "name": "access"}}


def gateway_api(**settings: Any) -> GatewayApiGroup:
    return GatewayApiGroup(**{"gateway": "edge", **settings})


EDGE = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "edge"}
SERVICE = {"group": "", "kind": "Service", "name": "dask-c0ffee", "weight": 1}


def with_defaults(schema: Any, value: Any) -> Any:
    """What the API server stores."""
    if isinstance(value, list):
        return [with_defaults(schema.get("items", {}), entry) for entry in value]
    if not isinstance(value, dict):
        return value
    known = schema.get("properties", {})
    given = {name: with_defaults(known.get(name, {}), entry) for name, entry in value.items()}
    return {**{name: each["default"] for name, each in known.items() if "default" in each}, **given}


def checked(manifest: Manifest) -> Manifest:
    """What the API's definition takes, all of it."""
    jsonschema.validate(manifest["spec"], strict_schema(manifest["kind"]))
    return manifest


@pytest.mark.parametrize(("prefix", "path"), [("", "/clusters/dask.c0ffee"), ("/gw", "/gw/clusters/dask.c0ffee")])
def test_the_web_route_leads_from_the_public_path_to_the_dashboard(prefix: str, path: str) -> None:
    changed = {"X-Content-Type-Options": "nosniff", "Clear-Site-Data": ""}
    installation = replace(INSTALLATION, proxy_prefix=prefix, dashboard_headers=changed)
    route = checked(build_http_route(installation, gateway_api(dashboard_filters=[ACCESS]), NAME))
    assert (route["apiVersion"], route["kind"]) == ("gateway.networking.k8s.io/v1", "HTTPRoute")
    assert route["metadata"]["name"] == "dask-c0ffee"
    headers = {"set": [{"name": "X-Content-Type-Options", "value": "nosniff"}], "remove": ["Clear-Site-Data"]}
    assert route["spec"] == {
        "parentRefs": [EDGE],
        "rules": [
            {
                "matches": [{"path": {"type": "PathPrefix", "value": path}}],
                "filters": [
                    ACCESS,
                    {"type": "ResponseHeaderModifier", "responseHeaderModifier": headers},
                    REWRITE,
                ],
                "backendRefs": [{**SERVICE, "port": 8787}],
            }
        ],
    }


def test_the_scheduler_s_route_goes_by_server_name_and_leaves_tls_alone() -> None:
    route = checked(build_tls_route(INSTALLATION, gateway_api(), NAME))
    assert (route["apiVersion"], route["kind"]) == ("gateway.networking.k8s.io/v1", "TLSRoute")
    assert route["spec"] == {
        "parentRefs": [EDGE],
        "hostnames": ["daskgateway-dask.c0ffee"],
        "rules": [{"backendRefs": [{**SERVICE, "port": 8786}]}],
    }


def test_routes_name_the_gateway_s_namespace_its_listeners_and_hosts() -> None:
    group = gateway_api(
        gateway_namespace="infra", web_listener="https", scheduler_listener="dask", hosts=["dask.example.org"]
    )
    web, tls = (checked(build(INSTALLATION, group, NAME))["spec"] for build in (build_http_route, build_tls_route))
    assert web["parentRefs"] == [{**EDGE, "namespace": "infra", "sectionName": "https"}]
    assert web["hostnames"] == ["dask.example.org"]
    assert tls["parentRefs"] == [{**EDGE, "namespace": "infra", "sectionName": "dask"}]


def test_an_installation_makes_the_routes_that_its_proxy_understands() -> None:
    assert [resource for resource, _ in build_routes(INSTALLATION, NAME)] == [INGRESSROUTES, INGRESSROUTETCPS]
    behind = replace(INSTALLATION, gateway_api=gateway_api(tls_route_version="v1alpha2"))
    (web, _), (tls, route) = build_routes(behind, NAME)
    assert (web, tls) == (HTTPROUTES, replace(TLSROUTES, version="v1alpha2"))
    assert route["apiVersion"] == "gateway.networking.k8s.io/v1alpha2"


def test_the_api_server_has_nothing_to_fill_in() -> None:
    """Or no route that is there would be what would be made."""
    gateway = gateway_api(gateway_namespace="infra", hosts=["dask.example.org"], dashboard_filters=[ACCESS])
    for route in (build_http_route(INSTALLATION, gateway, NAME), build_tls_route(INSTALLATION, gateway, NAME)):
        schema = strict_schema(route["kind"])
        assert with_defaults(schema, route["spec"]) == route["spec"]
        assert with_defaults(schema, {"parentRefs": [{"name": "edge"}]}) == {"parentRefs": [EDGE]}
