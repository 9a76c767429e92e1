"""How an operator's extra configuration is merged into a manifest (K-014)."""

from collections.abc import Mapping
from typing import Any


def deep_merge(base: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """`extra` merged into `base`: mappings merge, lists append, anything else is replaced. Neither is changed."""
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
