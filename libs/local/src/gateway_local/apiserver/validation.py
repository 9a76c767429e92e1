"""Whether an object is acceptable: names and metadata for every kind, and schemas for custom resources. No I/O.

Kubernetes' rules for names: k8s.io/apimachinery/pkg/util/validation. Schemas are checked by `jsonschema`; its findings
are put in the words of k8s.io/kube-openapi/pkg/validation, which clients know.
"""

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import jsonschema
import orjson

from gateway_common.resources import Manifest
from gateway_local.apiserver.errors import FieldProblem, go_value

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
DNS_LABEL = re.compile(_LABEL)
DNS_SUBDOMAIN = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_QUALIFIED = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")

LABEL_RULE = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
    "with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
SUBDOMAIN_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_QUALIFIED_RULE = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_VALUE_RULE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_ANNOTATIONS_LIMIT = 256 * 1024


def check_label_name(field: str, name: str) -> Iterator[FieldProblem]:
    """A DNS label: at most 63 characters, no dots."""
    if len(name) > 63:
        yield FieldProblem.invalid(field, name, "must be no more than 63 characters")
    if not DNS_LABEL.fullmatch(name):
        yield FieldProblem.invalid(field, name, LABEL_RULE)


def check_subdomain_name(field: str, name: str) -> Iterator[FieldProblem]:
    """A DNS subdomain: at most 253 characters."""
    if len(name) > 253:
        yield FieldProblem.invalid(field, name, "must be no more than 253 characters")
    if not DNS_SUBDOMAIN.fullmatch(name):
        yield FieldProblem.invalid(field, name, SUBDOMAIN_RULE)


NameRule = Callable[[str, str], Iterator[FieldProblem]]


def check_metadata(meta: Manifest, name_rule: NameRule) -> Iterator[FieldProblem]:
    """What Kubernetes asks of `metadata` of every kind."""
    yield from name_rule("metadata.name", meta["name"])
    for key, value in (meta.get("labels") or {}).items():
        yield from _check_key("metadata.labels", key)
        if len(value) > 63:
            yield FieldProblem.invalid("metadata.labels", value, "must be no more than 63 characters")
        elif not _LABEL_VALUE.fullmatch(value):
            yield FieldProblem.invalid("metadata.labels", value, _VALUE_RULE)
    annotations = meta.get("annotations") or {}
    for key in annotations:
        yield from _check_key("metadata.annotations", key.lower())
    if sum(len(key) + len(value) for key, value in annotations.items()) > _ANNOTATIONS_LIMIT:
        yield FieldProblem(
            "metadata.annotations", "FieldValueTooLong", f"Too long: may not be more than {_ANNOTATIONS_LIMIT} bytes"
        )
    yield from _check_owners(meta.get("ownerReferences") or [])


def _check_key(field: str, key: str) -> Iterator[FieldProblem]:
    prefix, slash, name = key.rpartition("/")
    if len(prefix) > 253:
        yield FieldProblem.invalid(field, key, "prefix part must be no more than 253 characters")
    if slash and not DNS_SUBDOMAIN.fullmatch(prefix):
        yield FieldProblem.invalid(field, key, f"prefix part {SUBDOMAIN_RULE}")
    if len(name) > 63:
        yield FieldProblem.invalid(field, key, "name part must be no more than 63 characters")
    elif not _QUALIFIED.fullmatch(name):
        yield FieldProblem.invalid(field, key, _QUALIFIED_RULE)


def _check_owners(owners: list[Manifest]) -> Iterator[FieldProblem]:
    for index, owner in enumerate(owners):
        field = f"metadata.ownerReferences[{index}]"
        for name in ("apiVersion", "kind", "name", "uid"):
            if not owner.get(name):
                yield FieldProblem.invalid(f"{field}.{name}", owner.get(name, ""), "must not be empty")
    if sum(bool(owner.get("controller")) for owner in owners) > 1:
        yield FieldProblem.invalid(
            "metadata.ownerReferences", "array", "Only one reference can have Controller set to true."
        )


_FORMATS = jsonschema.FormatChecker(("ipv4", "ipv6", "date"))


def _is_date_time(value: object) -> bool:
    """RFC 3339: with a time, and with an offset."""
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


_FORMATS.checks("date-time", raises=ValueError)(_is_date_time)


class SchemaCheck:
    """Validates custom resources against the `openAPIV3Schema` of their definition."""

    def __init__(self, raw: Manifest) -> None:
        self._validator = jsonschema.Draft4Validator(_json_schema(raw), format_checker=_FORMATS)

    def problems(self, manifest: Manifest) -> list[FieldProblem]:
        found = [problem for error in self._validator.iter_errors(manifest) for problem in _translate(error)]
        return sorted(found, key=lambda problem: problem.field)


_VALUE_KEYWORDS = ("type", "format", "enum", "pattern", "multipleOf", "uniqueItems", "required")
_LIMIT_KEYWORDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength")
_SIZE_KEYWORDS = ("minItems", "maxItems", "minProperties", "maxProperties")
_KEYWORDS = frozenset((*_VALUE_KEYWORDS, *_LIMIT_KEYWORDS, *_SIZE_KEYWORDS))


def _json_schema(raw: Manifest) -> Manifest:
    """A structural schema as JSON Schema (draft 4, whose exclusiveMinimum is a boolean, as in OpenAPI 3.0)."""
    schema = {key: value for key, value in raw.items() if key in _KEYWORDS}
    for key in ("allOf", "anyOf", "oneOf"):
        if key in raw:
            schema[key] = [_json_schema(part) for part in raw[key]]
    if "not" in raw:
        schema["not"] = _json_schema(raw["not"])
    if "properties" in raw:
        schema["properties"] = {name: _json_schema(part) for name, part in raw["properties"].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(raw.get(key), dict):
            schema[key] = _json_schema(raw[key])
    if raw.get("x-kubernetes-int-or-string"):
        schema["type"] = ["integer", "string"]
    if raw.get("nullable") and "type" in schema:
        types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        schema["type"] = [*types, "null"]
    if "enum" in schema:
        # null is none of them, even where it may be a value, and also if it is named
        schema["enum"] = [choice for choice in schema["enum"] if choice is not None]
    return schema


def _field(parts: Iterator[str | int]) -> str:
    text = ""
    for part in parts:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.lstrip(".")


_LIMITS = {
    "minimum": "should be greater than or equal to",
    "maximum": "should be less than or equal to",
    "minLength": "should be at least",
    "multipleOf": "should be a multiple of",
    "minItems": "should have at least",
    "minProperties": "should have at least",
    "maxProperties": "should have at most",
}
_UNITS = {"Length": " chars long", "Items": " items", "Properties": " properties"}


def _translate(error: jsonschema.ValidationError) -> Iterator[FieldProblem]:
    field, value, limit = _field(iter(error.absolute_path)), error.instance, error.validator_value
    match error.validator:
        case "required":
            missing = [name for name in limit if name not in value and f"'{name}'" in error.message]
            yield from (FieldProblem.required(f"{field}.{name}".lstrip(".")) for name in missing)
        case "enum":
            yield FieldProblem.not_supported(field, value, limit)
        case "type":
            wanted = limit[0] if isinstance(limit, list) else limit
            found = _type_name(value)
            yield FieldProblem(
                field,
                "FieldValueTypeInvalid",
                f'Invalid value: "{found}": {field} in body must be of type {wanted}: "{found}"',
            )
        case "pattern":
            yield FieldProblem.invalid(field, value, f"{field} in body should match '{limit}'")
        case "format":
            yield FieldProblem.invalid(field, value, f"{field} in body must be of type {limit}: {go_value(value)}")
        case "maxLength":
            yield FieldProblem(field, "FieldValueTooLong", f"Too long: may not be more than {limit} bytes")
        case "maxItems":
            message = f"Too many: {len(value)}: must have at most {limit} items"
            yield FieldProblem(field, "FieldValueTooMany", message)
        case name if name in _LIMITS:
            unit = next((unit for ending, unit in _UNITS.items() if name.endswith(ending)), "")
            words = _LIMITS[name]
            if error.schema.get(f"exclusive{name.capitalize()}"):
                words = "should be greater than" if name == "minimum" else "should be less than"
            yield FieldProblem.invalid(field, value, f"{field} in body {words} {limit}{unit}")
        case _:
            yield FieldProblem.invalid(
                field, orjson.dumps(value).decode(), f"{field} in body must validate: {error.message}"
            )


def _type_name(value: Any) -> str:
    if value is None:
        return "null"
    names: dict[type, str] = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer"}
    return names.get(type(value), "number")
