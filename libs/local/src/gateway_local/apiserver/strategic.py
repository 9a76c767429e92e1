"""Strategic merge patch: a merge patch that knows which lists merge, and by which key. No I/O.

Directives: `$patch: replace|delete|merge`, `$deleteFromPrimitiveList/<field>`, `$setElementOrder/<field>`,
`$retainKeys` (k8s.io/apimachinery/pkg/util/strategicpatch). The document given is changed.
"""

from typing import Any

from gateway_local.apiserver.errors import StatusError, bad_request
from gateway_local.apiserver.schema import Schema

_DELETE_FROM = "$deleteFromPrimitiveList/"
_ORDER = "$setElementOrder/"


def strategic_merge(schema: Schema, document: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """Merge a patch into a document of that schema. `StatusError` 400 for a patch that makes no sense."""
    directive = patch.get("$patch")
    if directive == "replace":
        return {key: value for key, value in patch.items() if key != "$patch"}
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        raise bad_request(f"unknown patch type {directive!r} in a strategic merge patch")
    if (retained := patch.get("$retainKeys")) is not None:
        document = {key: value for key, value in document.items() if key in retained}
    for key, value in patch.items():
        if key.startswith(_DELETE_FROM):
            name = key.removeprefix(_DELETE_FROM)
            document[name] = [item for item in document.get(name, ()) if item not in value]
        elif not key.startswith("$"):
            _merge_field(schema.child(key), document, key, value)
    for key, order in patch.items():
        if key.startswith(_ORDER):
            _reorder(schema, document, key.removeprefix(_ORDER), order)
    return document


def _merge_field(schema: Schema, document: dict[str, Any], key: str, value: Any) -> None:
    current = document.get(key)
    if value is None:
        document.pop(key, None)
    elif isinstance(value, dict):
        if "replace" in schema.merge_strategies:
            document[key] = strategic_merge(schema, {}, value)
        else:
            document[key] = strategic_merge(schema, current if isinstance(current, dict) else {}, value)
        if value.get("$patch") == "delete":
            del document[key]
    elif isinstance(value, list) and "merge" in schema.merge_strategies:
        document[key] = _merge_list(schema, current if isinstance(current, list) else [], value)
    else:
        document[key] = value


def _merge_list(schema: Schema, current: list[Any], patch: list[Any]) -> list[Any]:
    if not schema.merge_key:
        return current + [item for item in patch if item not in current]
    key = schema.merge_key
    if any(not isinstance(item, dict) for item in patch):
        raise bad_request("a list that merges by key holds objects only")
    if any(item.get("$patch") == "replace" and key not in item for item in patch):
        return [item for item in patch if "$patch" not in item]
    result = list(current)
    for item in patch:
        if key not in item:
            raise StatusError(500, "InternalError", f"map: {item} does not contain declared merge key: {key}")
        where = [i for i, have in enumerate(result) if have.get(key) == item[key]]
        if item.get("$patch") == "delete":
            result = [have for have in result if have.get(key) != item[key]]
        elif where:
            result[where[0]] = strategic_merge(schema.item, result[where[0]], item)
        else:
            result.append(strategic_merge(schema.item, {}, item))
    return result


def _reorder(schema: Schema, document: dict[str, Any], name: str, order: list[Any]) -> None:
    """Sort a list as the patch says; what the patch does not name keeps its place after its predecessor."""
    items = document.get(name)
    if not isinstance(items, list):
        return
    key = schema.child(name).merge_key
    wanted = [entry.get(key) if isinstance(entry, dict) else entry for entry in order]
    position, last = {}, -1
    for item in items:
        identity = item.get(key) if isinstance(item, dict) else item
        last = wanted.index(identity) if identity in wanted else last
        position[id(item)] = last
    document[name] = sorted(items, key=lambda item: position[id(item)])
