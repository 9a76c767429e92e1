"""Clusters as the api knows them: the bytes are made once and have exactly the known keys."""

import json
from typing import Any

import pytest

from gateway_api.clusters.record import ClusterStatus, Credentials, Record, classify_status
from gateway_api.clusters.schemas import ClusterModel
from gateway_common.names import SCHEDULER_STARTED_ANNOTATION
from tests.kit.clusters import CERTIFICATE, PRIVATE_KEY, dask_cluster


def credentials(record: Record) -> Credentials:
    return Credentials(record.uid, CERTIFICATE, PRIVATE_KEY, "token")


@pytest.mark.parametrize("phase", [None, "Pending", "Running", "Stopping", "Stopped", "Failed"])
def test_a_clusters_json_has_exactly_the_documented_keys(phase: str | None) -> None:
    record = Record(dask_cluster(status=None if phase is None else {"phase": phase}))

    body = record.body or record.complete(credentials(record))

    assert list(json.loads(body)) == list(ClusterModel.model_fields)
    ClusterModel.model_validate_json(body)


def test_a_running_cluster_has_no_bytes_before_its_credentials_are_there() -> None:
    record = Record(dask_cluster(namespace="ns", name="n", status={"phase": "Running"}))

    assert record.body is None
    assert json.loads(record.complete(credentials(record))) == {
        "name": "ns.n",
        "dashboard_route": "/clusters/ns.n/status",
        "status": "RUNNING",
        "start_time": 1795428000000,
        "stop_time": None,
        "options": {},
        "tls_cert": CERTIFICATE,
        "tls_key": PRIVATE_KEY,
    }
    assert record.body is not None


def test_a_finished_cluster_says_when_it_ended_and_has_no_credentials() -> None:
    status = {"phase": "Failed", "completionTime": "2026-11-23T10:00:01Z", "reason": "X", "message": "y"}

    report = json.loads(Record(dask_cluster(status=status)).body or b"")

    assert report["stop_time"] == 1795428001000
    assert report["tls_cert"] is report["tls_key"] is report["dashboard_route"] is None


def test_an_entry_of_a_list_is_the_name_as_a_key() -> None:
    record = Record(dask_cluster(namespace="ns", name="n"))

    assert json.loads(b"{" + record.entry + (record.body or b"") + b"}").keys() == {"ns.n"}


@pytest.mark.parametrize(
    ("phase", "active", "status"),
    [
        (None, True, "PENDING"),
        ("Pending", True, "PENDING"),
        ("Pending", False, "STOPPING"),
        ("Running", True, "RUNNING"),
        ("Running", False, "STOPPING"),
        ("Stopping", False, "STOPPING"),
        ("Stopped", False, "STOPPED"),
        ("Failed", True, "FAILED"),
        ("Failed", False, "FAILED"),
        ("Paused", True, "PENDING"),
    ],
)
def test_a_phase_is_a_status_in_the_words_of_the_rest_api(phase: str | None, active: bool, status: str) -> None:
    assert classify_status(phase, active) is ClusterStatus(status)


@pytest.mark.parametrize(
    ("config", "limit"),
    [
        ({}, None),
        ({"cluster_max_workers": 3}, 3),
        ({"cluster_max_cores": 5, "scheduler_cores": 1, "worker_cores": 2}, 2),
        ({"a_later_versions_field": 1, "cluster_max_workers": 3}, 3),
        ({"image": 7, "cluster_max_workers": 3}, 3),
    ],
)
def test_the_limit_of_workers_follows_from_the_stored_configuration(config: dict[str, Any], limit: int | None) -> None:
    assert Record(dask_cluster(config=config)).max_workers == limit


def test_what_the_scheduler_reported_is_known() -> None:
    manifest = dask_cluster(
        spec={"replicas": 3, "active": False}, annotations={SCHEDULER_STARTED_ANNOTATION: "2026-11-23T10:00:00Z"}
    )

    record = Record(manifest)

    assert (record.replicas, record.active, record.scheduler_started) == (3, False, True)
