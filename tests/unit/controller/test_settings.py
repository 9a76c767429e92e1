"""The controller's settings."""

from typing import Any

import pytest
from pydantic import ValidationError

from gateway_common.configuration.groups import KubeSettings
from gateway_common.configuration.model import Configuration
from gateway_common.configuration.services import ControllerGroup
from gateway_common.kubernetes_names import is_dns_label
from gateway_common.manifests.installation import MiddlewareRef, installation_of
from gateway_controller.main import main
from gateway_controller.settings import kube_settings, lease_kube_settings, lease_place, replica_identity


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("DASK_GATEWAY__INSTANCE", "test")
    monkeypatch.setenv("DASK_GATEWAY__CLUSTERS_API_URL", "http://api:8000/api")
    return monkeypatch


def test_instance_and_api_are_all_that_must_be_set(environment: pytest.MonkeyPatch) -> None:
    made = installation_of(Configuration())
    assert (made.instance, made.api_url) == ("test", "http://api:8000/api")
    assert made.common_labels["app.kubernetes.io/name"] == "dask-gateway"


def test_middlewares_are_read_as_json(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("DASK_GATEWAY__CONTROLLER__PROXY_WEB_MIDDLEWARES", '[{"name": "slow"}]')
    environment.setenv("DASK_GATEWAY__CONTROLLER__PROXY_OWN_MIDDLEWARES", '[{"name": "strip", "namespace": "gw"}]')
    both = (MiddlewareRef("slow"), MiddlewareRef("strip", "gw"))
    assert installation_of(Configuration()).proxy_web_middlewares == both, "the gateway's own come last"


@pytest.mark.parametrize(("given", "used"), [("", ""), ("/", ""), ("gateway/", "/gateway"), ("/a/b", "/a/b")])
def test_the_proxys_prefix_may_be_written_with_or_without_slashes(
    environment: pytest.MonkeyPatch, given: str, used: str
) -> None:
    environment.setenv("DASK_GATEWAY__PREFIX", given)
    assert installation_of(Configuration()).proxy_prefix == used


def test_a_misspelt_setting_is_an_error(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("DASK_GATEWAY__CONTROLLER__PARALELISM", "20")
    with pytest.raises(ValidationError, match="paralelism"):
        Configuration()


@pytest.mark.parametrize(
    ("instance", "name"),
    [
        ("test", "dask-gateway-controller-test"),
        ("Prod_2", "dask-gateway-controller-prod-2"),
        ("x" * 63, "dask-gateway-controller-" + "x" * 17),
    ],
)
def test_every_instance_has_a_lease_of_its_own_whose_name_kubernetes_takes(instance: str, name: str) -> None:
    place = lease_place(Configuration(instance=instance))
    assert is_dns_label(place.name)
    assert place.name.partition("--")[0] == name
    assert place.name != lease_place(Configuration(instance=instance.swapcase())).name


@pytest.mark.parametrize(
    ("kube", "lease_namespace", "expected"),
    [
        ({}, "", "default"),  # the pod's own, and this is none
        ({"namespaces": ["dask"]}, "", "default"),
        ({"url": "http://elsewhere", "namespaces": ["dask", "other"]}, "", "dask"),
        ({"url": "http://elsewhere", "namespaces": ["*"]}, "", "default"),
        ({"namespaces": ["dask"]}, "leases", "leases"),
    ],
)
def test_the_lease_is_in_the_gateways_namespace_or_for_clusters_elsewhere_in_theirs(
    kube: dict[str, Any], lease_namespace: str, expected: str
) -> None:
    group = ControllerGroup(lease_namespace=lease_namespace)
    assert (
        lease_place(Configuration(instance="test", kube=KubeSettings(**kube), controller=group)).namespace == expected
    )


def test_a_pod_keeps_its_name_in_the_election_and_processes_elsewhere_share_none(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.delenv("POD_NAME", raising=False)
    assert replica_identity(Configuration()) != replica_identity(Configuration())
    environment.setenv("POD_NAME", "controller-7d4b9")
    assert replica_identity(Configuration()) == "controller-7d4b9"
    environment.setenv("DASK_GATEWAY__CONTROLLER__IDENTITY", "mine")
    assert replica_identity(Configuration()) == "mine"


def test_the_lease_is_renewed_whatever_the_rate_limit_of_the_rest(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("DASK_GATEWAY__CONTROLLER__K8S_API_RATE_LIMIT", "5")
    environment.setenv("DASK_GATEWAY__KUBE__RATE_LIMIT", "7")
    assert kube_settings(Configuration()).rate_limit == 5
    assert lease_kube_settings(Configuration()).rate_limit is None


def test_the_program_says_which_setting_is_wrong_and_ends(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("DASK_GATEWAY__CONTROLLER__PORT", "-1")
    with pytest.raises(SystemExit, match=r"^dask-gateway-controller: DASK_GATEWAY__CONTROLLER__PORT: "):
        main()
