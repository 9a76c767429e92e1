"""CustomResourceDefinitions: what they must look like, and the kinds that they add to the catalog.

One served version a definition, because there is nothing here that converts objects; and no CEL rules, because there
is nothing that evaluates them. A definition that needs either is refused, not half obeyed.
"""

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

from gateway_common.resources import CRDS, Manifest, Resource
from gateway_local.apiserver.catalog import Catalog
from gateway_local.apiserver.columns import age
from gateway_local.apiserver.errors import FieldProblem
from gateway_local.apiserver.fieldsets import duplicates
from gateway_local.apiserver.kinds import METADATA_FIELDS, Column, Kind, ScalePaths
from gateway_local.apiserver.schema import compile_schema, custom_resource, kubernetes_types
from gateway_local.apiserver.storage import Change, Storage, Table
from gateway_local.apiserver.validation import SchemaCheck

CLEANUP_FINALIZER = "customresourcecleanup.apiextensions.k8s.io"
"""Holds a definition until its objects are gone."""

_TYPES = ("array", "boolean", "integer", "number", "object", "string")
_STRING = {"type": "string"}
_BOOLEAN = {"type": "boolean"}
_STRINGS = {"type": "array", "items": _STRING}
_ANYTHING = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_NAMES = {
    "type": "object",
    "properties": {
        **dict.fromkeys(("plural", "singular", "kind", "listKind"), _STRING),
        "shortNames": _STRINGS,
        "categories": _STRINGS,
    },
}
_SCALE = {
    "type": "object",
    "properties": dict.fromkeys(("specReplicasPath", "statusReplicasPath", "labelSelectorPath"), _STRING),
}
_VERSION = {
    "type": "object",
    "properties": {
        "name": _STRING,
        **dict.fromkeys(("served", "storage", "deprecated"), _BOOLEAN),
        "deprecationWarning": _STRING,
        "schema": {"type": "object", "properties": {"openAPIV3Schema": _ANYTHING}},
        "subresources": {"type": "object", "properties": {"status": _ANYTHING, "scale": _SCALE}},
        "additionalPrinterColumns": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    **dict.fromkeys(("name", "type", "format", "description", "jsonPath"), _STRING),
                    "priority": {"type": "integer"},
                },
            },
        },
        "selectableFields": {
            "type": "array",
            "items": {"type": "object", "properties": {"jsonPath": _STRING}},
        },
    },
}
_DEFINITION = {
    "type": "object",
    "properties": {
        **dict.fromkeys(("apiVersion", "kind"), _STRING),
        "metadata": {"$ref": "ObjectMeta"},
        "spec": {
            "type": "object",
            "properties": {
                **dict.fromkeys(("group", "scope"), _STRING),
                "names": _NAMES,
                "versions": {"type": "array", "items": _VERSION},
                "preserveUnknownFields": {"type": "boolean"},
                "conversion": _ANYTHING,
            },
        },
        "status": _ANYTHING,
    },
}


def definitions_kind() -> Kind:
    """The kind whose objects are CustomResourceDefinitions."""
    return Kind(
        resource=CRDS,
        singular="customresourcedefinition",
        schema=compile_schema(_DEFINITION, kubernetes_types()),
        list_kind="CustomResourceDefinitionList",
        short_names=("crd", "crds"),
        categories=("api-extensions",),
        has_status=True,
        counts_generations=True,
        set_defaults=_set_defaults,
        check=_check,
        columns=(
            Column("Name", "string", lambda crd: crd["metadata"]["name"]),
            Column("Created At", "date", lambda crd: crd["metadata"]["creationTimestamp"]),
        ),
    )


def follow_definitions(catalog: Catalog, storage: Storage) -> None:
    """Keep the catalog as the stored definitions say, from now on."""
    definitions = storage.open(("apiextensions.k8s.io", "customresourcedefinitions"))

    def changed(table: Table, change: Change) -> None:
        if table is not definitions:
            return
        crd = change.stored.object
        group, plural = crd["spec"]["group"], crd["spec"]["names"]["plural"]
        if change.type == "DELETED":
            catalog.remove(group, plural)
            storage.drop((group, plural))
        elif change.previous is None or change.previous.object["spec"] != crd["spec"]:
            catalog.remove(group, plural)
            catalog.add(kind_of(crd))

    storage.listeners.append(changed)


def kind_of(crd: Manifest) -> Kind:
    """The kind that a definition defines."""
    spec = crd["spec"]
    names = spec["names"]
    version = next(version for version in spec["versions"] if version["served"])
    raw = version["schema"]["openAPIV3Schema"]
    check, schema = SchemaCheck(raw), custom_resource(raw)

    def problems(manifest: Manifest, _: Manifest | None) -> Iterator[FieldProblem]:
        yield from check.problems(manifest)
        for where, key in duplicates(schema, manifest):
            yield FieldProblem(where, "FieldValueDuplicate", f"Duplicate value: {key}")

    return Kind(
        resource=Resource(
            spec["group"], version["name"], names["plural"], names["kind"], spec["scope"] == "Namespaced"
        ),
        singular=names["singular"],
        schema=schema,
        raw_schema=raw,
        list_kind=names["listKind"],
        short_names=tuple(names.get("shortNames", ())),
        categories=tuple(names.get("categories", ())),
        has_status="status" in version.get("subresources", {}),
        scale=_scale_paths(version.get("subresources", {}).get("scale")),
        counts_generations=True,
        is_custom=True,
        selectable={
            **METADATA_FIELDS,
            **{
                field["jsonPath"].lstrip("."): tuple(field["jsonPath"].strip(".").split("."))
                for field in version.get("selectableFields", ())
            },
        },
        check=problems,
        columns=(
            Column("Name", "string", lambda manifest: manifest["metadata"]["name"]),
            *(_column(column) for column in version.get("additionalPrinterColumns", ())),
        ),
    )


def _scale_paths(raw: Manifest | None) -> ScalePaths | None:
    if raw is None:
        return None
    return ScalePaths(
        _parts(raw["specReplicasPath"]), _parts(raw["statusReplicasPath"]), _parts(raw.get("labelSelectorPath", ""))
    )


def _parts(json_path: str) -> tuple[str, ...]:
    return tuple(filter(None, json_path.split(".")))


def _column(raw: Manifest) -> Column:
    read = _reader(raw["jsonPath"])
    # dates are written for people, as how long ago they were
    value = (lambda manifest: age(read(manifest))) if raw["type"] == "date" else read
    return Column(raw["name"], raw["type"], value, raw.get("priority", 0))


def _reader(json_path: str) -> Callable[[Manifest], Any]:
    parts = _parts(json_path)

    def read(manifest: Manifest) -> Any:
        value: Any = manifest
        for part in parts:
            value = value.get(part) if isinstance(value, dict) else None
        return value

    return read


def _set_defaults(crd: Manifest) -> None:
    spec = crd.setdefault("spec", {})
    names = spec.setdefault("names", {})
    names.setdefault("singular", str(names.get("kind", "")).lower())
    names.setdefault("listKind", f"{names.get('kind', '')}List")
    spec.setdefault("conversion", {"strategy": "None"})
    if not crd.get("status"):
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        since = {"status": "True", "lastTransitionTime": now}
        crd["status"] = {
            "conditions": [
                {"type": "NamesAccepted", "reason": "NoConflicts", "message": "no conflicts found", **since},
                {
                    "type": "Established",
                    "reason": "InitialNamesAccepted",
                    "message": "the initial names have been accepted",
                    **since,
                },
            ],
            "acceptedNames": names,
            "storedVersions": [version.get("name") for version in spec.get("versions", ())],
        }
        crd["metadata"]["finalizers"] = [
            *filter(CLEANUP_FINALIZER.__ne__, crd["metadata"].get("finalizers", ())),
            CLEANUP_FINALIZER,
        ]


def _check(crd: Manifest, old: Manifest | None) -> Iterator[FieldProblem]:
    spec, names = crd["spec"], crd["spec"]["names"]
    for field, value in (("group", spec.get("group")), ("scope", spec.get("scope"))):
        if not value:
            yield FieldProblem.required(f"spec.{field}")
    for field in ("plural", "kind"):
        if not names.get(field):
            yield FieldProblem.required(f"spec.names.{field}")
    full_name = f"{names.get('plural')}.{spec.get('group')}"
    if crd["metadata"]["name"] != full_name:
        yield FieldProblem.invalid("metadata.name", crd["metadata"]["name"], 'must be spec.names.plural+"."+spec.group')
    if spec.get("scope") not in ("Namespaced", "Cluster", None):
        yield FieldProblem.not_supported("spec.scope", spec["scope"], ("Cluster", "Namespaced"))
    if old is not None:
        for part in ("group", "scope"):
            if spec.get(part) != old["spec"].get(part):
                yield FieldProblem.invalid(f"spec.{part}", spec.get(part), "field is immutable")
    yield from _check_versions(spec.get("versions", []))


def _check_versions(versions: list[Manifest]) -> Iterator[FieldProblem]:
    if sum(bool(version.get("storage")) for version in versions) != 1:
        yield FieldProblem.invalid("spec.versions", versions, "must have exactly one version marked as storage version")
    if sum(bool(version.get("served")) for version in versions) != 1:
        yield FieldProblem.invalid("spec.versions", versions, "this server converts nothing: serve one version")
    for index, version in enumerate(versions):
        field = f"spec.versions[{index}]"
        if (scale := version.get("subresources", {}).get("scale")) is not None:
            yield from _check_scale(f"{field}.subresources.scale", scale)
        raw = version.get("schema", {}).get("openAPIV3Schema")
        if raw is None:
            yield FieldProblem.required(f"{field}.schema.openAPIV3Schema", "schemas are required")
        else:
            yield from _check_structural(f"{field}.schema.openAPIV3Schema", raw)


def _check_scale(field: str, scale: Manifest) -> Iterator[FieldProblem]:
    for name, roots, where in (
        ("specReplicasPath", (".spec.",), ".spec"),
        ("statusReplicasPath", (".status.",), ".status"),
        ("labelSelectorPath", (".spec.", ".status."), "either .spec or .status"),
    ):
        path = scale.get(name, "")
        if not path and name != "labelSelectorPath":
            yield FieldProblem.required(f"{field}.{name}")
        elif path and not path.startswith(roots):
            yield FieldProblem.invalid(f"{field}.{name}", path, f"should be a json path under {where}")


def _check_structural(field: str, raw: Manifest) -> Iterator[FieldProblem]:
    """Structural: every node has a type, and nothing that Kubernetes (or this server) doesn't have."""
    try:
        re.compile(raw.get("pattern", ""))
    except re.error as error:
        yield FieldProblem.invalid(f"{field}.pattern", raw["pattern"], f"must be a valid regular expression: {error}")
    if raw.get("type", "object") not in _TYPES:
        yield FieldProblem.not_supported(f"{field}.type", raw["type"], _TYPES)
    free = raw.get("x-kubernetes-preserve-unknown-fields") or raw.get("x-kubernetes-int-or-string")
    if not raw.get("type") and not free:
        yield FieldProblem.required(f"{field}.type", "must not be empty for specified object fields")
    if "x-kubernetes-validations" in raw:
        yield FieldProblem.forbidden(f"{field}.x-kubernetes-validations", "this server evaluates no CEL rules")
    for keyword in ("$ref", "definitions", "patternProperties", "dependencies"):
        if keyword in raw:
            yield FieldProblem.forbidden(f"{field}.{keyword}", f"{keyword} is not supported")
    if raw.get("uniqueItems"):
        yield FieldProblem.forbidden(
            f"{field}.uniqueItems", "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        )
    if raw.get("type") == "array" and not isinstance(raw.get("items"), dict):
        yield FieldProblem.required(f"{field}.items", "must be specified")
    for name, part in raw.get("properties", {}).items():
        if not (name == "metadata" and field.endswith("openAPIV3Schema")):
            yield from _check_structural(f"{field}.properties[{name}]", part)
    for keyword in ("items", "additionalProperties"):
        if isinstance(raw.get(keyword), dict):
            yield from _check_structural(f"{field}.{keyword}", raw[keyword])
