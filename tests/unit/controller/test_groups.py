"""Groups of workers: each is scaled by itself, within the limits of them all."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway_common.config import ClusterConfig, parse_cluster_config
from gateway_common.manifests.worker_pod import build_worker_pods
from gateway_common.model import StartFailures
from gateway_common.quota import own_room, usage_of
from gateway_controller.core.observed import Admission, Observed, Pod, parse_config, read_cluster, read_pod
from gateway_controller.core.plan import Create, plan
from gateway_controller.core.runs import Run
from gateway_controller.core.scaling import MOST_AT_ONCE, Scaling, scale_workers
from tests.kit.clusters import dask_cluster
from tests.kit.observed import INSTALLATION, NAME, NOW, cluster, observe, scheduler, status, worker, written

GROUPS = {"gpu": {"worker_cores": 4, "worker_resources": {"GPU": 1}}, "small": {"worker_memory": "1 G"}}


def observed(replicas: int, gpu: int, *pods: Pod, next_slot: int = 0, small: int = 0, **config: Any) -> Observed:
    groups = (("gpu", gpu), ("small", small))
    of = cluster(replicas=replicas, group_replicas=groups, config={"worker_groups": GROUPS, **config})
    return observe(of, scheduler(), *pods, next_slot=next_slot)


def scale(of: Observed) -> dict[str, Scaling]:
    return {scaling.group: scaling for scaling in scale_workers(of, parse_config(of.cluster.config), NOW)}


def pending(slot: int, group: str = "") -> Pod:
    return worker(slot, group=group, running=False)


def test_each_group_gets_its_missing_workers_in_slots_of_their_own() -> None:
    scalings = scale(observed(2, 2, worker(0), worker(4, group="gpu"), small=1))
    assert {group: scaling.create for group, scaling in scalings.items()} == {"": (5,), "gpu": (6,), "small": (7,)}


def test_a_group_is_scaled_down_by_its_own_pending_pods() -> None:
    pods = [pending(0), pending(1, "gpu"), pending(2, "gpu"), worker(3, group="gpu")]
    scalings = scale(observed(1, 2, *pods))
    assert [pod.slot for pod in scalings["gpu"].delete] == [2]
    assert scalings[""] == Scaling()


@pytest.mark.parametrize("group", ["gone", "gpu"])
def test_pending_workers_that_nobody_wants_go_also_those_of_a_group_that_is_not_there(group: str) -> None:
    of = observed(0, 0, pending(0, group), worker(1, group=group))
    of = replace(of, cluster=replace(of.cluster, group_replicas=(("gone", 9),)))
    assert [pod.slot for pod in scale(of)[group].delete] == [0]
    assert scale(of)[group].create == ()


def test_a_cluster_without_groups_has_one_answer() -> None:
    of = observe(cluster(replicas=1, group_replicas=(("gpu", 3),)), scheduler())
    assert [(scaling.group, scaling.create) for scaling in scale_workers(of, ClusterConfig(), NOW)] == [("", (0,))]


def test_failures_of_one_group_hold_up_no_other() -> None:
    crashed = worker(0, group="gpu", running=False, run=Run(last=1.0, looping=True, problem="it broke"))
    decided = plan(written(observed(1, 2, crashed)), INSTALLATION, NOW)
    made = [
        action.manifest["metadata"]["name"]
        for batch in decided.actions
        for action in batch
        if isinstance(action, Create)
    ]
    assert made == [f"dask-worker-{NAME}-1"]
    (failures,) = decided.status.start_failures
    assert (failures.group, failures.count, failures.replicas) == ("gpu", 1, 2)
    assert (decided.status.message or "").startswith("Workers of group gpu fail to start, 1 in a row")


def test_scaling_one_group_does_not_forget_the_failures_of_another() -> None:
    known = StartFailures(group="gpu", count=5, last="2026-11-23T11:00:00Z", replicas=2)
    of = observed(7, 2)
    of = replace(of, cluster=replace(of.cluster, status=status(start_failures=[known])))
    assert scale(of)["gpu"].create == ()
    assert len(scale(of)[""].create) == 7
    assert plan(of, INSTALLATION, NOW).status.start_failures == [known]


def test_what_is_granted_counts_by_group() -> None:
    of = replace(observed(3, 3), admission=Admission(workers=2, groups=(("gpu", 1),)))
    assert [len(scaling.create) for scaling in scale(of).values()] == [2, 1, 0]


def test_very_many_are_made_in_several_rounds_all_groups_together() -> None:
    scalings = scale(observed(MOST_AT_ONCE - 1, 9))
    assert [len(scaling.create) for scaling in scalings.values()] == [MOST_AT_ONCE - 1, 1, 0]
    assert [scaling.more for scaling in scalings.values()] == [False, True, False]


def test_a_clusters_own_limit_that_is_reached_is_not_waited_for() -> None:
    scalings = scale(observed(3, 3, cluster_max_workers=4))
    assert [len(scaling.create) for scaling in scalings.values()] == [3, 1, 0]
    assert not any(scaling.more for scaling in scalings.values())


LIMITS = st.fixed_dictionaries(
    {},
    optional={
        "cluster_max_workers": st.integers(0, 12),
        "cluster_max_cores": st.integers(1, 30),
        "cluster_max_memory": st.integers(2, 30).map(lambda number: number * 2**30),
    },
)
COUNTS = st.integers(0, 8)
PODS = st.lists(st.tuples(st.sampled_from(["", "gpu", "small", "gone"]), st.booleans(), st.booleans()), max_size=10)


@settings(deadline=None)
@given(LIMITS, COUNTS, COUNTS, COUNTS, PODS, st.none() | COUNTS, st.none() | COUNTS)
def test_never_more_than_wanted_and_granted_and_no_slot_twice(
    limits: dict[str, Any],
    replicas: int,
    gpu: int,
    small: int,
    there: list[tuple[str, bool, bool]],
    granted: int | None,
    granted_gpu: int | None,
) -> None:
    pods = [
        worker(slot, group=group, running=running, deleting=deleting)
        for slot, (group, running, deleting) in enumerate(there)
    ]
    groups = () if granted_gpu is None else (("gpu", granted_gpu),)
    of = observed(replicas, gpu, *pods, next_slot=3, small=small, **limits)
    of = replace(of, admission=Admission(workers=granted, groups=groups))
    scalings = scale(of)
    config = parse_cluster_config({"worker_groups": GROUPS, **limits})

    slots = [slot for scaling in scalings.values() for slot in scaling.create]
    assert len(slots) == len(set(slots))
    assert all(slot >= max(len(pods), 3) for slot in slots)
    before = {group: sum(pod.group == group and not pod.deleting for pod in pods) for group in scalings}
    after = {group: before[group] + len(scaling.create) - len(scaling.delete) for group, scaling in scalings.items()}
    wanted = {"": replicas, "gpu": gpu, "small": small, "gone": 0}
    most = {"": granted, "gpu": granted_gpu}
    for group, scaling in scalings.items():
        allowed = min(wanted[group], wanted[group] if most.get(group) is None else most[group] or 0)
        if scaling.create:
            assert after[group] <= allowed
        # exactly as many as are too many, of those that do not run
        assert not (scaling.create and scaling.delete)
        assert not any(pod.running or pod.group != group for pod in scaling.delete)
        idle = sum(pod.group == group and not pod.deleting and not pod.running for pod in pods)
        limit = config.of_group(group).max_workers
        surplus = before[group] - (allowed if limit is None else min(allowed, limit))
        assert len(scaling.delete) == min(idle, max(surplus, 0))
    if slots:
        used = usage_of(config, after)
        assert config.cluster_max_workers is None or used.workers <= config.cluster_max_workers
        assert config.cluster_max_memory is None or used.memory <= config.cluster_max_memory
        assert config.cluster_max_cores is None or used.millicores <= config.cluster_max_cores * 1000


def test_room_beside_other_groups() -> None:
    config = parse_cluster_config({"worker_groups": GROUPS, "cluster_max_cores": 16, "cluster_max_workers": 9})
    assert own_room(config, {}) == config.max_workers == 9
    assert own_room(config, {"": 2}, "gpu") == 3
    assert own_room(config, {"": 8}, "gpu") == 1
    assert own_room(ClusterConfig(), {"": 5}) is None


def test_a_groups_pods_carry_its_name_and_what_it_has_otherwise() -> None:
    config = parse_cluster_config(
        {
            "image": "usual:1",
            "environment": {"A": "1", "B": "1"},
            "worker_extra_pod_config": {"nodeSelector": {"pool": "usual", "zone": "a"}},
            "worker_groups": {
                "gpu": {
                    "image": "gpu:1",
                    "worker_cores": 4,
                    "worker_memory": "1 G",
                    "worker_resources": {"GPU": 1, "FAST": 0.5},
                    "environment": {"B": "2"},
                    "worker_extra_pod_config": {"nodeSelector": {"pool": "gpu"}},
                }
            },
        }
    )
    (usual,) = build_worker_pods(INSTALLATION, cluster().full_name, config, [3])
    (gpu,) = build_worker_pods(INSTALLATION, cluster().full_name, config, [3], "gpu")
    assert gpu["metadata"]["name"] == f"dask-worker-{NAME}-gpu-3"
    assert gpu["metadata"]["labels"] == {**usual["metadata"]["labels"], "gateway.dask.org/worker-group": "gpu"}
    assert gpu["spec"]["nodeSelector"] == {"pool": "gpu", "zone": "a"}
    container = gpu["spec"]["containers"][0]
    assert container["image"] == "gpu:1"
    assert container["resources"]["limits"] == {"cpu": "4.000", "memory": str(2**30)}
    assert container["args"][-6:] == ["--nthreads", "4", "--memory-limit", str(2**30), "--resources", "GPU=1 FAST=0.5"]
    environment = {entry["name"]: entry.get("value") for entry in container["env"]}
    assert (environment["A"], environment["B"]) == ("1", "2")
    assert "--resources" not in usual["spec"]["containers"][0]["args"]


def test_an_operators_label_puts_no_worker_into_a_group() -> None:
    config = parse_cluster_config({"worker_extra_pod_labels": {"gateway.dask.org/worker-group": "gpu"}})
    (pod,) = build_worker_pods(INSTALLATION, cluster().full_name, config, [0])
    assert "gateway.dask.org/worker-group" not in pod["metadata"]["labels"]


def test_views_know_the_groups() -> None:
    spec = {"workerGroups": {"small": {"replicas": 1}, "gpu": {"replicas": -2}, "odd": None, "text": {"replicas": "x"}}}
    view = read_cluster(dask_cluster(name=NAME, spec=spec))
    assert view.group_replicas == (("gpu", 0), ("odd", 0), ("small", 1), ("text", 0))
    assert (view.replicas_of("small"), view.replicas_of("none"), view.replicas_of("")) == (1, 0, 0)

    (manifest,) = build_worker_pods(
        INSTALLATION, cluster().full_name, parse_cluster_config({"worker_groups": GROUPS}), [12], "gpu"
    )
    manifest["metadata"]["uid"] = "uid"
    pod = read_pod(manifest)
    assert (pod.group, pod.slot) == ("gpu", 12)
