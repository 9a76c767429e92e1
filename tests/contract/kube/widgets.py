"""A custom resource for the contract, and manifests of core kinds."""

from typing import Any

from gateway_common.resources import CRDS, Resource

Manifest = dict[str, Any]

WIDGETS = Resource("contract.example.com", "v1", "widgets", "Widget")


def widget_definition() -> Manifest:
    spec = {
        "type": "object",
        "required": ["size"],
        "properties": {
            "size": {"type": "integer", "minimum": 1, "maximum": 10},
            "replicas": {"type": "integer"},
            "color": {"type": "string", "enum": ["red", "green"], "default": "red"},
            "code": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 5},
            "note": {"type": "string", "nullable": True},
            "grade": {"type": "string", "nullable": True, "enum": ["a", "b", None]},
            "port": {"x-kubernetes-int-or-string": True},
            "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 3},
            "parts": {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
                "items": {
                    "type": "object",
                    "required": ["name"],
                    "properties": {"name": {"type": "string"}, "weight": {"type": "integer"}},
                },
            },
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            "probe": {
                "type": "object",
                "properties": {
                    "scheme": {"type": "string", "default": "http"},
                    "ask": {
                        "type": "object",
                        "properties": {"path": {"type": "string"}, "retries": {"type": "integer", "default": 3}},
                    },
                },
            },
            "limits": {"type": "object", "additionalProperties": {"type": "integer"}},
        },
    }
    seen = {"phase": {"type": "string"}, "seen": {"type": "integer"}, "selector": {"type": "string"}}
    status = {"type": "object", "properties": seen}
    return {
        "apiVersion": CRDS.api_version,
        "kind": CRDS.kind,
        "metadata": {"name": f"{WIDGETS.plural}.{WIDGETS.group}"},
        "spec": {
            "group": WIDGETS.group,
            "scope": "Namespaced",
            "names": {"kind": WIDGETS.kind, "plural": WIDGETS.plural, "singular": "widget", "shortNames": ["wd"]},
            "versions": [
                {
                    "name": WIDGETS.version,
                    "served": True,
                    "storage": True,
                    "subresources": {
                        "status": {},
                        "scale": {
                            "specReplicasPath": ".spec.replicas",
                            "statusReplicasPath": ".status.seen",
                            "labelSelectorPath": ".status.selector",
                        },
                    },
                    "additionalPrinterColumns": [
                        {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
                        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
                    ],
                    "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec, "status": status}}},
                }
            ],
        },
    }


def widget(name: str, **spec: Any) -> Manifest:
    return {
        "apiVersion": WIDGETS.api_version,
        "kind": WIDGETS.kind,
        "metadata": {"name": name},
        "spec": {"size": 1, **spec},
    }


def config_map(name: str, labels: dict[str, str] | None = None, **data: str) -> Manifest:
    metadata: Manifest = {"name": name, **({"labels": labels} if labels else {})}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def pod(name: str, **spec: Any) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"containers": [{"name": "main", "image": "none:1"}], **spec},
    }
