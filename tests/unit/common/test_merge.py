"""K-014: operators' extra configuration."""

from typing import Any

import pytest

from gateway_common.merge import deep_merge


@pytest.mark.parametrize(
    ("base", "extra", "merged"),
    [
        ({}, {}, {}),
        ({"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
        ({"a": 1}, {"a": 2}, {"a": 2}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"c": 3, "d": 4}}, {"a": {"b": 1, "c": 3, "d": 4}}),
        ({"a": [1]}, {"a": [2, 3]}, {"a": [1, 2, 3]}),
        ({"a": [1]}, {"a": {"b": 2}}, {"a": {"b": 2}}),
        ({"a": {"b": 1}}, {"a": "text"}, {"a": "text"}),
        ({"a": {"b": 1}}, {"a": None}, {"a": None}),
    ],
)
def test_mappings_merge_lists_append_and_the_rest_is_replaced(
    base: dict[str, Any], extra: dict[str, Any], merged: dict[str, Any]
) -> None:
    assert deep_merge(base, extra) == merged


def test_merging_changes_neither_side() -> None:
    base, extra = {"a": {"b": [1]}}, {"a": {"b": [2]}}
    deep_merge(base, extra)
    assert (base, extra) == ({"a": {"b": [1]}}, {"a": {"b": [2]}})
