"""Endpoints, from the EndpointSlice of the same service."""

from typing import Any

from gateway_local.endpoints import build_endpoint_slice
from gateway_local.endpoints_mirror import build_endpoints
from tests.unit.local.test_endpoints import member, service


def subsets(*pods: dict[str, Any]) -> Any:
    return build_endpoints(build_endpoint_slice(service(), pods))["subsets"]


def test_endpoints_have_the_name_and_labels_of_their_service() -> None:
    metadata = build_endpoints(build_endpoint_slice(service(), [member()]))["metadata"]
    assert (metadata["name"], metadata["namespace"], metadata["labels"]) == ("dask-a", "dask", {"app": "x"})


def test_a_pod_is_among_the_addresses_when_it_is_ready_and_not_when_it_is_going() -> None:
    (subset,) = subsets(member("a"), member("b", ready=False, podIP="127.9.0.3"), member("c", going=True))
    assert [address["ip"] for address in subset["addresses"]] == ["127.9.0.2"]
    assert [address["ip"] for address in subset["notReadyAddresses"]] == ["127.9.0.3"]
    assert [port["port"] for port in subset["ports"]] == [80]


def test_a_service_without_pods_has_no_subsets() -> None:
    assert subsets() == []
    assert subsets(member(going=True)) == []
