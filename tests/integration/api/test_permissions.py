"""The api's permissions are what it needs, as seen in all that it does: no more, no less, and only where it may."""

from gateway_api.permissions import BACKEND_RULES, DRY_RUN_RULES
from gateway_common.configuration.groups import KubeSettings
from gateway_common.names import ClusterName
from tests.kit.api import CLUSTER_TOKEN, Api, running_api
from tests.kit.recorded_calls import Access, allowed, recorded, recorder


async def use(api: Api) -> None:
    """All that users and schedulers ask for."""
    alice = api.user("alice")
    cluster = await api.running_cluster(alice)
    await alice.get(f"/api/v1/clusters/{cluster}")
    await alice.get("/api/v1/clusters/nobody.knows")
    await alice.post(f"/api/v1/clusters/{cluster}/scale", json={"count": 1})
    await api.client(authorization=f"token {CLUSTER_TOKEN}").post(f"/api/v1/clusters/{cluster}/heartbeat", json=beat(1))
    await alice.delete(f"/api/v1/clusters/{cluster}")
    stored = await api.stored(ClusterName(*cluster))
    assert (stored["spec"]["replicas"], stored["spec"]["active"]) == (1, False)


def beat(count: int) -> dict[str, object]:
    addresses = dict.fromkeys(("scheduler_address", "dashboard_address", "api_address"), "")
    return {**addresses, "count": count, "active_workers": [], "closing_workers": [], "closed_workers": []}


async def test_all_that_it_does_takes_exactly_the_permissions_that_are_listed(
    kube: KubeSettings, namespace: str
) -> None:
    found: set[Access] = set()
    with recorder(), recorded(found):
        async with running_api(kube, namespace) as api:
            await use(api)
    own = {access for access in found if access.resource != "daskclusters/status"}
    # the test itself plays the controller, and makes the cluster's Secret
    assert own - {Access("create", "", "secrets", namespace)} == allowed(BACKEND_RULES, namespace)


async def test_dry_runs_take_one_more(kube: KubeSettings, namespace: str) -> None:
    found: set[Access] = set()
    with recorder(), recorded(found):
        async with running_api(kube, namespace, api={"validate_pods": True}) as api:
            await api.create(api.user("alice"))
    assert {access for access in found if access.resource == "pods"} == allowed(DRY_RUN_RULES, namespace)
