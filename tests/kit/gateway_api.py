"""Definitions of the Kubernetes Gateway API: what of it a test's Gateway lists, in as far as tests use it.

Fields and defaults are those of gateway.networking.k8s.io 1.5, standard channel. Of HTTPRoutes and TLSRoutes, nothing
else is let through; of the rest, everything is.
"""

from typing import Any

from gateway_common.resources import Manifest

GROUP = "gateway.networking.k8s.io"

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_PORT: Schema = {"type": "integer", "minimum": 1, "maximum": 65535}
_ANYTHING: Schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_HOST_NAME: Schema = {
    "type": "string",
    "minLength": 1,
    "maxLength": 253,
    "pattern": r"^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
}


def _object(*required: str, **properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, **({"required": list(required)} if required else {})}


def _list(items: Schema, longest: int = 16) -> Schema:
    return {"type": "array", "items": items, "maxItems": longest}


def _one_of(*values: str, default: str | None = None) -> Schema:
    return {"type": "string", "enum": list(values), **({"default": default} if default else {})}


_REFERENCE = _object(
    "name",
    group={"type": "string", "default": GROUP},
    kind={"type": "string", "default": "Gateway"},
    name=_TEXT,
    namespace=_TEXT,
    sectionName=_TEXT,
    port=_PORT,
)
_BACKEND = _object(
    "name",
    group={"type": "string", "default": ""},
    kind={"type": "string", "default": "Service"},
    name=_TEXT,
    namespace=_TEXT,
    port=_PORT,
    weight={"type": "integer", "default": 1},
)
_HEADERS = _object(
    set=_list(_object("name", "value", name=_TEXT, value={"type": "string", "maxLength": 4096})), remove=_list(_TEXT)
)
_REWRITTEN = _object(
    "type",
    type=_one_of("ReplaceFullPath", "ReplacePrefixMatch"),
    replaceFullPath=_TEXT,
    replacePrefixMatch=_TEXT,
)
_FILTER = _object(
    "type",
    type=_one_of("RequestHeaderModifier", "ResponseHeaderModifier", "RequestRedirect", "URLRewrite", "ExtensionRef"),
    responseHeaderModifier=_HEADERS,
    urlRewrite=_object(path=_REWRITTEN),
    extensionRef=_object("group", "kind", "name", group=_TEXT, kind=_TEXT, name=_TEXT),
)
_PATH = _object(
    type=_one_of("Exact", "PathPrefix", "RegularExpression", default="PathPrefix"),
    value={"type": "string", "default": "/", "maxLength": 1024},
)
_HTTP_ROUTE = _object(
    parentRefs=_list(_REFERENCE),
    hostnames=_list(_HOST_NAME),
    rules=_list(_object(matches=_list(_object(path=_PATH)), filters=_list(_FILTER), backendRefs=_list(_BACKEND))),
)
_TLS_ROUTE = _object(
    "rules",
    parentRefs=_list(_REFERENCE),
    hostnames=_list(_HOST_NAME),
    rules=_list(_object("backendRefs", backendRefs=_list(_BACKEND)), 1),
)
#: Kind to the schema of its spec.
_SPECS: dict[str, Schema] = {
    "GatewayClass": _ANYTHING,
    "Gateway": _ANYTHING,
    "HTTPRoute": _HTTP_ROUTE,
    "GRPCRoute": _ANYTHING,
    "TLSRoute": _TLS_ROUTE,
    "ReferenceGrant": _ANYTHING,
    "BackendTLSPolicy": _ANYTHING,
}


def strict_schema(kind: str) -> Schema:
    """What a spec of this kind may be, and nothing beside it."""
    return _closed(_SPECS[kind])


def gateway_api_definitions() -> list[Manifest]:
    """A CustomResourceDefinition for each kind."""
    return [_definition(kind, spec) for kind, spec in _SPECS.items()]


def _closed(schema: Schema) -> Schema:
    closed = {**schema, "items": _closed(schema["items"])} if "items" in schema else schema
    if "properties" not in schema:
        return closed
    known = {name: _closed(below) for name, below in schema["properties"].items()}
    return {**closed, "properties": known, "additionalProperties": False}


def _definition(kind: str, spec: Schema) -> Manifest:
    singular = kind.lower()
    plural = {"GatewayClass": "gatewayclasses", "BackendTLSPolicy": "backendtlspolicies"}.get(kind, f"{singular}s")
    schema = _object("spec", spec=spec, status=_ANYTHING)
    version = "v1beta1" if kind == "ReferenceGrant" else "v1"
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Cluster" if kind == "GatewayClass" else "Namespaced",
            "names": {"kind": kind, "listKind": f"{kind}List", "plural": plural, "singular": singular},
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema},
                    "subresources": {"status": {}},
                }
            ],
        },
    }
