"""How many workers are made and which are deleted."""

from typing import Any

import pytest

from gateway_common.config import parse_cluster_config
from gateway_controller.core.observed import Pod
from gateway_controller.core.scaling import MOST_AT_ONCE, Scaling, batches, scale_workers
from tests.kit.observed import NOW, cluster, observe, scheduler, worker


def scale(replicas: int, *workers: Pod, next_slot: int = 0, **config: Any) -> Scaling:
    observed = observe(cluster(replicas=replicas), scheduler(), *workers, next_slot=next_slot)
    (scaling,) = scale_workers(observed, parse_cluster_config(config), NOW)
    return scaling


def pending(slot: int) -> Pod:
    return worker(slot, running=False)


def test_missing_workers_get_the_slots_above_the_highest() -> None:
    assert scale(3, worker(0), worker(4)) == Scaling(create=(5,))


def test_slots_that_were_seen_before_are_not_used_again() -> None:
    assert scale(2, worker(0), next_slot=9) == Scaling(create=(9,))


def test_a_worker_that_may_have_been_made_is_made_sure_of_before_another_is_made() -> None:
    observed = observe(cluster(replicas=4), scheduler(), worker(0), worker(3), unsure_slots=(("", 1), ("", 3), ("", 9)))
    assert scale_workers(observed, parse_cluster_config({}), NOW) == [Scaling(create=(1, 4))]


def test_pods_that_do_not_run_yet_count_as_workers() -> None:
    assert scale(2, pending(0), pending(1)) == Scaling()


def test_pods_that_are_being_deleted_do_not_count() -> None:
    assert scale(1, worker(0, deleting=True)) == Scaling(create=(1,))


@pytest.mark.parametrize(("replicas", "deleted"), [(8, [9, 8]), (0, [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]), (10, [])])
def test_exactly_as_many_pending_pods_are_deleted_as_are_too_many(replicas: int, deleted: list[int]) -> None:
    scaling = scale(replicas, *(pending(slot) for slot in range(10)))
    assert [pod.slot for pod in scaling.delete] == deleted
    assert scaling.create == ()


def test_running_workers_are_left_for_the_scheduler_to_retire() -> None:
    assert scale(0, worker(0), worker(1), pending(2)).delete == (pending(2),)


def test_the_newest_slot_goes_first_by_number_and_not_by_spelling() -> None:
    assert scale(1, pending(9), pending(10)).delete == (pending(10),)


def test_a_worker_that_ended_is_deleted_and_replaced_as_long_as_it_is_wanted() -> None:
    ended = worker(0, running=False, finished=True)
    assert scale(1, ended) == Scaling(create=(1,), delete=(ended,))
    assert scale(0, ended) == Scaling(delete=(ended,))


def test_workers_of_an_earlier_scheduler_do_not_count() -> None:
    assert scale(1, worker(0, owner_uid="another")) == Scaling(create=(1,))


def test_the_clusters_limits_hold_whoever_asked() -> None:
    assert len(scale(50, cluster_max_workers=2).create) == 2


def test_very_many_workers_are_made_in_several_rounds() -> None:
    scaling = scale(5000)
    assert len(scaling.create) == MOST_AT_ONCE
    assert scaling.more


@pytest.mark.parametrize(("count", "sizes"), [(0, []), (1, [1]), (3, [1, 2]), (10, [1, 2, 4, 3])])
def test_batches_double(count: int, sizes: list[int]) -> None:
    assert batches(count) == sizes
