"""Scaling: what users ask for, what schedulers are told, what they report."""

from typing import Any

import pytest

from gateway_common.names import SCHEDULER_STARTED_ANNOTATION, ClusterName
from tests.kit.api import CLUSTER_TOKEN, Api
from tests.kit.clusters import make_credentials, set_status

REPORT = {
    "scheduler_address": "tls://127.0.0.1:8786",
    "dashboard_address": "http://127.0.0.1:8787",
    "api_address": "http://127.0.0.1:8788",
    "count": 2,
    "active_workers": [],
    "closing_workers": [],
    "closed_workers": [],
}


async def heartbeat(api: Api, cluster: ClusterName, token: str = CLUSTER_TOKEN, **changes: Any) -> int:
    client = api.client(authorization=f"token {token}")
    answer = await client.post(f"/api/v1/clusters/{cluster}/heartbeat", json={**REPORT, **changes})
    assert answer.content == b"" or answer.status_code != 200
    return answer.status_code


async def test_scale_is_passed_on_to_the_scheduler_with_the_clusters_token(api: Api) -> None:
    alice = api.user("alice")
    cluster = await api.running_cluster(alice)

    answer = await alice.post(f"/api/v1/clusters/{cluster}/scale", json={"count": 2})

    assert (answer.status_code, answer.json()) == (200, {"ok": True, "msg": None})
    assert api.scheduler.messages == [{"op": "scale", "count": 2}]
    assert api.scheduler.authorizations == [f"token {CLUSTER_TOKEN}"]


async def test_more_workers_than_the_clusters_limit_are_capped_and_the_user_is_told(api: Api) -> None:
    alice = api.user("alice")
    cluster = await api.running_cluster(alice)

    answer = await alice.post(f"/api/v1/clusters/{cluster}/scale", json={"count": 10})

    assert answer.json() == {
        "ok": False,
        "msg": "Scale request of 10 workers would exceed resource limit of 4 workers. Scaling to 4 instead.",
    }
    assert api.scheduler.messages == [{"op": "scale", "count": 4}]


@pytest.mark.parametrize(
    ("body", "sent", "msg"),
    [
        ({}, {"minimum": 0, "maximum": 4, "active": True}, None),
        ({"active": False}, {"minimum": 0, "maximum": 4, "active": False}, None),
        ({"minimum": 1, "maximum": 3}, {"minimum": 1, "maximum": 3, "active": True}, None),
        (
            {"minimum": 6, "maximum": 9},
            {"minimum": 4, "maximum": 4, "active": True},
            "Adapt with `maximum=9, minimum=6` workers would exceed resource limit of 4 workers. "
            "Using `maximum=4, minimum=4` instead.",
        ),
    ],
)
async def test_adapt_is_passed_on_within_the_clusters_limit(
    api: Api, body: dict[str, Any], sent: dict[str, Any], msg: str | None
) -> None:
    alice = api.user("alice")
    cluster = await api.running_cluster(alice)

    answer = await alice.post(f"/api/v1/clusters/{cluster}/adapt", json=body)

    assert (answer.status_code, answer.json()) == (200, {"ok": msg is None, "msg": msg})
    assert api.scheduler.messages == [{"op": "adapt", **sent}]


@pytest.mark.parametrize(
    ("route", "body", "error"),
    [
        ("scale", {"count": -1}, "Scale expects a non-negative integer, got -1"),
        ("scale", {}, "count: field required"),
        ("scale", {"count": "two"}, "count: input should be a valid integer, got 'two'"),
        ("scale", {"count": 1.5}, "count: input should be a valid integer, got 1.5"),
        ("scale", {"count": True}, "count: input should be a valid integer, got True"),
        ("scale", {"count": None}, "count: input should be a valid integer, got None"),
        ("scale", {"count": 10**9}, "count: input should be less than or equal to 1000000, got 1000000000"),
        ("adapt", {"minimum": "a"}, "minimum: input should be a valid integer, got 'a'"),
        ("adapt", {"maximum": -1}, "maximum: input should be greater than or equal to 0, got -1"),
        ("adapt", {"active": "yes"}, "active: input should be a valid boolean, got 'yes'"),
        ("adapt", {"minimum": 3, "maximum": 2}, "minimum (3) must not exceed maximum (2)"),
    ],
)
async def test_a_wrong_wish_is_refused_with_the_fields_name(
    api: Api, route: str, body: dict[str, Any], error: str
) -> None:
    alice = api.user("alice")
    cluster = await api.running_cluster(alice)

    answer = await alice.post(f"/api/v1/clusters/{cluster}/{route}", json=body)

    assert (answer.status_code, answer.json()) == (422, {"error": error})
    assert api.scheduler.messages == []


@pytest.mark.parametrize("route", ["scale", "adapt"])
async def test_a_cluster_that_does_not_run_yet_can_not_be_scaled(api: Api, route: str) -> None:
    alice = api.user("alice")
    cluster = await api.create(alice)

    answer = await alice.post(f"/api/v1/clusters/{cluster}/{route}", json={"count": 1})

    assert (answer.status_code, answer.json()) == (409, {"error": f"cluster {cluster} is not running"})


async def test_a_cluster_that_runs_by_the_word_of_kubernetes_alone_can_be_scaled(api: Api) -> None:
    """Another replica may have told the user that it runs before this one has heard of it."""
    alice = api.user("alice")
    cluster = await api.create(alice)
    await api.run(cluster)

    assert (await alice.post(f"/api/v1/clusters/{cluster}/scale", json={"count": 1})).status_code == 200


@pytest.mark.parametrize("failures", [[0], [500, 503], [0, 500]])
async def test_a_scheduler_that_stumbles_is_asked_again(api: Api, failures: list[int]) -> None:
    alice = api.user("alice")
    cluster = await api.running_cluster(alice)
    api.scheduler.failures = list(failures)

    assert (await alice.post(f"/api/v1/clusters/{cluster}/scale", json={"count": 1})).status_code == 200
    assert api.scheduler.messages == [{"op": "scale", "count": 1}]


@pytest.mark.parametrize("failures", [[0] * 9, [500] * 9, [403]])
async def test_a_scheduler_that_does_not_take_the_message_never_costs_the_cluster(
    api: Api, failures: list[int]
) -> None:
    alice = api.user("alice")
    cluster = await api.running_cluster(alice)
    before = await api.stored(cluster)
    api.scheduler.failures = list(failures)

    answer = await alice.post(f"/api/v1/clusters/{cluster}/scale", json={"count": 1})

    assert answer.status_code == 409
    assert answer.json() == {
        "error": f"The scheduler of cluster {cluster} did not answer. The cluster still runs: try again in a moment."
    }
    assert await api.stored(cluster) == before
    assert (await alice.get(f"/api/v1/clusters/{cluster}")).json()["status"] == "RUNNING"


async def test_a_cluster_whose_secret_was_deleted_is_not_asked_for_again_and_again(api: Api) -> None:
    alice = api.user("alice")
    cluster = await api.create(alice)
    await set_status(api.kube, cluster, phase="Running", schedulerAddress="127.0.0.1")
    await api.repository.refresh(cluster)

    answer = await alice.post(f"/api/v1/clusters/{cluster}/scale", json={"count": 1})

    assert answer.status_code == 409
    assert answer.json()["error"].startswith(f"The credentials of cluster {cluster} are gone")


async def test_a_scheduler_that_is_gone_because_its_cluster_has_ended_is_said_so(api: Api) -> None:
    alice = api.user("alice")
    cluster = await api.running_cluster(alice)
    api.scheduler.failures = [0] * 9
    await set_status(api.kube, cluster, phase="Failed", completionTime="2026-11-23T10:00:00Z")

    answer = await alice.post(f"/api/v1/clusters/{cluster}/scale", json={"count": 1})

    assert (answer.status_code, answer.json()) == (409, {"error": f"cluster {cluster} is not running"})


async def test_the_first_report_says_that_the_scheduler_has_started(api: Api) -> None:
    cluster = await api.create(api.user("alice"))
    await make_credentials(api.kube, cluster, CLUSTER_TOKEN)

    assert await heartbeat(api, cluster, count=0) == 200

    stored = await api.stored(cluster)
    assert stored["metadata"]["annotations"][SCHEDULER_STARTED_ANNOTATION].endswith("Z")
    assert stored["spec"]["replicas"] == 0


async def test_a_number_of_workers_is_stored_when_it_changes_and_within_the_limit(api: Api) -> None:
    cluster = await api.running_cluster(api.user("alice"))

    stored = []
    for count in (2, 2, 9, 9, 0):
        assert await heartbeat(api, cluster, count=count) == 200
        manifest = await api.stored(cluster)
        stored.append((manifest["spec"]["replicas"], manifest["metadata"]["resourceVersion"]))

    assert [replicas for replicas, _ in stored] == [2, 2, 4, 4, 0]
    versions = [version for _, version in stored]
    assert versions[0] == versions[1]
    assert versions[2] == versions[3]
    assert len(set(versions)) == 3


async def test_a_number_that_another_replica_has_overwritten_is_stored_again(api: Api) -> None:
    cluster = await api.running_cluster(api.user("alice"))
    await heartbeat(api, cluster, count=0)
    record = api.repository.cached(cluster)
    assert record is not None
    # what another replica stored has not reached this one: it still believes in 0
    await api.repository.report(record, replicas=2, now=0)

    await api.repository.report(record, replicas=0, now=0)

    assert (await api.stored(cluster))["spec"]["replicas"] == 0


@pytest.mark.parametrize("token", ["", "wrong", "cluster-tokem", "tök"])
async def test_only_the_clusters_own_token_may_report(api: Api, token: str) -> None:
    cluster = await api.running_cluster(api.user("alice"))
    client = api.client()

    answer = await client.post(
        f"/api/v1/clusters/{cluster}/heartbeat",
        json=REPORT,
        headers=[(b"authorization", f"token {token}".encode())],
    )

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "token"
    assert (await api.stored(cluster))["spec"]["replicas"] == 0


async def test_the_token_of_one_cluster_is_nothing_to_another(api: Api) -> None:
    alice = api.user("alice")
    one, other = await api.create(alice), await api.create(alice)
    await make_credentials(api.kube, one, "token-of-one")
    await make_credentials(api.kube, other, "token-of-other")

    assert await heartbeat(api, one, token="token-of-other") == 401
    assert await heartbeat(api, other, token="token-of-other") == 200
    client = api.client(authorization="token token-of-other")
    assert (await client.delete(f"/api/v1/clusters/{one}")).status_code == 401
    assert "active" not in (await api.stored(one))["spec"]


async def test_a_report_about_an_unknown_cluster_is_not_authenticated(api: Api) -> None:
    name = ClusterName(api.namespace, "0123456789abcdef0123456789abcdef")

    assert await heartbeat(api, name) == 401


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({}, "count: field required"),
        ({"count": -1}, "count: input should be greater than or equal to 0, got -1"),
        ({"count": "1"}, "count: input should be a valid integer, got '1'"),
    ],
)
async def test_a_report_without_a_number_is_refused(api: Api, body: dict[str, Any], error: str) -> None:
    cluster = await api.running_cluster(api.user("alice"))
    client = api.client(authorization=f"token {CLUSTER_TOKEN}")

    answer = await client.post(f"/api/v1/clusters/{cluster}/heartbeat", json=body)

    assert (answer.status_code, answer.json()) == (422, {"error": error})


@pytest.mark.parametrize(
    ("said", "stored"),
    [
        ({}, "IdleTimeout"),
        ({"reason": "IdleTimeout"}, "IdleTimeout"),
        ({"reason": "NoClientTimeout"}, "NoClientTimeout"),
        ({"reason": "Deleted"}, "IdleTimeout"),
        ({"reason": "\N{SNOWMAN}" * 1000}, "IdleTimeout"),
    ],
)
async def test_a_scheduler_says_why_it_stops_its_cluster(api: Api, said: dict[str, str], stored: str) -> None:
    cluster = await api.running_cluster(api.user("alice"))
    client = api.client(authorization=f"token {CLUSTER_TOKEN}")

    assert (await client.delete(f"/api/v1/clusters/{cluster}", params=said)).status_code == 204
    assert (await api.stored(cluster))["spec"]["stopReason"] == stored


async def test_a_cluster_that_people_stop_was_deleted_whatever_they_say(api: Api) -> None:
    alice = api.user("alice")
    cluster = await api.running_cluster(alice)

    assert (await alice.delete(f"/api/v1/clusters/{cluster}?reason=IdleTimeout")).status_code == 204
    assert (await api.stored(cluster))["spec"]["stopReason"] == "Deleted"
    # its scheduler can't change that any more
    client = api.client(authorization=f"token {CLUSTER_TOKEN}")
    assert (await client.delete(f"/api/v1/clusters/{cluster}")).status_code == 204
    assert (await api.stored(cluster))["spec"]["stopReason"] == "Deleted"


async def test_a_cluster_may_stop_itself_with_its_token(api: Api) -> None:
    cluster = await api.running_cluster(api.user("alice"))
    client = api.client(authorization=f"token {CLUSTER_TOKEN}")

    assert (await client.delete(f"/api/v1/clusters/{cluster}")).status_code == 204
    assert (await api.stored(cluster))["spec"]["active"] is False
    # its last report finds a cluster that is on its way out
    assert await heartbeat(api, cluster, count=3) == 200
    assert (await api.stored(cluster))["spec"]["replicas"] == 0


async def test_a_clusters_token_is_no_user(api: Api) -> None:
    cluster = await api.running_cluster(api.user("alice"))
    client = api.client(authorization=f"token {CLUSTER_TOKEN}")

    answers = [
        await client.get(f"/api/v1/clusters/{cluster}"),
        await client.get("/api/v1/clusters/"),
        await client.get("/api/v1/options"),
        await client.post(f"/api/v1/clusters/{cluster}/scale", json={"count": 1}),
    ]

    assert [answer.status_code for answer in answers] == [401] * 4
