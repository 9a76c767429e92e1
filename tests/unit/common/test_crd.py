"""The CustomResourceDefinition that is generated from the model."""

from pathlib import Path
from typing import Any

import yaml

from gateway_common.crd import crd

ROOT = Path(__file__).parents[3]


def schemas(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """A schema and all schemas in it."""
    inner = [*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])]
    if isinstance(schema.get("additionalProperties"), dict):
        inner.append(schema["additionalProperties"])
    return [schema, *(found for part in inner for found in schemas(part))]


def test_the_schema_is_structural() -> None:
    root = crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    for schema in schemas(root):
        assert "type" in schema, schema
        assert not {"$ref", "anyOf", "allOf", "oneOf", "title", "default"} & set(schema), schema


def test_only_the_user_is_required() -> None:
    spec = crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    assert spec["required"] == ["username"]
    assert spec["properties"]["config"]["x-kubernetes-preserve-unknown-fields"] is True
    assert spec["properties"]["config"]["properties"]["worker_memory_limit"]["nullable"] is True


def test_the_chart_ships_it() -> None:
    shipped = yaml.safe_load((ROOT / "charts/dask-gateway/crds/daskclusters.yaml").read_text())
    assert shipped == crd()
