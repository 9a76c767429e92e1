"""Which records of ended clusters are deleted."""

from datetime import UTC, datetime, timedelta

from gateway_common.model import Phase
from gateway_controller.cleanup import find_unwanted
from gateway_controller.core.observed import Cluster
from gateway_controller.core.status import timestamp
from tests.kit.observed import NOW, cluster, status


def ended(name: str, hours_ago: float, user: str = "alice", **values: object) -> Cluster:
    said = status(Phase.STOPPED).model_copy(update={"completion_time": timestamp(NOW - timedelta(hours=hours_ago))})
    return cluster(name=name, user=user, status=said, **values)


def unwanted(*clusters: Cluster, hours: float = 24, most: int = 10) -> set[str]:
    before = (NOW - timedelta(hours=hours)).timestamp()
    return {each.name for each in find_unwanted(clusters, before, most)}


def test_those_that_ended_long_ago() -> None:
    assert unwanted(ended("old", 25), ended("new", 23)) == {"old"}


def test_of_each_user_the_oldest_beyond_those_that_are_kept() -> None:
    alices = [ended(f"a{hours}", hours) for hours in (3, 1, 4, 2)]
    assert unwanted(*alices, ended("b5", 5, user="bob"), most=2) == {"a3", "a4"}
    assert unwanted(*alices, most=0) == {"a1", "a2", "a3", "a4"}


def test_clusters_that_live_or_are_being_deleted_are_not_counted() -> None:
    living = [cluster(name=f"living{number}", status=status()) for number in range(3)]
    assert unwanted(*living, ended("going", 1, deleting=True), ended("kept", 2), most=1) == set()


def test_one_that_does_not_say_when_it_ended_is_as_old_as_its_creation() -> None:
    created = datetime(2026, 1, 1, tzinfo=UTC)
    silent = cluster(name="silent", created=timestamp(created), status=status(Phase.FAILED))
    assert unwanted(silent) == {"silent"}
