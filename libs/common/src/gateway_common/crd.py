"""The CustomResourceDefinition of DaskCluster, generated from its model. The chart ships it as YAML."""

from typing import Any

from pydantic import BaseModel

from gateway_common.config import ClusterConfig
from gateway_common.model import DaskClusterSpec, DaskClusterStatus
from gateway_common.resources import DASKCLUSTERS

#: What means the same in JSON Schema and in a structural schema.
_UNCHANGED = ("type", "description", "enum", "minimum", "maximum", "minLength", "maxLength", "pattern", "minItems")

#: What `kubectl get` shows.
_COLUMNS = [
    {"name": "User", "type": "string", "jsonPath": ".spec.username"},
    {"name": "Phase", "type": "string", "jsonPath": ".status.phase"},
    {"name": "Reason", "type": "string", "jsonPath": ".status.reason"},
    {"name": "Workers", "type": "integer", "jsonPath": ".status.workers.running"},
    {"name": "Desired", "type": "integer", "jsonPath": ".spec.replicas"},
    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
]


def crd() -> dict[str, Any]:
    """The CustomResourceDefinition of DaskCluster, with a structural schema."""
    resource = DASKCLUSTERS
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{resource.plural}.{resource.group}"},
        "spec": {
            "group": resource.group,
            "scope": "Namespaced",
            "names": {
                "kind": resource.kind,
                "listKind": f"{resource.kind}List",
                "plural": resource.plural,
                "singular": resource.kind.lower(),
                "shortNames": ["dc"],
            },
            "versions": [
                {
                    "name": resource.version,
                    "served": True,
                    "storage": True,
                    "subresources": {
                        "status": {},
                        "scale": {
                            "specReplicasPath": ".spec.replicas",
                            "statusReplicasPath": ".status.workers.running",
                        },
                    },
                    "additionalPrinterColumns": _COLUMNS,
                    "schema": {
                        "openAPIV3Schema": {
                            "description": "A Dask cluster of one user.",
                            "type": "object",
                            "properties": {"spec": _spec_schema(), "status": _schema_of(DaskClusterStatus)},
                        }
                    },
                }
            ],
        },
    }


def _spec_schema() -> dict[str, Any]:
    schema = _schema_of(DaskClusterSpec)
    config = _schema_of(ClusterConfig)
    # A later version's fields, or a subclass's, survive a round trip through this one.
    config["properties"]["worker_groups"]["additionalProperties"] |= {"x-kubernetes-preserve-unknown-fields": True}
    schema["properties"]["config"] = {**config, "x-kubernetes-preserve-unknown-fields": True}
    return schema


def _schema_of(model: type[BaseModel]) -> dict[str, Any]:
    generated = model.model_json_schema(by_alias=True, mode="serialization")
    schema = _structural(generated, generated.get("$defs", {}))
    # The API server fills in no defaults: they belong to the code, and stored objects stay as written.
    schema.pop("default", None)
    schema["required"] = [name for name, field in model.model_fields.items() if field.is_required()]
    return {key: value for key, value in schema.items() if value not in ([], "")}


def _structural(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """JSON Schema as pydantic makes it, in the dialect of Kubernetes' structural schemas.

    References are inlined, `X | None` becomes nullable, free-form objects keep their unknown fields, and what
    Kubernetes does not know (titles, examples) is left out.
    """
    if "$ref" in schema:
        target = definitions[schema["$ref"].rsplit("/", 1)[-1]]
        # what stands beside the reference (the field's own description) is the nearer truth
        schema = {**target, **{key: value for key, value in schema.items() if key != "$ref"}}
    if "anyOf" in schema:
        (variant,) = [option for option in schema["anyOf"] if option.get("type") != "null"]
        rest = {key: value for key, value in schema.items() if key != "anyOf"}
        nullable = {**_structural({**variant, **rest}, definitions), "nullable": True}
        # Kubernetes finds null in no list of values, not even in one that names it
        nullable.pop("enum", None)
        return nullable

    result = {key: schema[key] for key in _UNCHANGED if key in schema}
    if "exclusiveMinimum" in schema:
        result |= {"minimum": schema["exclusiveMinimum"], "exclusiveMinimum": True}
    if "items" in schema:
        result["items"] = _structural(schema["items"], definitions)
    if "properties" in schema:
        result["properties"] = {name: _structural(part, definitions) for name, part in schema["properties"].items()}
    elif schema.get("type") == "object":
        values = schema.get("additionalProperties")
        if isinstance(values, dict) and values:
            result["additionalProperties"] = _structural(values, definitions)
        else:
            result["x-kubernetes-preserve-unknown-fields"] = True
    return result
