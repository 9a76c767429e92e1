"""Groups of workers: what users ask for, what schedulers are told and report, and whose number counts where."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from gateway_common.configuration.groups import KubeSettings
from gateway_common.names import SCHEDULER_GROUPS_ANNOTATION, ClusterName
from tests.integration.api.test_limit_answers import admitting
from tests.kit.api import CLUSTER_TOKEN, Api, running_api
from tests.kit.clusters import set_status
from tests.kit.waiting import until

BACKEND = {
    "cluster_max_cores": 11,
    "worker_groups": {"gpu": {"worker_cores": 4}, "small": {"worker_cores": 0.5}},
}


@pytest.fixture
async def grouped(kube: KubeSettings, namespace: str) -> AsyncIterator[Api]:
    async with running_api(kube, namespace, backend=BACKEND) as running:
        yield running


async def report(api: Api, cluster: ClusterName, count: int, groups: dict[str, int] | None) -> None:
    client = api.client(authorization=f"token {CLUSTER_TOKEN}")
    body: dict[str, Any] = {"count": count, **({} if groups is None else {"groups": groups})}
    answer = await client.post(f"/api/v1/clusters/{cluster}/heartbeat", json=body)
    assert answer.status_code == 200, answer.text


async def running(api: Api, groups: dict[str, int] | None = {}) -> ClusterName:  # noqa: B006  # nobody changes it
    """A cluster whose scheduler has reported."""
    cluster = await api.running_cluster(api.user("alice"))
    await report(api, cluster, 0, groups)
    return cluster


async def scale(api: Api, cluster: ClusterName, count: int, group: str | None) -> httpx.Response:
    return await api.user("alice").post(f"/api/v2/clusters/{cluster}/scale", json={"count": count, "group": group})


async def test_a_group_is_scaled_within_the_limits_beside_the_other_workers(grouped: Api) -> None:
    cluster = await running(grouped)
    assert (await scale(grouped, cluster, 2, "gpu")).json() == {"ok": True, "msg": None}
    await report(grouped, cluster, 0, {"gpu": 2})
    assert (await scale(grouped, cluster, 2, None)).json() == {"ok": True, "msg": None}
    assert (await scale(grouped, cluster, 3, None)).json()["msg"] == (
        "Scale request of 3 workers would exceed resource limit of 2 workers. Scaling to 2 instead."
    )
    assert grouped.scheduler.messages == [
        {"op": "scale", "count": 2, "group": "gpu"},
        {"op": "scale", "count": 2},
        {"op": "scale", "count": 2},
    ]


async def test_a_group_that_there_is_not_is_refused_with_those_that_there_are(grouped: Api) -> None:
    cluster = await running(grouped)
    answer = await scale(grouped, cluster, 1, "cpu")
    assert (answer.status_code, answer.json()) == (
        422,
        {"error": f"Cluster {cluster} has no group of workers 'cpu': its groups are gpu, small"},
    )
    assert grouped.scheduler.messages == []


async def test_a_cluster_without_groups_says_so(api: Api) -> None:
    cluster = await running(api)
    answer = await scale(api, cluster, 1, "gpu")
    assert (answer.status_code, answer.json()["error"]) == (
        422,
        f"Cluster {cluster} has no group of workers 'gpu': it has no groups",
    )


async def test_a_scheduler_that_knows_no_groups_is_not_told_of_any(grouped: Api) -> None:
    """It would take the number for that of all workers."""
    cluster = await running(grouped, groups=None)
    answer = await scale(grouped, cluster, 1, "gpu")
    assert answer.status_code == 409
    assert "can't scale groups of workers: its image has another version" in answer.json()["error"]
    assert grouped.scheduler.messages == []
    assert (await scale(grouped, cluster, 1, None)).status_code == 200


async def test_a_cluster_that_runs_before_its_scheduler_has_reported_waits_for_that(grouped: Api) -> None:
    cluster = await grouped.running_cluster(grouped.user("alice"))
    asked = asyncio.ensure_future(scale(grouped, cluster, 1, "gpu"))
    await until(lambda: len(grouped.repository.waiters) > 0)
    assert not asked.done()
    await report(grouped, cluster, 0, {})
    assert (await asked).json() == {"ok": True, "msg": None}
    assert (await grouped.stored(cluster))["metadata"]["annotations"][SCHEDULER_GROUPS_ANNOTATION] == "true"


async def test_what_a_scheduler_reports_of_groups_is_stored_when_it_changes_within_the_limits(grouped: Api) -> None:
    cluster = await running(grouped)
    seen = []
    for groups in ({"gpu": 1}, {"gpu": 1}, {"gpu": 9, "unknown": 5}, {"gpu": 9}, {"gpu": 0, "small": 2}):
        await report(grouped, cluster, 1, groups)
        manifest = await grouped.stored(cluster)
        wanted = {name: group["replicas"] for name, group in manifest["spec"].get("workerGroups", {}).items()}
        seen.append((wanted, manifest["metadata"]["resourceVersion"]))
        assert manifest["spec"]["replicas"] == 1
    assert [wanted for wanted, _ in seen] == [{"gpu": 1}, {"gpu": 1}, {"gpu": 2}, {"gpu": 2}, {"gpu": 0, "small": 2}]
    versions = [version for _, version in seen]
    assert (versions[0] == versions[1], versions[2] == versions[3], len(set(versions))) == (True, True, 3)


async def test_version_1_takes_a_group_for_a_key_that_it_does_not_know(grouped: Api) -> None:
    cluster = await running(grouped)
    body = {"count": 1, "group": "gpu"}
    answer = await grouped.user("alice").post(f"/api/v1/clusters/{cluster}/scale", json=body)
    assert answer.json() == {"ok": True, "msg": None}
    assert grouped.scheduler.messages == [{"op": "scale", "count": 1}]


async def test_users_limits_count_each_groups_own_sizes(kube: KubeSettings, namespace: str) -> None:
    limits = {"limits": {"user": {"cores": 10}}}
    groups = {"gpu": {"worker_cores": 4}}
    async with running_api(kube, namespace, backend={"worker_groups": groups}, api={}, **limits) as api:
        cluster = await running_admitted(api)
        await report(api, cluster, 1, {"gpu": 1})
        # 10 CPUs, less one of the scheduler, one of a worker, are two of 4
        answer = (await scale(api, cluster, 5, "gpu")).json()
        assert answer["msg"] == (
            "Scale request of 5 workers would exceed resource limit of 2 workers. Scaling to 2 instead. "
            "Your clusters use 6 of 10 CPUs, another worker needs 4 more."
        )
        # of what is wanted in vain nothing counts
        await report(api, cluster, 1, {"gpu": 2})
        await set_status(
            api.kube,
            cluster,
            phase="Running",
            schedulerPod="pod",
            schedulerAddress="127.0.0.1",
            grantedGroups={"gpu": 1},
        )
        await api.repository.refresh(cluster)
        assert (
            (await scale(api, cluster, 9, None))
            .json()["msg"]
            .startswith("Scale request of 9 workers would exceed resource limit of 5 workers.")
        )


async def running_admitted(api: Api) -> ClusterName:
    """A cluster for which the controller has found room."""
    async with admitting(api):
        cluster = await api.create(api.user("alice"))
    await api.run(cluster)
    await api.repository.refresh(cluster)
    await report(api, cluster, 0, {})
    return cluster
