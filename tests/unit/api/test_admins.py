"""Who administers, and what version 2 of the API says of a cluster."""

import json

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
    assert not record.admitted


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
