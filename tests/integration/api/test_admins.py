"""Administrators, and the version of the API that says whose a cluster is and why it is so."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway_common.configuration.groups import KubeSettings
from tests.kit.api import Api, running_api
from tests.kit.clusters import CERTIFICATE, set_status
from tests.kit.waiting import until

KEYS = {"name", "dashboard_route", "status", "start_time", "stop_time", "options", "tls_cert", "tls_key"}


@pytest.fixture
async def api(kube: KubeSettings, namespace: str) -> AsyncIterator[Api]:
    async with running_api(kube, namespace, admin={"users": ["root"]}) as running:
        yield running


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_an_administrator_lists_clusters_of_one_user_or_of_all(api: Api, version: str) -> None:
    hers, his = await api.running_cluster(api.user("alice")), await api.create(api.user("bob"))
    root = api.user("root")
    own = await api.create(root)

    async def listed(query: str) -> Any:
        answer = await root.get(f"/api/{version}/clusters/{query}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    assert (await listed("")).keys() == (await listed("?user=root")).keys() == {str(own)}
    assert (await listed("?user=alice"))[str(hers)]["tls_cert"] == CERTIFICATE
    assert {str(own), str(hers), str(his)} <= (await listed("?user=*")).keys()
    assert (await listed("?user=*&status=running")).keys() == {str(hers)}
    assert await listed("?user=nobody-at-all") == {}


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize(("user", "whose"), [("bob", "user bob"), ("*", "all users")])
async def test_others_list_their_own_clusters_only(api: Api, version: str, user: str, whose: str) -> None:
    alice = api.user("alice")
    cluster = await api.create(alice)

    answer = await alice.get(f"/api/{version}/clusters/", params={"user": user})

    assert answer.status_code == 403
    assert answer.json() == {"error": f"User alice lacks permissions to list the clusters of {whose}"}
    own = await alice.get(f"/api/{version}/clusters/?user=alice")
    assert own.json().keys() == {str(cluster)}


async def test_an_administrator_reads_scales_and_stops_anybodys_cluster(api: Api) -> None:
    cluster = await api.running_cluster(api.user("alice"))
    root, url = api.user("root"), f"/api/v1/clusters/{cluster}"

    assert (await root.get(url)).json()["tls_cert"] == CERTIFICATE
    assert (await root.get(f"{url}?wait")).json()["status"] == "RUNNING"
    assert (await root.post(f"{url}/scale", json={"count": 2})).json() == {"ok": True, "msg": None}
    assert (await root.post(f"{url}/adapt", json={"maximum": 3})).json() == {"ok": True, "msg": None}
    assert [message["op"] for message in api.scheduler.messages] == ["scale", "adapt"]
    assert (await root.delete(url)).status_code == 204
    assert (await api.stored(cluster))["spec"]["active"] is False


async def test_the_first_version_never_says_more_than_released_clients_take(api: Api) -> None:
    alice = api.user("alice")
    cluster = await api.create(alice)
    await set_status(api.kube, cluster, phase="Pending", reason="QuotaExceeded", message="2 of 2 clusters are yours")
    await api.repository.refresh(cluster)

    first = (await alice.get(f"/api/v1/clusters/{cluster}")).json()
    second = (await alice.get(f"/api/v2/clusters/{cluster}")).json()

    assert first.keys() == KEYS
    assert second == {
        **first,
        "user": "alice",
        "reason": "QuotaExceeded",
        "message": "2 of 2 clusters are yours",
        "workers": 0,
        "conditions": [],
        "workers_by_state": None,
        "scheduler_failure": None,
    }
    listed = (await alice.get("/api/v2/clusters/")).json()
    assert listed == {str(cluster): second}


async def test_a_wait_in_the_second_version_ends_when_the_cluster_runs(api: Api) -> None:
    alice = api.user("alice")
    cluster = await api.create(alice)
    waiting = asyncio.create_task(alice.get(f"/api/v2/clusters/{cluster}?wait"))
    await until(lambda: len(api.repository.waiters) == 1)

    await api.run(cluster)

    report = (await waiting).json()
    assert (report["status"], report["tls_cert"], report["user"]) == ("RUNNING", CERTIFICATE, "alice")


async def test_another_users_cluster_can_not_be_seen_in_the_second_version_either(api: Api) -> None:
    cluster = await api.create(api.user("alice"))

    answer = await api.user("bob").get(f"/api/v2/clusters/{cluster}")

    assert answer.status_code == 403
    assert answer.json() == {"error": f"User bob lacks permissions to view cluster {cluster}"}


MORE = {"user", "reason", "message", "workers", "conditions", "workers_by_state", "scheduler_failure"}


async def test_the_document_tells_both_versions_apart(api: Api) -> None:
    document = (await api.client().get("/openapi.json")).json()

    schemas = document["components"]["schemas"]
    assert schemas["ClusterModel2"]["properties"].keys() == KEYS | MORE
    operation = document["paths"]["/api/v2/clusters/{cluster}"]["get"]
    assert operation["security"]
    assert {parameter["name"] for parameter in document["paths"]["/api/v1/clusters/"]["get"]["parameters"]} == {
        "status",
        "user",
    }
