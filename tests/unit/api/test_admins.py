"""Who administers, and what version 2 of the API says of a cluster."""

import json
from typing import Any

import pytest

from gateway_api.admins import Admins
from gateway_api.clusters.record import Credentials, Record
from gateway_api.clusters.schemas import ClusterModel, ClusterModel2
from gateway_common.configuration.groups import AdminSettings
from gateway_common.principal import Principal
from tests.kit.clusters import CERTIFICATE, PRIVATE_KEY, dask_cluster


@pytest.mark.parametrize(
    ("principal", "admin"),
    [
        (Principal("alice"), False),
        (Principal("alice", admin=True), True),
        (Principal("root"), True),
        (Principal("alice", ("ops", "people")), True),
        (Principal("ops", ("root",)), False),
    ],
)
def test_administrators_are_those_whom_authentication_or_configuration_names(principal: Principal, admin: bool) -> None:
    assert (principal in Admins(AdminSettings(users=["root"], groups=["ops"]))) is admin


def test_nobody_administers_unless_named() -> None:
    assert Principal("admin", ("admin",)) not in Admins(AdminSettings())


def test_version_2_of_a_cluster_is_version_1_and_more() -> None:
    status = {"phase": "Running", "reason": "SchedulerRunning", "message": 'it "runs"'}
    record = Record(dask_cluster(user="alice", spec={"replicas": 3}, status=status))
    body = record.complete(Credentials(record.uid, CERTIFICATE, PRIVATE_KEY, "token"))

    described = json.loads(record.described(body))

    assert list(described) == list(ClusterModel2.model_fields)
    assert {key: described[key] for key in ClusterModel.model_fields} == json.loads(body)
    assert [described[key] for key in ("user", "reason", "message", "workers")] == [
        "alice",
        "SchedulerRunning",
        'it "runs"',
        3,
    ]


def test_of_a_new_cluster_nothing_has_been_decided() -> None:
    record = Record(dask_cluster())
    assert record.body

    described = json.loads(record.described(record.body))

    assert (described["reason"], described["message"], described["workers"]) == (None, None, 0)
    assert (described["conditions"], described["workers_by_state"], described["scheduler_failure"]) == ([], None, None)
    assert not record.admitted
    assert not record.failed_to_start


def test_all_that_the_controller_says_is_in_version_2() -> None:
    condition = {"type": "Ready", "status": "False", "reason": "OOMKilled", "message": "too much"}
    status = {
        "phase": "Failed",
        "conditions": [{**condition, "lastTransitionTime": "2026-11-23T12:00:00Z"}],
        "workers": {"desired": 3, "running": 2, "failed": 1},
        "schedulerFailure": {"exitCode": 137, "log": "one\ntwo"},
    }
    record = Record(dask_cluster(status=status))
    assert record.body

    described = json.loads(record.described(record.body))

    assert described["conditions"] == [{**condition, "last_transition_time": "2026-11-23T12:00:00Z"}]
    counts = {"desired": 3, "pending": 0, "running": 2, "failed": 1, "groups": {}}
    assert described["workers_by_state"] == counts
    assert described["scheduler_failure"] == {"exit_code": 137, "log": "one\ntwo"}
    assert ClusterModel2.model_validate(described).scheduler_failure


def test_what_an_older_schema_let_through_as_status_is_left_out() -> None:
    record = Record(dask_cluster(status={"phase": "Failed", "conditions": "none"}))
    assert record.body
    assert json.loads(record.described(record.body))["conditions"] == []


@pytest.mark.parametrize(
    ("status", "failed"),
    [
        ({"phase": "Failed", "reason": "ImagePullBackOff"}, True),
        ({"phase": "Stopping", "reason": "ImagePullBackOff"}, True),
        ({"phase": "Pending", "reason": "ImagePullBackOff"}, False),
        ({"phase": "Stopping", "reason": "Deleted"}, False),
        ({"phase": "Stopped", "reason": "MaxLifetime"}, False),
        ({"phase": "Failed", "reason": "OOMKilled", "schedulerAddress": "10.0.0.1"}, False),
        ({"phase": "Failed"}, False),
    ],
)
def test_a_cluster_failed_to_start_if_it_fails_and_never_ran(status: dict[str, Any], *, failed: bool) -> None:
    assert Record(dask_cluster(status=status)).failed_to_start is failed


@pytest.mark.parametrize(
    ("status", "admitted"),
    [
        ({"phase": "Pending", "reason": "QuotaExceeded"}, False),
        ({"phase": "Pending", "schedulerPod": "dask-scheduler-x"}, True),
        ({"phase": "Running"}, True),
        ({"phase": "Failed", "reason": "QuotaExceeded"}, False),
    ],
)
def test_a_cluster_is_admitted_when_its_objects_are_being_made(status: dict[str, str], admitted: bool) -> None:
    assert Record(dask_cluster(status=status)).admitted is admitted
