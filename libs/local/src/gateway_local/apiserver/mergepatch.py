"""JSON merge patch (RFC 7386) and JSON patch (RFC 6902). They change the document they are given. No I/O."""

from typing import Any

from gateway_local.apiserver.errors import StatusError, bad_request

_MISSING = object()


def merge(document: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """Merge a patch into a document: null deletes, objects merge, anything else replaces."""
    for key, value in patch.items():
        if value is None:
            document.pop(key, None)
        elif isinstance(value, dict):
            target = document.get(key)
            document[key] = merge(target if isinstance(target, dict) else {}, value)
        else:
            document[key] = value
    return document


class PatchFailed(Exception):
    """An operation of a JSON patch that this document does not allow."""


def apply_json_patch(document: Any, operations: object) -> Any:
    """Carry out the operations in order; the answer is the new document.

    `StatusError` 400 for something that is not a JSON patch, 422 where the document does not allow an operation.
    """
    if not isinstance(operations, list) or not all(isinstance(operation, dict) for operation in operations):
        raise bad_request("error decoding patch: a JSON patch is a list of operations")
    for operation in operations:
        try:
            document = _operate(document, operation)
        except PatchFailed as error:
            raise StatusError(
                422, "Invalid", f"the server rejected our request due to an error in our request: {error}"
            ) from error
    return document


def _operate(document: Any, operation: dict[str, Any]) -> Any:
    verb, path = operation.get("op"), operation.get("path")
    if verb not in ("add", "remove", "replace", "move", "copy", "test") or not isinstance(path, str):
        raise bad_request(f"error decoding patch: {operation!r} is not an operation")
    if verb in ("add", "replace", "test") and "value" not in operation:
        raise bad_request(f"error decoding patch: {verb} {path} has no value")
    if verb in ("move", "copy"):
        source = operation.get("from")
        if not isinstance(source, str):
            raise bad_request(f"error decoding patch: {verb} {path} has no from")
        value = _read(document, source)
        if verb == "move":
            document = _remove(document, source)
        return _add(document, path, _copy(value))
    if verb == "remove":
        return _remove(document, path)
    value = operation["value"]
    if verb == "add":
        return _add(document, path, value)
    if verb == "replace":
        _read(document, path)
        return _replace(document, path, value)
    if _read(document, path) != value:
        raise PatchFailed(f"testing path {path} failed")
    return document


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    return [_copy(item) for item in value] if isinstance(value, list) else value


def _parts(path: str) -> list[str]:
    if path and not path.startswith("/"):
        raise PatchFailed(f"path {path} does not begin with /")
    return [part.replace("~1", "/").replace("~0", "~") for part in path.split("/")[1:]]


def _index(container: list[Any], part: str, limit: int) -> int:
    if not part.isdigit() or int(part) >= limit:
        raise PatchFailed(f"index {part} is out of range")
    return int(part)


def _child(container: Any, part: str) -> Any:
    if isinstance(container, list):
        return container[_index(container, part, len(container))]
    value = container.get(part, _MISSING) if isinstance(container, dict) else _MISSING
    if value is _MISSING:
        raise PatchFailed(f"there is no {part}")
    return value


def _read(document: Any, path: str) -> Any:
    for part in _parts(path):
        document = _child(document, part)
    return document


def _add(document: Any, path: str, value: Any) -> Any:
    *parents, last = _parts(path) or [""]
    if not path:
        return value
    container = document
    for part in parents:
        container = _child(container, part)
    if isinstance(container, list):
        where = len(container) if last == "-" else _index(container, last, len(container) + 1)
        container.insert(where, value)
    elif isinstance(container, dict):
        container[last] = value
    else:
        raise PatchFailed(f"{path} has no parent that could hold it")
    return document


def _replace(document: Any, path: str, value: Any) -> Any:
    if not path:
        return value
    *parents, last = _parts(path)
    container = document
    for part in parents:
        container = _child(container, part)
    container[int(last) if isinstance(container, list) else last] = value
    return document


def _remove(document: Any, path: str) -> Any:
    _read(document, path)
    *parents, last = _parts(path) or [""]
    container = document
    for part in parents:
        container = _child(container, part)
    if not path:
        return None
    del container[int(last) if isinstance(container, list) else last]
    return document
