"""How configuration is merged: extra parts into a manifest, and one layer of a cluster's fields over another."""

import re
from collections.abc import Mapping
from typing import Any

#: Fields that hold parts of a manifest: these merge in depth.
_PARTS_OF_MANIFESTS = re.compile(r".+_extra_.+_config")


_WORKER_GROUPS = "worker_groups"


def deep_merge(base: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """`extra` merged into `base`: mappings merge, lists append, the rest is replaced (K-014). Neither is changed."""
    merged = dict(base)
    for key, value in extra.items():
        present = merged.get(key)
        if isinstance(present, Mapping) and isinstance(value, Mapping):
            merged[key] = deep_merge(present, value)
        elif isinstance(present, list) and isinstance(value, list):
            merged[key] = [*present, *value]
        else:
            merged[key] = value
    return merged


def merge_config(base: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a cluster's configuration, those of a group or a declared option over those that stand already.

    Extra pod and container configuration merges in depth; other mappings, such as `environment` or labels, merge key
    by key; groups of workers merge field by field in the same way, and null removes one; anything else is replaced.
    Neither argument is changed.
    """
    return {**base, **{name: _merge_field(name, base.get(name), value) for name, value in overrides.items()}}


def _merge_field(name: str, present: Any, value: Any) -> Any:
    if not isinstance(present, Mapping) or not isinstance(value, Mapping):
        return value
    if name == _WORKER_GROUPS:
        groups = {**present, **{group: _merge_group(present.get(group), fields) for group, fields in value.items()}}
        return {group: fields for group, fields in groups.items() if fields is not None}
    return deep_merge(present, value) if _PARTS_OF_MANIFESTS.fullmatch(name) else {**present, **value}


def _merge_group(present: Any, fields: Any) -> Any:
    both = isinstance(present, Mapping) and isinstance(fields, Mapping)
    return merge_config(present, fields) if both else fields
