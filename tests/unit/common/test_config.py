"""The configuration of a cluster: memory, derived limits, and errors that a person understands."""

import contextlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway_common.config import ClusterConfig, parse_cluster_config, stored_cluster_config
from gateway_common.errors import InvalidConfig

GIB = 2**30


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("2 G", 2 * GIB),
        ("2G", 2 * GIB),
        ("2GiB", 2 * GIB),
        ("1.5g", 3 * GIB // 2),
        (".5T", 512 * GIB),
        ("512 M", 512 * 2**20),
        ("1024K", 2**20),
        ("1000", 1000),
        (1000, 1000),
        (1e9, 10**9),
    ],
)
def test_memory_has_binary_suffixes(text: object, size: int) -> None:
    assert parse_cluster_config({"worker_memory": text}).worker_memory == size


@pytest.mark.parametrize("text", ["", "G", "2 X", "2 G G", "-1G", "0", 0, -5, None, [], float("nan"), float("inf")])
def test_memory_that_is_none_is_refused_by_name(text: object) -> None:
    with pytest.raises(InvalidConfig, match="worker_memory"):
        parse_cluster_config({"worker_memory": text})


@example(float("-inf"))
@given(st.one_of(st.text(), st.integers(), st.floats(), st.booleans(), st.none(), st.lists(st.integers())))
def test_no_value_of_a_field_crashes_the_parser(value: object) -> None:
    for field in ClusterConfig.model_fields:
        with contextlib.suppress(InvalidConfig):
            assert isinstance(parse_cluster_config({field: value}), ClusterConfig)


def test_limits_default_to_requests_and_threads_to_whole_cores() -> None:
    config = parse_cluster_config({"worker_cores": 2.5, "worker_memory": "4G", "scheduler_memory": "1G"})
    assert config.worker_cores_limit == 2.5
    assert config.worker_memory_limit == 4 * GIB
    assert config.scheduler_memory_limit == GIB
    assert config.worker_threads == 2
    assert parse_cluster_config({"worker_cores": 0.5, "worker_threads": 0}).worker_threads == 1
    assert parse_cluster_config({"worker_threads": 7}).worker_threads == 7


@pytest.mark.parametrize(
    ("limits", "workers"),
    [
        ({}, None),
        ({"cluster_max_workers": 5}, 5),
        ({"cluster_max_memory": "10G"}, 4),
        ({"cluster_max_cores": 4}, 3),
        ({"cluster_max_cores": 4, "cluster_max_memory": "10G", "cluster_max_workers": 2}, 2),
        ({"cluster_max_cores": 1}, 0),
        ({"cluster_max_workers": 0}, 0),
    ],
)
def test_the_tightest_limit_decides_how_many_workers_fit(limits: dict[str, object], workers: int | None) -> None:
    assert parse_cluster_config(limits).max_workers == workers


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"scheduler_memory": "8G", "cluster_max_memory": "4G"},
            "Scheduler memory request of 8.00 GiB exceeds cluster memory limit of 4.00 GiB",
        ),
        (
            {"scheduler_cores": 8, "cluster_max_cores": 4},
            "Scheduler cores request of 8 exceeds cluster cores limit of 4",
        ),
        ({"worker_memory": 100, "worker_memory_limit": 50}, "worker_memory_limit (50) must not be below"),
        ({"wrker_cores": 1}, "wrker_cores: there is no such field"),
        ({"worker_extra_pod_config": []}, "worker_extra_pod_config"),
        ({"environment": {"A": True}}, "environment.A: expected text, got a boolean: write it in quotes, as 'true'"),
    ],
)
def test_what_can_not_be_is_explained(values: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidConfig) as raised:
        parse_cluster_config(values)
    assert message in str(raised.value)


def test_every_wrong_field_is_named_at_once() -> None:
    with pytest.raises(InvalidConfig, match=r"worker_cores.*; .*idle_timeout"):
        parse_cluster_config({"worker_cores": "many", "idle_timeout": -1})


def test_a_command_in_one_string_is_one_word() -> None:
    assert parse_cluster_config({"worker_cmd": "dask-worker"}).worker_cmd == ["dask-worker"]


def test_a_stored_configuration_may_have_fields_of_another_version() -> None:
    assert stored_cluster_config({"worker_cores": 3, "profile": "large"}).worker_cores == 3
