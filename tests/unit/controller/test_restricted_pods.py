"""Dask's containers are restricted unless the operator says otherwise."""

from typing import Any

import pytest

from gateway_common.config import parse_cluster_config
from gateway_common.manifests.installation import Installation
from gateway_common.manifests.scheduler_pod import build_scheduler_pod
from gateway_common.manifests.worker_pod import build_worker_pods
from gateway_common.names import ClusterName

CLUSTER = ClusterName("dask", "c0ffee")
RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "runAsUser": 1000,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def contexts(is_restricted: bool = True, **config: Any) -> list[Any]:
    """Of the scheduler's container and of a worker's."""
    installation = Installation(instance="test", api_url="http://api:8000/api", restricted_pods=is_restricted)
    parsed = parse_cluster_config(config)
    (worker,) = build_worker_pods(installation, CLUSTER, parsed, [0])
    pods = (build_scheduler_pod(installation, CLUSTER, parsed), worker)
    return [pod["spec"]["containers"][0].get("securityContext") for pod in pods]


def test_schedulers_and_workers_are_restricted_or_have_what_the_image_says() -> None:
    assert contexts() == [RESTRICTED, RESTRICTED]
    assert contexts(is_restricted=False) == [None, None]


@pytest.mark.parametrize(
    ("container", "pod", "expected"),
    [
        ({"runAsUser": 7}, {}, {**RESTRICTED, "runAsUser": 7}),
        ({}, {"runAsUser": 7}, {name: value for name, value in RESTRICTED.items() if name != "runAsUser"}),
        (
            {"runAsUser": 0},
            {},
            {"runAsUser": 0, **{name: RESTRICTED[name] for name in ("allowPrivilegeEscalation", "capabilities")}}
            | {"seccompProfile": RESTRICTED["seccompProfile"]},
        ),
        (
            {"runAsNonRoot": False},
            {},
            {name: value for name, value in RESTRICTED.items() if name != "runAsUser"} | {"runAsNonRoot": False},
        ),
        ({"privileged": True}, {}, {"privileged": True}),
        (
            {"capabilities": {"add": ["SYS_ADMIN"]}},
            {},
            {
                **{name: value for name, value in RESTRICTED.items() if name != "allowPrivilegeEscalation"},
                "capabilities": {"drop": ["ALL"], "add": ["SYS_ADMIN"]},
            },
        ),
        ({}, {"seccompProfile": {"type": "Unconfined"}, "fsGroup": 5}, RESTRICTED | {"seccompProfile": None}),
    ],
)
def test_what_the_operator_says_counts(
    container: dict[str, Any], pod: dict[str, Any], expected: dict[str, Any]
) -> None:
    found = contexts(
        worker_extra_container_config={"securityContext": container}, worker_extra_pod_config={"securityContext": pod}
    )
    assert found == [RESTRICTED, {name: value for name, value in expected.items() if value is not None}]


def test_sidecars_are_the_operators_own() -> None:
    installation = Installation(instance="test", api_url="http://api:8000/api", restricted_pods=True)
    extra = {"containers": [{"name": "shipper", "image": "shipper"}], "securityContext": {"fsGroup": 5}}
    pod = build_scheduler_pod(installation, CLUSTER, parse_cluster_config({"scheduler_extra_pod_config": extra}))
    assert pod["spec"]["containers"][1] == {"name": "shipper", "image": "shipper"}
    assert pod["spec"]["securityContext"] == {"fsGroup": 5}
