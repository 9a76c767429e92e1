"""Sets of fields in the notation of `metadata.managedFields` (FieldsV1), and what server-side apply does with them.

A set is a tree of dicts: `f:name` a field, `k:{...}` a list item by its keys, `v:...` an item by its value; `.` says
that the node itself is a member beside its children, and a node without children is a member. None is the empty set.
The algorithms are those of sigs.k8s.io/structured-merge-diff. No I/O.
"""

from collections.abc import Iterator
from typing import Any

import orjson

from gateway_local.apiserver.schema import Schema

FieldSet = dict[str, Any]


def _build(member: bool, children: FieldSet) -> FieldSet | None:
    if not children:
        return {} if member else None
    return {".": {}, **children} if member else children


def _is_member(fields: FieldSet | None) -> bool:
    return fields is not None and (not fields or "." in fields)


def _children(fields: FieldSet | None) -> Iterator[tuple[str, FieldSet]]:
    return ((key, part) for key, part in (fields or {}).items() if key != ".")


def union(a: FieldSet | None, b: FieldSet | None) -> FieldSet | None:
    if a is None or b is None:
        return b if a is None else a
    children = dict(_children(a))
    for key, part in _children(b):
        joined = union(children.get(key), part)
        if joined is not None:
            children[key] = joined
    return _build(_is_member(a) or _is_member(b), children)


def difference(a: FieldSet | None, b: FieldSet | None) -> FieldSet | None:
    """The members of `a` that are not members of `b`."""
    if a is None or b is None:
        return a
    children = {}
    for key, part in _children(a):
        rest = difference(part, b.get(key))
        if rest is not None:
            children[key] = rest
    return _build(_is_member(a) and not _is_member(b), children)


def intersection(a: FieldSet | None, b: FieldSet | None) -> FieldSet | None:
    if a is None or b is None:
        return None
    children = {}
    for key, part in _children(a):
        common = intersection(part, b.get(key))
        if common is not None:
            children[key] = common
    return _build(_is_member(a) and _is_member(b), children)


def paths(fields: FieldSet | None, prefix: str = "") -> Iterator[str]:
    """The members as paths for people: `.spec.ports[port=80].name`."""
    if _is_member(fields):
        yield prefix
    for key, part in _children(fields):
        sort, _, text = key.partition(":")
        if sort == "f":
            step = f".{text}"
        elif sort == "k":
            step = f"[{','.join(f'{k}={orjson.dumps(v).decode()}' for k, v in orjson.loads(text).items())}]"
        else:
            step = f"[={text}]"
        yield from paths(part, prefix + step)


def item_key(schema: Schema, item: Any) -> str:
    """How a list item is told from its neighbours, or "" when it lacks its keys."""
    if schema.list_type == "set":
        return f"v:{orjson.dumps(item).decode()}"
    keys = {}
    for name in schema.map_keys:
        part = schema.item.child(name)
        value = item.get(name, part.default) if isinstance(item, dict) else None
        if value is not None:
            keys[name] = value
    return f"k:{orjson.dumps(keys, option=orjson.OPT_SORT_KEYS).decode()}" if keys else ""


def duplicates(schema: Schema, value: Any, field: str = "") -> Iterator[tuple[str, str]]:
    """(field, key) of the list items whose key a neighbour has already."""
    if isinstance(value, dict):
        for name, part in value.items():
            if isinstance(part, dict | list):
                yield from duplicates(schema.child(name), part, f"{field}.{name}".lstrip("."))
    elif isinstance(value, list):
        seen = set()
        for index, item in enumerate(value):
            at = f"{field}[{index}]"
            if schema.list_type in ("map", "set"):
                key = item_key(schema, item)
                if key in seen:
                    yield at, key[2:]
                seen.add(key)
            yield from duplicates(schema.item, item, at)


def _is_granular_map(schema: Schema, value: Any) -> bool:
    return isinstance(value, dict) and schema.map_type != "atomic"


def _is_granular_list(schema: Schema, value: Any) -> bool:
    return isinstance(value, list) and schema.list_type in ("map", "set")


def _keyed(schema: Schema, items: list[Any]) -> dict[str, Any]:
    return {item_key(schema, item): item for item in items}


def fields_of(schema: Schema, value: Any) -> FieldSet:
    """All fields that a value sets."""
    if _is_granular_map(schema, value):
        fields: FieldSet = {}
        for name, part in value.items():
            inner = fields_of(schema.child(name), part)
            if name not in schema.properties and inner:
                inner = {".": {}, **inner}
            fields[f"f:{name}"] = inner
        return fields
    if _is_granular_list(schema, value):
        return {
            key: {".": {}, **fields_of(schema.item, item)} if schema.list_type == "map" else {}
            for key, item in _keyed(schema, value).items()
        }
    return {}


def changes(schema: Schema, old: Any, new: Any) -> tuple[FieldSet | None, FieldSet | None]:
    """(fields that `new` adds or changes, fields that it lacks)."""
    if old == new:
        return None, None
    if _is_granular_map(schema, old) and _is_granular_map(schema, new):
        pairs = [
            (f"f:{name}", schema.child(name), old.get(name), new.get(name), name in old, name in new)
            for name in {**old, **new}
        ]
    elif _is_granular_list(schema, old) and _is_granular_list(schema, new):
        before, after = _keyed(schema, old), _keyed(schema, new)
        pairs = [
            (key, schema.item, before.get(key), after.get(key), key in before, key in after)
            for key in {**before, **after}
        ]
    else:
        return {}, None
    set_: FieldSet = {}
    removed: FieldSet = {}
    for key, part, a, b, had, has in pairs:
        if had and has:
            inner_set, inner_removed = changes(part, a, b)
        elif has:
            inner_set, inner_removed = union({}, fields_of(part, b)), None
        else:
            inner_set, inner_removed = None, union({}, fields_of(part, a))
        if inner_set is not None:
            set_[key] = inner_set
        if inner_removed is not None:
            removed[key] = inner_removed
    return set_ or None, removed or None


def merge(schema: Schema, live: Any, applied: Any) -> Any:
    """The live value with what is applied laid over it: maps and keyed lists merge, the rest is replaced."""
    if _is_granular_map(schema, live) and _is_granular_map(schema, applied):
        merged = dict(live)
        for name, part in applied.items():
            merged[name] = merge(schema.child(name), live[name], part) if name in live else part
        return merged
    if _is_granular_list(schema, live) and _is_granular_list(schema, applied):
        items = _keyed(schema, live)
        for key, item in _keyed(schema, applied).items():
            items[key] = merge(schema.item, items[key], item) if key in items else item
        return list(items.values())
    return applied


def remove(schema: Schema, value: Any, gone: FieldSet, kept: FieldSet | None) -> Any:
    """The value without the fields in `gone`; what is left empty by it goes too, unless somebody keeps it.

    A field that the schema names goes with all that is in it, such as defaults, which nobody owns.
    """
    if _is_granular_map(schema, value):
        result = dict(value)
        for key, part in _children(gone):
            name = key[2:]
            if name in result:
                others = (kept or {}).get(key)
                rest: Any = remove(schema.child(name), result[name], part, others) if part else None
                if others is None and (not part or rest in ({}, []) or name in schema.properties):
                    del result[name]
                elif part:
                    result[name] = rest
        return result
    if _is_granular_list(schema, value):
        items = []
        for item in value:
            key = item_key(schema, item)
            others = (kept or {}).get(key)
            owned: FieldSet | None = gone.get(key)
            if owned is None:
                items.append(item)
            elif others is not None or not _is_member(owned):
                items.append(remove(schema.item, item, owned, others))
        return items
    return value
