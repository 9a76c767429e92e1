"""Builds what the chart says of its values: values.yaml and values.schema.json, from the model of the configuration."""

import json
import textwrap
from collections.abc import Iterator
from typing import Any

import yaml
from pydantic import TypeAdapter

from gateway_common.configuration.known_keys import Key, Section, known_keys

_WIDTH = 100
_HEADER = """\
# All values of the chart with their defaults. What is empty is not set.
# Generated from the model by `make docs`; docs/configuration.md has all that can be set, with types and units.
"""
#: What a section is about, where its keys do not say it themselves.
_SECTIONS = {
    "gateway": "The api, and all that api, auth and controller share.",
    "gateway.auth": "How users prove who they are, and the service that checks it.",
    "gateway.backend": "The clusters: schedulers and workers.",
    "gateway.dashboards": "Who sees the web pages of clusters.",
    "gateway.limits": "What users may have at a time.",
    "controller": "What makes clusters' pods, services and routes.",
    "proxy": "What stands in front: Traefik, or a Gateway of the Kubernetes Gateway API.",
    "proxy.gatewayAPI": "For `kind: gatewayAPI`.",
    "traefik": "The proxy that everything goes through.",
    "traefik.tls": "HTTPS at the proxy that this chart installs.",
    "traefik.existing": "A Traefik that is there already: for `installTraefik: false`.",
    "rbac": "Rights in Kubernetes.",
    "crds": "Resource definitions.",
    "networkPolicies": "Who may connect to whom.",
    "podDisruptionBudgets": "What drains may do.",
    "metrics": "For Prometheus and Grafana.",
}
#: Charts that include this one have it; nothing here does.
_TOLERATED = ("enabled",)
#: Read in several forms: as text, as number, in any case. The services say what is wrong with a value.
_FREE_FORM = ("memory", "loglevel", "environment")
#: Keywords that mean the same to everybody who reads a JSON schema.
_KEYWORDS = {
    "type", "enum", "const", "pattern", "minLength", "minItems", "minimum", "maximum", "exclusiveMinimum", "items",
    "additionalProperties", "anyOf", "properties", "required",
}  # fmt: skip


def build_values() -> str:
    """The chart's values.yaml."""
    return "\n".join([_HEADER.rstrip(), *_section(known_keys(), "")]) + "\n"


def build_schema() -> str:
    """The chart's values.schema.json."""
    schema = {"$schema": "http://json-schema.org/draft-07/schema#", "title": "dask-gateway", **_object(known_keys())}
    return json.dumps(schema, indent=2) + "\n"


def _section(section: Section, indent: str) -> Iterator[str]:
    # what stands alone first: a section may be long
    for name, below in sorted(section.keys.items(), key=lambda item: isinstance(item[1], Section)):
        if isinstance(below, Section):
            yield ""
            yield from _comment(_SECTIONS.get(".".join(below.path), ""), indent)
            if below.keys:
                yield f"{indent}{name}:"
                yield from _section(below, f"{indent}  ")
            else:
                yield f"{indent}{name}: {{}}"
        elif below.path != _TOLERATED:
            yield from _comment(_description(below), indent)
            yield from _value(name, below.default, indent)


def _value(name: str, default: Any, indent: str) -> Iterator[str]:
    # nothing after the colon: not set
    text = f"{name}:" if default is None else yaml.safe_dump({name: default}, sort_keys=False, width=_WIDTH)
    yield from (f"{indent}{line}" for line in text.rstrip().splitlines())


def _comment(text: str, indent: str) -> Iterator[str]:
    prefix = f"{indent}# "
    yield from textwrap.wrap(text, _WIDTH, initial_indent=prefix, subsequent_indent=prefix, break_long_words=False)


def _description(key: Key) -> str:
    said = not key.unit or key.unit.lower() in key.description.lower()
    return key.description if said else f"{key.description} ({key.unit})"


def _object(section: Section) -> dict[str, Any]:
    schema: dict[str, Any] = {
        "type": ["object", "null"],
        "properties": {name: _schema(below) for name, below in section.keys.items()},
        "additionalProperties": _object(section.each) if section.each else False,
    }
    if description := _SECTIONS.get(".".join(section.path)):
        schema["description"] = description
    return schema


def _schema(below: Key | Section) -> dict[str, Any]:
    if isinstance(below, Key):
        return _key(below)
    if below.text is None:
        return _object(below)
    return {"anyOf": [_object(below), _key(below.text)], "description": _description(below.text)}


def _key(key: Key) -> dict[str, Any]:
    described = {"description": _description(key)}
    schema = _or_null(_plain(TypeAdapter(key.type).json_schema()))
    # a cluster's numbers may be text, as options' are
    is_number = key.cluster_field and not {"object", "array", "string"} & set(schema.get("type", ()))
    return described if is_number or any(part in _FREE_FORM for part in key.path) else {**schema, **described}


def _plain(schema: Any) -> Any:
    """Without what only pydantic understands; what refers to definitions of its own is left to the services."""
    if isinstance(schema, list):
        return [_plain(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return {"type": "object"}
    known = {name: value for name, value in schema.items() if name in _KEYWORDS}
    return {name: value if name in ("enum", "const", "required") else _plain(value) for name, value in known.items()}


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    """What is empty in a values file is null."""
    if "anyOf" in schema:
        parts = [part for part in schema["anyOf"] if part != {"type": "null"}]
        return _or_null(parts[0]) if len(parts) == 1 else {"anyOf": [*parts, {"type": "null"}]}
    if "type" not in schema:
        return schema
    nullable = {**schema, "type": [schema["type"], "null"]}
    return {**nullable, "enum": [*schema["enum"], None]} if "enum" in schema else nullable
