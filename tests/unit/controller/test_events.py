"""Which changes are worth an Event, and what it says."""

from dataclasses import replace

import pytest

from gateway_common.model import DaskClusterStatus, Phase
from gateway_controller.core.build.event import build_event
from tests.kit.observed import CLUSTER_UID, NOW, cluster, new_cluster, status


def test_an_event_tells_of_a_new_reason() -> None:
    event = build_event(cluster(), status(Phase.STOPPING, reason="OOMKilled", message="too much"), NOW)
    assert event
    name = event["metadata"].pop("name")
    assert name.startswith("c0ffee.")
    assert event == {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"namespace": "dask"},
        "involvedObject": {
            "apiVersion": "gateway.dask.org/v1alpha1",
            "kind": "DaskCluster",
            "namespace": "dask",
            "name": "c0ffee",
            "uid": CLUSTER_UID,
        },
        "type": "Warning",
        "reason": "OOMKilled",
        "message": "too much",
        "source": {"component": "dask-gateway-controller"},
        "firstTimestamp": "2026-11-23T12:00:00Z",
        "lastTimestamp": "2026-11-23T12:00:00Z",
        "count": 1,
    }


def test_its_name_is_the_same_for_the_same_reason_of_the_same_cluster_alone() -> None:
    def name(of: DaskClusterStatus, uid: str = CLUSTER_UID) -> str:
        event = build_event(replace(new_cluster(), uid=uid), of, NOW)
        assert event
        return str(event["metadata"]["name"])

    running = name(status())
    assert name(status(message="other words")) == running
    assert name(status(), "another") != running
    assert name(status(reason="Unschedulable")) != running


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(DaskClusterStatus(), status(Phase.PENDING), id="that it starts"),
        pytest.param(status(), status(message="other words"), id="the same reason"),
        pytest.param(
            status(Phase.STOPPING, reason="Deleted"), status(Phase.STOPPED, reason="Deleted"), id="the end of an end"
        ),
    ],
)
def test_everyday_steps_are_not_told(old: DaskClusterStatus, new: DaskClusterStatus) -> None:
    assert build_event(cluster(status=old), new, NOW) is None


@pytest.mark.parametrize(
    ("reason", "kind"), [("SchedulerRunning", "Normal"), ("Deleted", "Normal"), ("Unschedulable", "Warning")]
)
def test_what_is_as_it_should_be_is_no_warning(reason: str, kind: str) -> None:
    event = build_event(new_cluster(), status(reason=reason), NOW)
    assert event
    assert event["type"] == kind
