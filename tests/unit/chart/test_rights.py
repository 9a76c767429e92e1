"""Each service may do in Kubernetes what it does, where it does it, and nothing else."""

from typing import Any

import pytest

from gateway_api.permissions import BACKEND_RULES as API_RULES
from gateway_api.permissions import DRY_RUN_RULES
from gateway_common.traefik_crds import GROUP, KINDS
from gateway_controller.permissions import BACKEND_RULES, LEASE_RULES, ROUTE_RULES
from tests.kit.chart import FULLNAME, GATEWAY_API, NAMESPACE, Manifest, find, render
from tests.kit.recorded_calls import Access, allowed


def rights(role: Manifest) -> set[Access]:
    return {
        Access(verb, group, resource, "")
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def test_services_have_the_rights_that_their_code_lists_and_no_others() -> None:
    manifests = render()
    controller = rights(find(manifests, "Role", f"controller-{FULLNAME}"))
    assert controller == allowed([*BACKEND_RULES, *ROUTE_RULES["traefik"], *LEASE_RULES])
    without_traefik = rights(find(render(GATEWAY_API), "Role", f"controller-{FULLNAME}"))
    assert without_traefik == allowed([*BACKEND_RULES, *ROUTE_RULES["gatewayAPI"], *LEASE_RULES])
    assert rights(find(manifests, "Role", f"api-{FULLNAME}")) == allowed(API_RULES)
    dry_runs = render({"gateway": {"backend": {"validatePods": True}}})
    assert rights(find(dry_runs, "Role", f"api-{FULLNAME}")) == allowed([*API_RULES, *DRY_RUN_RULES])


def test_traefik_may_list_every_kind_that_it_lists() -> None:
    role = rights(find(render(), "Role", f"traefik-{FULLNAME}"))
    assert {Access("list", GROUP, f"{kind.lower()}s", "") for kind in KINDS} <= role
    assert {access.verb for access in role} == {"list", "watch"}


@pytest.mark.parametrize(
    ("backend", "groups", "namespaces"),
    [
        ({}, {}, {NAMESPACE}),
        ({"namespace": "dask"}, {}, {"dask"}),
        ({"namespaces": ["a", "b"]}, {}, {"a", "b"}),
        ({"namespace": "dask"}, {"blue": {"backend": {"namespace": "blue"}}}, {"dask", "blue"}),
    ],
)
def test_where_namespaces_are_named_nobody_has_rights_in_the_whole_cluster(
    backend: dict[str, Any], groups: dict[str, Any], namespaces: set[str]
) -> None:
    manifests = render({"gateway": {"backend": backend, "groups": groups}})
    assert not [m for m in manifests if m["kind"].startswith("Cluster")]
    for service, local in (("api", set()), ("controller", {NAMESPACE}), ("traefik", {NAMESPACE})):
        roles = [m for m in manifests if m["kind"] == "Role" and m["metadata"]["name"].startswith(f"{service}-")]
        assert {role["metadata"]["namespace"] for role in roles} == namespaces | local
        bindings = [m for m in manifests if m["kind"] == "RoleBinding" and m["roleRef"]["name"] in _names(roles)]
        assert {binding["metadata"]["namespace"] for binding in bindings} == namespaces | local
        subject = {"kind": "ServiceAccount", "name": f"{service}-{FULLNAME}", "namespace": NAMESPACE}
        assert all(binding["subjects"] == [subject] for binding in bindings)
    traefik = find(manifests, "Deployment", f"traefik-{FULLNAME}")["spec"]["template"]["spec"]["containers"][0]
    (watched,) = (arg.partition("=")[2] for arg in traefik["args"] if "kubernetescrd.namespaces=" in arg)
    assert set(watched.split(",")) == namespaces | {NAMESPACE}


def _names(manifests: list[Manifest]) -> set[str]:
    return {m["metadata"]["name"] for m in manifests}


@pytest.mark.parametrize("backend", [{"namespaces": ["*"]}, {"namespace": "dask-{user}"}])
def test_only_clusters_in_all_namespaces_take_rights_in_all(backend: dict[str, Any]) -> None:
    manifests = render({"gateway": {"backend": backend}})
    api = find(manifests, "ClusterRole", f"api-{FULLNAME}-{NAMESPACE}")
    assert rights(api) == allowed(API_RULES)
    controller = find(manifests, "ClusterRole", f"controller-{FULLNAME}-{NAMESPACE}")
    assert rights(controller) == allowed([*BACKEND_RULES, *ROUTE_RULES["traefik"]])
    assert rights(find(manifests, "Role", f"controller-{FULLNAME}")) == allowed(LEASE_RULES)


def test_auth_has_no_rights_at_all() -> None:
    names = [m["metadata"]["name"] for m in render() if m["kind"] in ("Role", "ClusterRole")]
    assert not [name for name in names if name.startswith("auth")]


def test_whoever_brings_service_accounts_makes_the_roles_too() -> None:
    own = {name: {"serviceAccountName": f"my-{name}"} for name in ("controller", "gateway", "traefik")}
    manifests = render({"rbac": own})
    assert not [m for m in manifests if "Role" in m["kind"]]
    assert [m["metadata"]["name"] for m in manifests if m["kind"] == "ServiceAccount"] == [f"auth-{FULLNAME}"]
    pods = {m["metadata"]["name"]: m["spec"]["template"]["spec"] for m in manifests if m["kind"] == "Deployment"}
    assert pods[f"api-{FULLNAME}"]["serviceAccountName"] == "my-gateway"
    assert pods[f"traefik-{FULLNAME}"]["serviceAccountName"] == "my-traefik"


def test_without_rbac_pods_have_the_namespaces_own_account() -> None:
    manifests = render({"rbac": {"enabled": False}})
    assert not [m for m in manifests if "Role" in m["kind"]]
    (account,) = {
        m["spec"]["template"]["spec"]["serviceAccountName"]
        for m in manifests
        if m["kind"] == "Deployment" and not m["metadata"]["name"].startswith("auth")
    }
    assert account == "default"


def test_the_lease_is_where_its_namespace_is_said_to_be() -> None:
    roles = [m for m in render({"controller": {"leaseNamespace": "leases"}}) if m["kind"] == "Role"]
    (role,) = (m for m in roles if m["metadata"]["namespace"] == "leases")
    assert rights(role) == allowed(LEASE_RULES)
