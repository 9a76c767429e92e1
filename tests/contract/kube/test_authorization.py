"""Service accounts: their tokens, and what roles let them do. The real machinery at hand lets anyone in."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway_common.resources import CONFIGMAPS, PODS, SECRETS, SERVICEACCOUNTS, Resource
from gateway_local.resources import CLUSTERROLEBINDINGS, CLUSTERROLES, ROLEBINDINGS, ROLES
from tests.contract.kube.widgets import config_map, pod
from tests.kit.kube import KubeHttp, KubeServer, Manifest, accepted, kube_http, refused

READ_PODS = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}


@pytest.fixture
def kube_server(embedded_kube_server: KubeServer) -> KubeServer:
    return embedded_kube_server


def named(resource: Resource, name: str, **parts: Any) -> Manifest:
    return {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": {"name": name}, **parts}


def token_of(kube: KubeHttp, account: str, holder: str) -> str:
    assert kube.embedded is not None
    return kube.embedded.service_accounts.issue(kube.namespace, account, holder)


async def allow(kube: KubeHttp, *rules: Manifest, cluster_wide: bool = False) -> None:
    """Let the service account `reader` do what the rules say."""
    role, binding = (CLUSTERROLES, CLUSTERROLEBINDINGS) if cluster_wide else (ROLES, ROLEBINDINGS)
    name = f"reader-{kube.namespace}"
    await kube.create(role, named(role, name, rules=list(rules)))
    subject = {"kind": "ServiceAccount", "name": "reader", "namespace": kube.namespace}
    reference = {"apiGroup": role.group, "kind": role.kind, "name": name}
    await kube.create(binding, named(binding, name, roleRef=reference, subjects=[subject]))


@pytest.fixture
async def reader(kube: KubeHttp, kube_server: KubeServer) -> AsyncIterator[KubeHttp]:
    """The same server and namespace, as the service account `reader`, whose token a pod holds."""
    await kube.create(SERVICEACCOUNTS, named(SERVICEACCOUNTS, "reader"))
    holder = pod("holder")
    holder["spec"]["serviceAccountName"] = "reader"
    await kube.create(PODS, holder)
    async with kube_http(kube_server, kube.namespace) as http:
        http.client.headers["authorization"] = f"Bearer {token_of(kube, 'reader', 'holder')}"
        yield http


async def test_a_service_account_may_do_nothing_by_itself(kube: KubeHttp, reader: KubeHttp) -> None:
    status = refused(await reader.client.get(reader.path(PODS)), 403, "Forbidden")
    user = f"system:serviceaccount:{kube.namespace}:reader"
    assert status["message"] == (
        f'pods is forbidden: User "{user}" cannot list resource "pods" in API group "" in the namespace '
        f'"{kube.namespace}"'
    )
    assert status["details"] == {"kind": "pods"}
    status = refused(await reader.client.get(ROLES.path(kube.namespace, "x")), 403, "Forbidden")
    assert status["message"].startswith(f'roles.rbac.authorization.k8s.io "x" is forbidden: User "{user}" cannot get')


async def test_a_role_allows_its_verbs_and_resources_and_no_others(kube: KubeHttp, reader: KubeHttp) -> None:
    await allow(kube, READ_PODS)
    await kube.create(CONFIGMAPS, config_map("a"))

    assert len((await reader.list(PODS))["items"]) == 1
    accepted(await reader.client.get(reader.path(PODS, "holder")))
    refused(await reader.delete(PODS, "holder"), 403, "Forbidden")
    refused(await reader.client.get(reader.path(CONFIGMAPS, "a")), 403, "Forbidden")
    # a subresource is another resource
    refused(await reader.patch(PODS, "holder", {}, subresource="status"), 403, "Forbidden")


async def test_a_role_of_one_namespace_allows_nothing_in_another(kube: KubeHttp, reader: KubeHttp) -> None:
    await allow(kube, READ_PODS)

    refused(await reader.client.get(PODS.path("default")), 403, "Forbidden")
    status = refused(await reader.client.get(PODS.path()), 403, "Forbidden")
    assert status["message"].endswith("at the cluster scope")


async def test_a_cluster_role_that_is_bound_everywhere_allows_everywhere(kube: KubeHttp, reader: KubeHttp) -> None:
    await allow(kube, READ_PODS, cluster_wide=True)

    accepted(await reader.client.get(PODS.path("default")))
    accepted(await reader.client.get(PODS.path()))


async def test_a_rule_for_one_name_covers_a_list_of_that_name(kube: KubeHttp, reader: KubeHttp) -> None:
    rule = {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["mine"], "verbs": ["get", "list"]}
    await allow(kube, rule)
    await kube.create(SECRETS, named(SECRETS, "mine"))

    accepted(await reader.client.get(reader.path(SECRETS, "mine")))
    accepted(await reader.client.get(reader.path(SECRETS), params={"fieldSelector": "metadata.name=mine"}))
    refused(await reader.client.get(reader.path(SECRETS)), 403, "Forbidden")
    refused(await reader.client.get(reader.path(SECRETS, "yours")), 403, "Forbidden")


@pytest.mark.parametrize("resources", [["pods/status"], ["*/status"], ["*"]])
async def test_subresources_are_allowed_by_name(kube: KubeHttp, reader: KubeHttp, resources: list[str]) -> None:
    await allow(kube, {"apiGroups": ["*"], "resources": resources, "verbs": ["*"]})

    accepted(await reader.patch(PODS, "holder", {"status": {"phase": "Failed"}}, subresource="status"))


async def test_what_a_server_can_do_is_told_to_whoever_is_known(reader: KubeHttp) -> None:
    for path in ("/version", "/api", "/apis", "/openapi/v3"):
        accepted(await reader.client.get(path))


@pytest.mark.parametrize("loss", [(SERVICEACCOUNTS, "reader"), (PODS, "holder")], ids=["account", "pod"])
async def test_a_token_goes_with_its_account_and_with_its_pod(
    kube: KubeHttp, reader: KubeHttp, loss: tuple[Resource, str]
) -> None:
    accepted(await reader.client.get("/version"))

    accepted(await kube.delete(*loss))

    refused(await reader.client.get("/version"), 401, "Unauthorized")


async def test_a_new_account_of_the_same_name_is_another(kube: KubeHttp, reader: KubeHttp) -> None:
    accepted(await kube.delete(SERVICEACCOUNTS, "reader"))
    await kube.create(SERVICEACCOUNTS, named(SERVICEACCOUNTS, "reader"))

    refused(await reader.client.get("/version"), 401, "Unauthorized")


async def test_a_pod_gets_a_token_unless_it_or_its_account_does_not_want_one(kube: KubeHttp) -> None:
    await kube.create(SERVICEACCOUNTS, named(SERVICEACCOUNTS, "willing"))
    await kube.create(SERVICEACCOUNTS, named(SERVICEACCOUNTS, "unwilling", automountServiceAccountToken=False))
    mounted = {}
    for account, said in (("willing", None), ("willing", False), ("unwilling", None), ("unwilling", True)):
        manifest = pod(f"{account}-{said}".lower())
        manifest["spec"] |= {"serviceAccountName": account}
        manifest["spec"] |= {} if said is None else {"automountServiceAccountToken": said}
        created = await kube.create(PODS, manifest)
        paths = [mount["mountPath"] for mount in created["spec"]["containers"][0].get("volumeMounts", ())]
        mounted[account, said] = "/var/run/secrets/kubernetes.io/serviceaccount" in paths

    assert mounted == {
        ("willing", None): True,
        ("willing", False): False,
        ("unwilling", None): False,
        ("unwilling", True): True,
    }


async def test_a_pod_of_an_account_that_there_is_not_is_refused(kube: KubeHttp) -> None:
    manifest = pod("a")
    manifest["spec"]["serviceAccountName"] = "nobody"

    status = refused(await kube.client.post(kube.path(PODS), json=manifest), 403, "Forbidden")

    assert status["message"] == (
        f'pods "a" is forbidden: error looking up service account {kube.namespace}/nobody: '
        'serviceaccount "nobody" not found'
    )
