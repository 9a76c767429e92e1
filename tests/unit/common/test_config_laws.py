"""What holds for every configuration of a cluster: derived limits, and that what is stored is what is read."""

from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from gateway_common.config import check_overrides, parse_cluster_config, stored_cluster_config
from gateway_common.quantities import millicores

CORES = st.integers(1, 200_000).map(lambda amount: amount / 1000) | st.floats(0.001, 200)
MEMORY = st.integers(1, 2**44)
SMALL = st.integers(1, 2**20)

REQUESTS = st.fixed_dictionaries(
    {"scheduler_cores": CORES, "worker_cores": CORES, "scheduler_memory": MEMORY, "worker_memory": MEMORY | SMALL}
)
#: What limits leave beside the scheduler: one that leaves no room for that is refused.
ROOM = st.fixed_dictionaries(
    {},
    optional={
        "cluster_max_cores": CORES | st.just(0),
        "cluster_max_memory": MEMORY | st.just(0),
        "cluster_max_workers": st.integers(0, 2**20),
    },
)


def limits_of(requests: dict[str, Any], room: dict[str, Any]) -> dict[str, Any]:
    """The limits that leave so much room beside the scheduler."""
    return {limit: room[limit] + requests.get(limit.replace("cluster_max", "scheduler"), 0) for limit in room}


NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
LABEL_KEYS = st.from_regex(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,8}[A-Za-z0-9])?", fullmatch=True)
LABEL_VALUES = st.from_regex(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,8}[A-Za-z0-9])?)?", fullmatch=True)
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=10)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
#: Whatever fits into a part of a manifest without touching what is the gateway's.
PARTS = st.dictionaries(TEXT.map(lambda key: f"x{key}"), JSON, max_size=3)
VALUES = st.fixed_dictionaries(
    {},
    optional={
        "worker_cmd": st.lists(TEXT, min_size=1, max_size=3) | TEXT,
        "environment": st.dictionaries(NAMES, TEXT | st.integers(-(2**60), 2**60) | st.floats(-1e9, 1e9), max_size=3),
        "environment_secrets": st.dictionaries(
            NAMES, st.fixed_dictionaries({"name": st.just("a"), "key": NAMES}, optional={"optional": st.booleans()})
        ),
        "worker_memory": MEMORY | st.integers(1, 2**20).map(lambda number: f"{number} M"),
        "worker_cores": CORES,
        "scheduler_memory": MEMORY,
        "worker_threads": st.none() | st.integers(0, 100),
        "idle_timeout": st.floats(0, 1e12),
        "adaptive_period": st.floats(0.1, 100),
        "namespace": st.none() | st.just("dask"),
        "image_pull_policy": st.sampled_from(["Always", "IfNotPresent", "Never", None]),
        "image_pull_secrets": st.lists(st.sampled_from(["a", {"name": "b"}]), max_size=2),
        "worker_extra_pod_labels": st.dictionaries(LABEL_KEYS, LABEL_VALUES, max_size=3),
        "scheduler_extra_pod_annotations": st.dictionaries(LABEL_KEYS, TEXT, max_size=3),
        "worker_extra_pod_config": PARTS,
        "scheduler_extra_container_config": PARTS,
    },
)


def max_workers(values: dict[str, Any]) -> int | None:
    return parse_cluster_config(values).max_workers


@given(REQUESTS, ROOM)
def test_a_cluster_of_all_its_workers_is_within_the_limits_and_one_more_is_not(
    requests: dict[str, Any], room: dict[str, Any]
) -> None:
    limits = limits_of(requests, room)
    workers = max_workers({**requests, **limits})
    if workers is None:
        assert not limits
        return
    assert workers >= 0

    def fits(count: int) -> bool:
        cores = millicores(requests["scheduler_cores"]) + count * millicores(requests["worker_cores"])
        memory = requests["scheduler_memory"] + count * requests["worker_memory"]
        return (
            cores <= millicores(limits.get("cluster_max_cores", 2**62))
            and memory <= limits.get("cluster_max_memory", 2**90)
            and count <= limits.get("cluster_max_workers", 2**62)
        )

    assert fits(workers)
    assert not fits(workers + 1)


@given(REQUESTS, ROOM, ROOM)
def test_another_limit_never_makes_room(requests: dict[str, Any], room: dict[str, Any], more: dict[str, Any]) -> None:
    before = max_workers({**requests, **limits_of(requests, room)})
    after = max_workers({**requests, **limits_of(requests, {**more, **room})})
    assert before is None or (after is not None and after <= before)


@given(REQUESTS, ROOM.filter(bool), st.data())
def test_a_higher_limit_never_takes_room(requests: dict[str, Any], room: dict[str, Any], data: st.DataObject) -> None:
    raised = data.draw(st.sampled_from(sorted(room)))
    higher = {**room, raised: room[raised] + data.draw(st.integers(1, 2**18))}
    before = max_workers({**requests, **limits_of(requests, room)})
    after = max_workers({**requests, **limits_of(requests, higher)})
    assert before is not None
    assert after is not None
    assert after >= before


@given(REQUESTS, ROOM, st.sampled_from(["scheduler_memory", "scheduler_cores", "worker_memory", "worker_cores"]), SMALL)
def test_a_larger_pod_never_makes_room(requests: dict[str, Any], room: dict[str, Any], grown: str, by: int) -> None:
    limits = limits_of(requests, room)
    larger = requests[grown] + (by / 2**20 if "cores" in grown else by)
    if grown.startswith("scheduler"):
        # one that does not fit is refused
        larger = min(larger, limits.get(grown.replace("scheduler", "cluster_max"), larger))
    before = max_workers({**requests, **limits})
    after = max_workers({**requests, **limits, grown: larger})
    assert (before is None) == (after is None)
    assert before is None or after is None or after <= before


def test_tenths_of_cores_add_up() -> None:
    config = parse_cluster_config({"scheduler_cores": 0.1, "worker_cores": 0.1, "cluster_max_cores": 0.3})
    assert config.max_workers == 2


@given(VALUES)
def test_what_is_stored_is_what_is_read(values: dict[str, Any]) -> None:
    config = parse_cluster_config(values)
    stored = orjson.loads(orjson.dumps(config.model_dump(mode="json", exclude_none=True)))
    assert stored_cluster_config(stored) == config
    assert parse_cluster_config(stored) == config


@given(VALUES)
def test_what_is_right_as_a_whole_is_right_by_itself(values: dict[str, Any]) -> None:
    before = orjson.dumps(values)
    check_overrides(values)
    for field, value in values.items():
        check_overrides({field: value})
    assert orjson.dumps(values) == before


@given(VALUES)
def test_limits_and_threads_are_filled_in(values: dict[str, Any]) -> None:
    config = parse_cluster_config(values)
    assert config.worker_memory_limit == config.worker_memory
    assert config.worker_cores_limit == config.worker_cores
    assert config.worker_threads == (values.get("worker_threads") or max(int(config.worker_cores), 1))
