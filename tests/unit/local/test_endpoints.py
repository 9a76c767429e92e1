"""The EndpointSlice of a service, from the pods that it selects."""

from typing import Any

import pytest

from gateway_local.endpoints import build_endpoint_slice


def service(**spec: Any) -> dict[str, Any]:
    metadata = {"name": "dask-a", "namespace": "dask", "uid": "0123456789", "labels": {"app": "x"}}
    return {"metadata": metadata, "spec": {"selector": {"app": "x"}, "ports": [{"port": 80}], **spec}}


def member(name: str = "pod", *, ready: bool = True, going: bool = False, **status: Any) -> dict[str, Any]:
    ports = [{"name": "web", "containerPort": 8787}]
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    metadata = {"name": name, "namespace": "dask", "uid": f"u-{name}"}
    return {
        "metadata": metadata | ({"deletionTimestamp": "2026-11-23T10:00:00Z"} if going else {}),
        "spec": {"nodeName": "local", "containers": [{"name": "main", "ports": ports}]},
        "status": {"phase": "Running", "podIP": "127.9.0.2", "conditions": conditions, **status},
    }


def test_a_slice_belongs_to_its_service_and_names_its_pods() -> None:
    manifest = build_endpoint_slice(service(clusterIP="None"), [member("b"), member("a", podIP="127.9.0.3")])
    metadata = manifest["metadata"]
    assert metadata["name"] == "dask-a-01234"
    assert metadata["labels"] == {
        "app": "x",
        "kubernetes.io/service-name": "dask-a",
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
        "service.kubernetes.io/headless": "",
    }
    assert [(owner["kind"], owner["uid"]) for owner in metadata["ownerReferences"]] == [("Service", "0123456789")]
    assert [endpoint["addresses"] for endpoint in manifest["endpoints"]] == [["127.9.0.3"], ["127.9.0.2"]]
    assert manifest["endpoints"][0]["targetRef"]["uid"] == "u-a"
    assert manifest["addressType"] == "IPv4"


@pytest.mark.parametrize(
    ("publish", "ready", "going", "conditions"),
    [
        (False, True, False, (True, True, False)),
        (False, False, False, (False, False, False)),
        (False, True, True, (False, True, True)),
        (True, False, False, (True, False, False)),
        (True, False, True, (True, False, True)),
    ],
)
def test_an_endpoint_is_ready_as_its_pod_and_service_say(
    publish: bool, ready: bool, going: bool, conditions: tuple[bool, bool, bool]
) -> None:
    manifest = build_endpoint_slice(service(publishNotReadyAddresses=publish), [member(ready=ready, going=going)])
    found = manifest["endpoints"][0]["conditions"]
    assert (found["ready"], found["serving"], found["terminating"]) == conditions


@pytest.mark.parametrize("pod", [member(phase="Succeeded"), member(phase="Failed"), member(podIP="")])
def test_pods_that_are_over_or_have_no_address_yet_are_left_out(pod: dict[str, Any]) -> None:
    assert build_endpoint_slice(service(), [pod])["endpoints"] == []


@pytest.mark.parametrize(
    ("port", "expected"),
    [
        ({"port": 80}, {"name": "", "port": 80, "protocol": "TCP"}),
        ({"name": "a", "port": 80, "targetPort": 8080}, {"name": "a", "port": 8080, "protocol": "TCP"}),
        ({"name": "a", "port": 80, "targetPort": "web"}, {"name": "a", "port": 8787, "protocol": "TCP"}),
        ({"port": 53, "protocol": "UDP"}, {"name": "", "port": 53, "protocol": "UDP"}),
    ],
)
def test_ports_are_those_of_the_pods(port: dict[str, Any], expected: dict[str, Any]) -> None:
    assert build_endpoint_slice(service(ports=[port]), [member()])["ports"] == [expected]


def test_a_named_port_that_no_pod_has_is_left_out() -> None:
    assert build_endpoint_slice(service(ports=[{"port": 80, "targetPort": "none"}]), [member()])["ports"] == []
