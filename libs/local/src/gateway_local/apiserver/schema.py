"""Schemas as the server uses them: what fields there are, how lists merge, what is pruned and filled in. No I/O.

One compiled form serves Kubernetes' own kinds (`kubernetes.json`: the types of the OpenAPI document of Kubernetes 1.36,
Apache-2.0, without descriptions) and the structural schemas of CustomResourceDefinitions. Validation proper is in
`validation`.
"""

import binascii
import json
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Any

from gateway_local.apiserver.errors import StatusError

Raw = dict[str, Any]


class Schema:
    """One node: the schema of one value."""

    __slots__ = (
        "additional",
        "default",
        "embedded",
        "format",
        "has_default",
        "int_or_string",
        "items",
        "list_type",
        "map_keys",
        "map_type",
        "merge_key",
        "merge_strategies",
        "nullable",
        "preserve",
        "properties",
        "type",
    )

    def __init__(self, raw: Raw) -> None:
        self.type: str = raw.get("type", "")
        self.format: str = raw.get("format", "")
        self.properties: dict[str, Schema] = {}
        self.additional: Schema | None = None
        self.items: Schema | None = None
        self.nullable: bool = raw.get("nullable", False)
        self.preserve: bool = raw.get("x-kubernetes-preserve-unknown-fields", False)
        self.embedded: bool = raw.get("x-kubernetes-embedded-resource", False)
        self.int_or_string: bool = raw.get("x-kubernetes-int-or-string", False)
        self.list_type: str = raw.get("x-kubernetes-list-type", "atomic")
        self.map_keys: tuple[str, ...] = tuple(raw.get("x-kubernetes-list-map-keys", ()))
        self.map_type: str = raw.get("x-kubernetes-map-type", "granular")
        self.merge_key: str = raw.get("x-kubernetes-patch-merge-key", "")
        self.merge_strategies: tuple[str, ...] = tuple(
            filter(None, raw.get("x-kubernetes-patch-strategy", "").split(","))
        )
        self.has_default = "default" in raw
        self.default = raw.get("default")

    def child(self, name: str) -> "Schema":
        """The schema of a field of this object."""
        return self.properties.get(name) or self.additional or UNKNOWN

    @property
    def item(self) -> "Schema":
        return self.items or UNKNOWN


UNKNOWN = Schema({"x-kubernetes-preserve-unknown-fields": True})
"""A value of which nothing is known: objects are maps by key, lists are atomic."""


def compile_schema(raw: Raw, definitions: dict[str, Raw] | None = None) -> Schema:
    """Compile a schema. `definitions` holds what `$ref` names; a definition may refer to itself."""
    return _compile(raw, definitions or {}, {})


def _compile(raw: Raw, definitions: dict[str, Raw], done: dict[str, Schema]) -> Schema:
    if "$ref" in raw:
        name = raw["$ref"]
        if len(raw) > 1:  # list and patch markers stand beside the reference
            raw = {**definitions[name], **{key: value for key, value in raw.items() if key != "$ref"}}
        elif name in done:
            return done[name]
        else:
            raw = definitions[name]
            schema = done[name] = Schema(raw)
            return _fill(schema, raw, definitions, done)
    return _fill(Schema(raw), raw, definitions, done)


def _fill(schema: Schema, raw: Raw, definitions: dict[str, Raw], done: dict[str, Schema]) -> Schema:
    schema.properties = {name: _compile(part, definitions, done) for name, part in raw.get("properties", {}).items()}
    if isinstance(values := raw.get("additionalProperties"), dict):
        schema.additional = _compile(values, definitions, done)
    elif values is True:
        schema.preserve = True
    if isinstance(item := raw.get("items"), dict):
        schema.items = _compile(item, definitions, done)
    return schema


@cache
def kubernetes_types() -> dict[str, Raw]:
    """Kubernetes' own types by their short names, as raw schemas."""
    text = files(__package__).joinpath("kubernetes.json").read_text()
    types: dict[str, Raw] = json.loads(text)
    return types


@cache
def kubernetes_type(name: str) -> Schema:
    return compile_schema({"$ref": name}, kubernetes_types())


def custom_resource(raw: Raw) -> Schema:
    """The schema of a custom resource: its own, and the parts that every object has."""
    schema = compile_schema(raw)
    schema.properties = {
        **schema.properties,
        "apiVersion": Schema({"type": "string"}),
        "kind": Schema({"type": "string"}),
        "metadata": kubernetes_type("ObjectMeta"),
    }
    return schema


def prune(schema: Schema, value: Any, path: str = "") -> list[str]:
    """Take out of a value what its schema doesn't know. The answer names what went."""
    gone: list[str] = []
    if isinstance(value, dict) and schema.type in ("object", ""):
        if not (schema.preserve or schema.additional):
            for name in [name for name in value if name not in schema.properties]:
                if schema.embedded and name in ("apiVersion", "kind", "metadata"):
                    continue
                gone.append(f"{path}{name}")
                del value[name]
        for name, part in value.items():
            if isinstance(part, dict | list):
                gone += prune(schema.child(name), part, f"{path}{name}.")
    elif isinstance(value, list) and schema.items:
        for index, part in enumerate(value):
            if isinstance(part, dict | list):
                gone += prune(schema.items, part, f"{path[:-1]}[{index}].")
    return gone


def fill_defaults(schema: Schema, value: Any) -> None:
    """Set the fields that are absent and have a default. A null where null is not allowed is an absent field."""
    if isinstance(value, dict):
        for name in [name for name, part in value.items() if part is None]:
            child = schema.child(name)
            if child.type and not child.nullable:
                del value[name]
        for name, child in schema.properties.items():
            if child.has_default and name not in value:
                value[name] = json.loads(json.dumps(child.default))
        for name, part in value.items():
            if isinstance(part, dict | list):
                fill_defaults(schema.child(name), part)
    elif isinstance(value, list) and schema.items:
        for part in value:
            fill_defaults(schema.items, part)


_GO_NAMES = {
    type(None): "null",
    dict: "object",
    list: "array",
    str: "string",
    bool: "bool",
    int: "number",
    float: "number",
}
_ACCEPTED: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
}


def decode(schema: Schema, value: dict[str, Any], kind: str, version: str) -> None:
    """Check a value against the Go type that its schema stands for; a null is an absent field.

    `StatusError` 400, as Kubernetes' decoder answers, which comes before validation.
    """
    try:
        _decode(schema, value, "")
    except _WrongType as error:
        raise StatusError(
            400,
            "BadRequest",
            f'{kind} in version "{version}" cannot be handled as a {kind}: json: cannot unmarshal '
            f"{error.found} into Go struct field {kind}.{error.path} of type {error.wanted}",
        ) from error


class _WrongType(Exception):
    def __init__(self, path: str, wanted: str, value: object) -> None:
        self.path, self.wanted, self.found = path.lstrip("."), wanted, _GO_NAMES[type(value)]


def _decode(schema: Schema, value: Any, path: str) -> None:
    if schema.format == "quantity" or schema.int_or_string:
        if isinstance(value, bool | dict | list):
            raise _WrongType(path, "resource.Quantity" if schema.format else "intstr.IntOrString", value)
        return
    if schema.format == "byte" and isinstance(value, str):
        try:
            binascii.a2b_base64(value, strict_mode=True)
        except ValueError:  # not base64, or not even ASCII
            raise _WrongType(path, "[]uint8 (illegal base64 data)", value) from None
    if schema.type and not _ACCEPTED[schema.type](value):
        raise _WrongType(path, schema.type, value)
    if isinstance(value, dict):
        for name in [name for name, part in value.items() if part is None]:
            del value[name]
        for name, part in value.items():
            child = schema.child(name)
            _decode(child, part, f"{path}.{name}")
            if child.format == "quantity" and not isinstance(part, str):
                value[name] = str(part)
    elif isinstance(value, list) and schema.items:
        for part in value:
            _decode(schema.items, part, path)
