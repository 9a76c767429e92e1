"""Groups of workers in a cluster's configuration: what they have otherwise, and what can be wrong with it."""

from typing import Any

import orjson
import pytest

from gateway_common.config import ClusterConfig, check_overrides, parse_cluster_config, stored_cluster_config
from gateway_common.errors import InvalidConfig
from gateway_common.merge import merge_config

GIB = 2**30


def of_group(group: dict[str, Any], **config: Any) -> ClusterConfig:
    return parse_cluster_config({**config, "worker_groups": {"gpu": group}}).of_group("gpu")


def test_what_a_group_does_not_say_is_as_for_all_workers() -> None:
    config = parse_cluster_config({"worker_cores": 2, "image": "a:1", "worker_groups": {"gpu": {}}})
    assert config.of_group("gpu") == config.model_copy(update={"worker_groups": {}})
    assert config.of_group("") is config
    assert config.of_group("none") is config


def test_a_groups_request_brings_its_limit_and_its_threads_along() -> None:
    gpu = of_group({"worker_cores": 4, "worker_memory": "8 G"}, worker_cores=1, worker_cores_limit=2, worker_threads=1)
    assert (gpu.worker_cores_limit, gpu.worker_memory_limit, gpu.worker_threads) == (4, 8 * GIB, 4)
    gpu = of_group({"worker_cores": 4, "worker_cores_limit": 6, "worker_threads": 2})
    assert (gpu.worker_cores_limit, gpu.worker_threads) == (6, 2)


def test_a_groups_mappings_add_to_those_of_all_workers() -> None:
    gpu = of_group(
        {"environment": {"B": "2"}, "worker_extra_pod_config": {"tolerations": [{"key": "gpu"}]}},
        environment={"A": "1", "B": "1"},
        worker_extra_pod_config={"tolerations": [{"key": "dask"}]},
    )
    assert gpu.environment == {"A": "1", "B": "2"}
    assert gpu.worker_extra_pod_config == {"tolerations": [{"key": "dask"}, {"key": "gpu"}]}


def test_what_is_stored_is_what_is_read_and_holds_no_more_than_was_given() -> None:
    config = parse_cluster_config({"worker_groups": {"gpu": {"worker_memory": "1 G", "worker_resources": {"GPU": 1}}}})
    stored = config.model_dump(mode="json", exclude_none=True)
    assert stored["worker_groups"] == {"gpu": {"worker_memory": GIB, "worker_resources": {"GPU": 1.0}}}
    assert stored_cluster_config(orjson.loads(orjson.dumps(stored))) == config


def test_a_later_versions_fields_of_a_group_are_passed_over_where_they_are_stored() -> None:
    stored = {"worker_groups": {"gpu": {"worker_magic": True, "worker_cores": 2}, "Odd Name": {}}}
    assert stored_cluster_config(stored).of_group("gpu").worker_cores == 2


@pytest.mark.parametrize(
    ("groups", "reason"),
    [
        ({"GPU": {}}, "worker_groups.GPU: 'GPU' is no name of a group of workers"),
        ({"a" * 21: {}}, "is no name of a group of workers"),
        ({"-": {}}, "is no name of a group of workers"),
        ({"gpu": {"scheduler_cores": 2}}, "worker_groups.gpu.scheduler_cores: there is no such field"),
        ({"gpu": {"worker_cores": 0}}, "worker_groups.gpu.worker_cores: "),
        ({"gpu": {"worker_memory": "a lot"}}, "worker_groups.gpu.worker_memory: expected bytes"),
        ({"gpu": None}, "worker_groups.gpu: expected an object, got null"),
        ([], "worker_groups: expected an object, got a list"),
        ({"gpu": {"worker_resources": {"A B": 1}}}, "worker_groups.gpu.worker_resources.A B: the name must be text"),
        ({"gpu": {"worker_resources": {"GPU": -1}}}, "worker_groups.gpu.worker_resources.GPU: expected a number"),
        ({"gpu": {"worker_resources": {"GPU": True}}}, "worker_groups.gpu.worker_resources.GPU: expected a number"),
        (
            {"gpu": {"worker_cores": 2, "worker_cores_limit": 1}},
            "worker_groups.gpu: worker_cores_limit (1.0) must not be below worker_cores (2.0)",
        ),
    ],
)
def test_what_is_wrong_is_named_by_its_place(groups: Any, reason: str) -> None:
    for check in (parse_cluster_config, check_overrides):
        with pytest.raises(InvalidConfig) as caught:
            check({"worker_groups": groups})
        assert reason in str(caught.value)


def test_a_groups_limit_below_the_request_of_all_workers_is_refused_when_both_are_known() -> None:
    fields = {"worker_groups": {"gpu": {"worker_memory_limit": "1 G"}}}
    check_overrides(fields)
    with pytest.raises(InvalidConfig, match=r"worker_groups\.gpu: worker_memory_limit"):
        parse_cluster_config(fields)


def test_layers_merge_group_by_group_and_field_by_field() -> None:
    base = {"worker_groups": {"gpu": {"image": "a", "environment": {"A": "1"}}, "old": {}}}
    over = {
        "worker_groups": {"gpu": {"worker_cores": 2, "environment": {"B": "2"}}, "old": None, "new": {"image": "n"}}
    }
    assert merge_config(base, over)["worker_groups"] == {
        "gpu": {"image": "a", "worker_cores": 2, "environment": {"A": "1", "B": "2"}},
        "new": {"image": "n"},
    }
