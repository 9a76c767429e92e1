"""OpenAPI documents of the kinds: what kubectl needs to know that the server validates, and to explain fields."""

from typing import Any

from gateway_local.apiserver.catalog import Catalog
from gateway_local.apiserver.kinds import Kind
from gateway_local.apiserver.schema import Raw, kubernetes_types

Document = dict[str, Any]

_INFO = {"title": "Kubernetes", "version": "v1.34.0"}
_WRITE_PARAMETERS = [
    {"name": name, "in": "query", "schema": {"type": "string"}}
    for name in ("dryRun", "fieldManager", "fieldValidation")
]


def index(catalog: Catalog) -> Document:
    """The root of /openapi/v3: where the document of each group's version is."""
    paths = {}
    for group, versions in catalog.group_versions().items():
        for version in versions:
            path = f"apis/{group}/{version}" if group else f"api/{version}"
            paths[path] = {"serverRelativeURL": f"/openapi/v3/{path}?hash={catalog.generation}"}
    return {"paths": paths}


def version_3(catalog: Catalog, group: str, version: str) -> Document | None:
    """The OpenAPI 3 document of a group's version, or None when nothing of it is served."""
    kinds = catalog.of_group(group, version)
    if not kinds:
        return None
    schemas = _schemas(kinds, "#/components/schemas/")
    return {
        "openapi": "3.0.0",
        "info": _INFO,
        "paths": {path: item for kind in kinds for path, item in _paths(kind)},
        "components": {"schemas": schemas},
    }


def version_2(catalog: Catalog) -> Document:
    """All kinds in one Swagger 2 document, schemas only."""
    return {
        "swagger": "2.0",
        "info": _INFO,
        "paths": {},
        "definitions": _schemas(list(catalog), "#/definitions/"),
    }


def _gvk(kind: Kind) -> Document:
    return {"group": kind.group, "version": kind.version, "kind": kind.name}


def _paths(kind: Kind) -> list[tuple[str, Document]]:
    collection = kind.resource.path("{namespace}" if kind.namespaced else None)
    ok = {"responses": {"200": {"description": "OK"}}, "x-kubernetes-group-version-kind": _gvk(kind)}
    write = {**ok, "parameters": _WRITE_PARAMETERS}
    return [
        (collection, {"get": {**ok, "x-kubernetes-action": "list"}, "post": {**write, "x-kubernetes-action": "post"}}),
        (
            f"{collection}/{{name}}",
            {
                "get": {**ok, "x-kubernetes-action": "get"},
                "put": {**write, "x-kubernetes-action": "put"},
                "patch": {**write, "x-kubernetes-action": "patch"},
                "delete": {**ok, "x-kubernetes-action": "delete"},
            },
        ),
    ]


def _schemas(kinds: list[Kind], prefix: str) -> Document:
    schemas = {name: _with_references(raw, prefix) for name, raw in kubernetes_types().items()}
    for kind in kinds:
        raw = dict(kind.raw_schema) if kind.raw_schema else dict(kubernetes_types().get(kind.name, {}))
        name = f"{kind.group}.{kind.version}.{kind.name}" if kind.is_custom else kind.name
        schemas[name] = {**_with_references(raw, prefix), "x-kubernetes-group-version-kind": [_gvk(kind)]}
    return schemas


def _with_references(raw: Any, prefix: str) -> Any:
    if isinstance(raw, dict):
        result: Raw = {}
        for key, value in raw.items():
            if key == "$ref" and isinstance(value, str):
                result["allOf"] = [{"$ref": prefix + value}]
            else:
                result[key] = _with_references(value, prefix)
        return result
    return [_with_references(part, prefix) for part in raw] if isinstance(raw, list) else raw
