"""K-014: how extra configuration is merged, and how one layer of a cluster's fields lies over another."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_common.merge import deep_merge, merge_config

SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=3)
KEYS = st.sampled_from("abc")
#: Anything: a key's value may be a scalar here and a mapping there.
MAPPINGS = st.dictionaries(
    KEYS,
    st.recursive(
        SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=2), max_leaves=6
    ),
    max_size=3,
)


def shaped(depth: int = 2) -> st.SearchStrategy[dict[str, Any]]:
    """Mappings in which a key always has the same type of value, as in manifests of one kind."""
    optional: dict[str, st.SearchStrategy[Any]] = {"scalar": SCALARS, "list": st.lists(SCALARS, max_size=2)}
    if depth:
        optional["mapping"] = shaped(depth - 1)
    return st.fixed_dictionaries({}, optional=optional)


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
        ({"a": {"b": [{"c": 1}]}}, {"a": {"b": [{"c": 1}]}}, {"a": {"b": [{"c": 1}, {"c": 1}]}}),
    ],
)
def test_mappings_merge_lists_append_and_the_rest_is_replaced(
    base: dict[str, Any], extra: dict[str, Any], merged: dict[str, Any]
) -> None:
    assert deep_merge(base, extra) == merged


@given(MAPPINGS, MAPPINGS)
def test_merging_changes_neither_side(base: dict[str, Any], extra: dict[str, Any]) -> None:
    before = copy.deepcopy((base, extra))
    deep_merge(base, extra)
    merge_config(base, extra)
    assert (base, extra) == before


@given(MAPPINGS)
def test_nothing_merged_in_changes_nothing(mapping: dict[str, Any]) -> None:
    assert deep_merge(mapping, {}) == mapping == deep_merge({}, mapping)


@given(MAPPINGS, MAPPINGS)
def test_the_keys_are_those_of_both_and_what_only_one_side_has_stays(
    base: dict[str, Any], extra: dict[str, Any]
) -> None:
    merged = deep_merge(base, extra)
    assert set(merged) == set(base) | set(extra)
    for key in set(base) - set(extra):
        assert merged[key] == base[key]
    for key in set(extra) - set(base):
        assert merged[key] == extra[key]


@given(MAPPINGS, MAPPINGS)
def test_each_key_follows_the_rule_of_its_types(base: dict[str, Any], extra: dict[str, Any]) -> None:
    merged = deep_merge(base, extra)
    for key in set(base) & set(extra):
        match base[key], extra[key]:
            case dict(below), dict(above):
                assert merged[key] == deep_merge(below, above)
            case list(below), list(above):
                assert merged[key] == below + above
            case _, above:
                assert merged[key] == above


@given(shaped(), shaped(), shaped())
def test_it_does_not_matter_which_two_of_three_layers_merge_first(
    first: dict[str, Any], second: dict[str, Any], third: dict[str, Any]
) -> None:
    assert deep_merge(deep_merge(first, second), third) == deep_merge(first, deep_merge(second, third))


def test_layers_whose_types_differ_merge_from_the_left() -> None:
    assert deep_merge(deep_merge({"a": [1]}, {"a": None}), {"a": [2]}) == {"a": [2]}
    assert deep_merge({"a": [1]}, deep_merge({"a": None}, {"a": [2]})) == {"a": [1, 2]}


def test_fields_merge_in_depth_by_key_or_not_at_all() -> None:
    base = {
        "image": "a:1",
        "worker_cmd": ["dask", "worker"],
        "environment": {"A": "1", "B": "1"},
        "worker_extra_pod_labels": {"team": "data", "tier": "gold"},
        "worker_extra_pod_config": {"tolerations": [{"key": "a"}], "nodeSelector": {"disk": "ssd"}},
    }
    overrides = {
        "image": "b:2",
        "worker_cmd": ["my-worker"],
        "environment": {"B": "2"},
        "worker_extra_pod_labels": {"tier": "silver"},
        "worker_extra_pod_config": {"tolerations": [{"key": "b"}], "nodeSelector": {"gpu": "yes"}},
        "scheduler_extra_container_config": {"env": []},
    }
    assert merge_config(base, overrides) == {
        "image": "b:2",
        "worker_cmd": ["my-worker"],
        "environment": {"A": "1", "B": "2"},
        "worker_extra_pod_labels": {"team": "data", "tier": "silver"},
        "worker_extra_pod_config": {
            "tolerations": [{"key": "a"}, {"key": "b"}],
            "nodeSelector": {"disk": "ssd", "gpu": "yes"},
        },
        "scheduler_extra_container_config": {"env": []},
    }


def test_a_mapping_below_the_first_level_is_merged_in_extra_configuration_only() -> None:
    secret = {"PASSWORD": {"name": "a", "key": "b", "optional": True}}
    other = {"PASSWORD": {"name": "c", "key": "d"}}
    assert merge_config({"environment_secrets": secret}, {"environment_secrets": other}) == {
        "environment_secrets": other
    }


@given(MAPPINGS, MAPPINGS)
def test_every_extra_configuration_merges_as_manifests_do(base: dict[str, Any], extra: dict[str, Any]) -> None:
    for field in ("worker_extra_pod_config", "scheduler_extra_container_config", "gpu_extra_pod_config"):
        assert merge_config({field: base}, {field: extra}) == {field: deep_merge(base, extra)}


@given(MAPPINGS, MAPPINGS)
def test_the_uppermost_layer_counts_where_fields_do_not_merge(base: dict[str, Any], extra: dict[str, Any]) -> None:
    assert merge_config({"environment": base}, {"environment": extra}) == {"environment": {**base, **extra}}
    assert merge_config({"image": base}, {"image": "x"}) == {"image": "x"}
