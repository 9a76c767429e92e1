"""Limits as users meet them: two replicas of the api, and the controller's word, which a test says here itself."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from gateway_api.clusters.schemas import CreateRequest
from gateway_api.clusters.service import ClusterService
from gateway_api.errors import LimitReached
from gateway_common.configuration.groups import KubeSettings
from gateway_common.names import ClusterName, parse_cluster_name
from gateway_common.principal import Principal
from gateway_common.resources import DASKCLUSTERS
from tests.kit.api import CLUSTER_TOKEN, INSTANCE, Api, running_api, two_replicas
from tests.kit.clusters import as_new, dask_cluster, set_status
from tests.kit.waiting import until

CLUSTERS = "/api/v1/clusters/"


def limits(**user: Any) -> dict[str, Any]:
    return {"limits": {"user": user}}


async def admit(api: Api, cluster: ClusterName, **status: Any) -> None:
    """What the controller writes when it has let a cluster in."""
    await set_status(
        api.kube, cluster, **{"phase": "Pending", "schedulerPod": f"dask-scheduler-{cluster.name}", **status}
    )


@asynccontextmanager
async def admitting(api: Api, **status: Any) -> AsyncIterator[None]:
    """A controller that gives every cluster of somebody this status, or lets it in."""

    async def decide() -> None:
        decided: set[str] = set()
        while True:
            for manifest in (await api.kube.list(DASKCLUSTERS, namespace=api.namespace)).items:
                name = manifest["metadata"]["name"]
                if name not in decided:
                    decided.add(name)
                    cluster = ClusterName(api.namespace, name)
                    await (set_status(api.kube, cluster, **status) if status else admit(api, cluster))
            await asyncio.sleep(0.01)

    deciding = asyncio.create_task(decide())
    try:
        yield
    finally:
        deciding.cancel()
        await asyncio.wait((deciding,))


async def ask(user: httpx.AsyncClient) -> httpx.Response:
    return await user.post(CLUSTERS, json={})


async def made(user: httpx.AsyncClient) -> ClusterName:
    answer = await ask(user)
    assert answer.status_code == 201, answer.text
    return parse_cluster_name(answer.json()["name"])


async def test_a_cluster_too_many_is_refused_with_what_is_used_and_allowed(kube: KubeSettings, namespace: str) -> None:
    async with running_api(kube, namespace, **limits(clusters=2)) as api, admitting(api):
        alice = api.user("alice")
        first, second = await made(alice), await made(alice)

        answer = await ask(alice)

        assert answer.status_code == 409
        assert answer.json() == {
            "error": f"2 of 2 clusters are yours already: {first}, {second}. "
            "Stop one, or ask the operator of this gateway for more."
        }
        assert (await alice.get(CLUSTERS)).json().keys() == {str(first), str(second)}
        assert (await ask(api.user("bob"))).status_code == 201


@pytest.mark.parametrize(
    ("amounts", "text"),
    [
        (
            {"cores": 3},
            "Your clusters use 2 of 3 CPUs, a new cluster needs at least 2 more. "
            "Stop one, or ask the operator of this gateway for more.",
        ),
        (
            {"memory": "5 G"},
            "Your clusters use 4.00 GiB of 5.00 GiB of memory, a new cluster needs at least 4.00 GiB more. "
            "Stop one, or ask the operator of this gateway for more.",
        ),
        (
            {"cores": 1},
            "Your clusters may use 1 CPU together, a new cluster needs at least 2. "
            "Ask for less, or the operator of this gateway for more.",
        ),
    ],
)
async def test_cores_and_memory_that_are_requested_are_limited(
    kube: KubeSettings, namespace: str, amounts: dict[str, Any], text: str
) -> None:
    backend = {"scheduler_cores": 2, "scheduler_memory": "4 G"}
    async with running_api(kube, namespace, backend=backend, **limits(**amounts)) as api, admitting(api):
        alice = api.user("alice")
        answers = [await ask(alice), await ask(alice)]

    refused = answers[-1]
    assert (refused.status_code, refused.json()) == (409, {"error": text})


async def test_all_users_together_have_a_limit(kube: KubeSettings, namespace: str) -> None:
    settings = {"limits": {"total": {"clusters": 2}}}
    async with running_api(kube, namespace, **settings) as api, admitting(api):
        # the kit has made one of nobody's
        assert (await ask(api.user("alice"))).status_code == 201

        answer = await ask(api.user("bob"))

    assert (answer.status_code, answer.json()) == (
        409,
        {
            "error": "All users together have 2 of 2 clusters already. "
            "Try again later, or ask the operator of this gateway for more."
        },
    )


async def test_of_requests_at_the_same_time_one_replica_lets_no_more_through_than_fit(
    kube: KubeSettings, namespace: str
) -> None:
    async with running_api(kube, namespace, **limits(clusters=3)) as api, admitting(api):
        alice = api.user("alice")
        await alice.get(CLUSTERS)

        answers = await asyncio.gather(*(ask(alice) for _ in range(40)))

        assert Counter(answer.status_code for answer in answers) == {201: 3, 409: 37}
        assert len((await alice.get(CLUSTERS)).json()) == 3


async def test_what_could_not_be_made_takes_no_place(kube: KubeSettings, namespace: str) -> None:
    settings = {"cluster_options": "tests.kit.api_options:options", **limits(clusters=1)}
    async with running_api(kube, namespace, **settings) as api, admitting(api):
        alice = api.user("alice")
        for _ in range(3):
            refused = await alice.post(CLUSTERS, json={"cluster_options": {"worker_cores": 3}})
            assert refused.status_code == 422

        assert (await ask(alice)).status_code == 201


async def test_a_cluster_that_another_replica_has_just_stopped_does_not_count(
    kube: KubeSettings, namespace: str
) -> None:
    async with two_replicas(kube, namespace, **limits(clusters=1)) as (one, other), admitting(one):
        here, there = one.user("alice"), other.user("alice")
        cluster = await made(here)
        for _ in range(10):
            assert (await there.delete(f"{CLUSTERS}{cluster}")).status_code == 204
            cluster = await made(here)


async def test_an_answer_to_an_earlier_request_is_not_given_to_a_later_one(kube: KubeSettings, namespace: str) -> None:
    async with two_replicas(kube, namespace, **limits(clusters=1)) as (one, other), admitting(one):
        here, there = one.user("alice"), other.user("alice")
        cluster = await made(here)
        for _ in range(10):
            early = asyncio.create_task(ask(here))
            assert (await there.delete(f"{CLUSTERS}{cluster}")).status_code == 204
            answers = [await ask(here), await early]

            (successful,) = [answer for answer in answers if answer.status_code == 201]
            cluster = parse_cluster_name(successful.json()["name"])


async def test_a_cluster_that_was_deleted_by_hand_does_not_count(kube: KubeSettings, namespace: str) -> None:
    async with running_api(kube, namespace, **limits(clusters=1)) as api, admitting(api):
        alice = api.user("alice")
        for _ in range(5):
            cluster = await made(alice)
            await api.kube.delete(DASKCLUSTERS, cluster.name, namespace=cluster.namespace)


async def test_who_is_refused_by_the_controller_gets_its_words_and_no_name(kube: KubeSettings, namespace: str) -> None:
    verdict = {"phase": "Failed", "reason": "QuotaExceeded", "message": "1 of 1 clusters are yours already: x"}
    async with running_api(kube, namespace, **limits(clusters=1)) as api, admitting(api, **verdict):
        answer = await ask(api.user("alice"))

    assert (answer.status_code, answer.json()) == (409, {"error": "1 of 1 clusters are yours already: x"})


async def test_an_answer_waits_for_the_controllers_word(kube: KubeSettings, namespace: str) -> None:
    async with running_api(kube, namespace, **limits(clusters=5)) as api:
        answer = asyncio.create_task(ask(api.user("alice")))
        await until(lambda: len(api.repository.of_user("alice")) == 1)
        (record,) = api.repository.of_user("alice")
        await until(lambda: len(api.repository.waiters) == 1)
        assert not answer.done()

        await admit(api, record.name)

        assert (await answer).status_code == 201


async def test_without_limits_for_the_user_nobody_waits_for_the_controller(kube: KubeSettings, namespace: str) -> None:
    settings = {"groups": {"students": {"limits": {"user": {"clusters": 1}}}}, **limits(lifetime=60)}
    async with running_api(kube, namespace, **settings) as api:
        # each wait would take five seconds
        async with asyncio.timeout(60):
            assert [(await ask(api.user("alice"))).status_code for _ in range(20)] == [201] * 20


@pytest.mark.parametrize(("own", "stored"), [(0, 60), (30, 30), (90, 60)])
async def test_a_lifetime_is_capped_by_the_limit(kube: KubeSettings, namespace: str, own: float, stored: float) -> None:
    async with running_api(kube, namespace, backend={"max_lifetime": own}, **limits(lifetime=60)) as api:
        cluster = await api.create(api.user("alice"))

        assert (await api.stored(cluster))["spec"]["config"]["max_lifetime"] == stored


async def test_where_clusters_may_wait_they_are_taken_until_the_queue_is_full(
    kube: KubeSettings, namespace: str
) -> None:
    settings = {"limits": {"user": {"clusters": 1}, "on_exceeded": "queue", "max_queued": 2}}
    async with running_api(kube, namespace, **settings) as api:
        alice = api.user("alice")
        async with admitting(api):
            first = await made(alice)
        waits = {"phase": "Pending", "reason": "QuotaExceeded", "message": "1 of 1 clusters are yours already"}
        async with admitting_only_new(api, waits):
            second, third = await made(alice), await made(alice)
            refused = await ask(alice)

        assert refused.status_code == 409
        assert refused.json() == {
            "error": "2 of 2 clusters of yours are waiting for room already. Stop one, or try again later."
        }
        described = (await alice.get(f"/api/v2/clusters/{second}")).json()
        assert (described["status"], described["reason"]) == ("PENDING", "QuotaExceeded")
        assert (await alice.get(CLUSTERS)).json().keys() == {str(first), str(second), str(third)}

        # room for one more in the queue
        await admit(api, second, reason="SchedulerStarting")
        await until(lambda: (record := api.repository.cached(second)) is not None and record.admitted)
        async with admitting_only_new(api, waits):
            await made(alice)


async def test_what_can_never_fit_does_not_wait(kube: KubeSettings, namespace: str) -> None:
    settings = {"limits": {"user": {"cores": 1}, "on_exceeded": "queue"}, "backend": {"scheduler_cores": 2}}
    async with running_api(kube, namespace, **settings) as api:
        answer = await ask(api.user("alice"))

    assert answer.status_code == 409
    assert answer.json()["error"].startswith("Your clusters may use 1 CPU together")


async def test_scaling_is_held_to_what_is_left_and_says_by_which_limit(kube: KubeSettings, namespace: str) -> None:
    settings = {"cluster_options": "tests.kit.api_options:options", **limits(workers=5)}
    async with running_api(kube, namespace, **settings) as api, admitting(api):
        alice = api.user("alice")
        one, other = await api.running_cluster(alice), await api.running_cluster(alice)
        record = await api.repository.refresh(one)
        assert record is not None
        await api.repository.report(record, replicas=3, now=0)

        over_quota = await alice.post(f"{CLUSTERS}{other}/scale", json={"count": 4})
        over_own = await alice.post(f"{CLUSTERS}{one}/scale", json={"count": 9})
        within = await alice.post(f"{CLUSTERS}{other}/scale", json={"count": 2})

    assert over_quota.json() == {
        "ok": False,
        "msg": "Scale request of 4 workers would exceed resource limit of 2 workers. Scaling to 2 instead. "
        "3 of 5 workers are yours already.",
    }
    assert over_own.json() == {
        "ok": False,
        "msg": "Scale request of 9 workers would exceed resource limit of 4 workers. Scaling to 4 instead.",
    }
    assert within.json() == {"ok": True, "msg": None}
    assert [message["count"] for message in api.scheduler.messages] == [2, 4, 2]


async def test_adaptive_bounds_are_held_to_what_is_left_unless_they_are_open(
    kube: KubeSettings, namespace: str
) -> None:
    async with running_api(kube, namespace, **limits(workers=5)) as api, admitting(api):
        alice = api.user("alice")
        cluster = await api.running_cluster(alice)
        url = f"{CLUSTERS}{cluster}/adapt"

        capped = await alice.post(url, json={"minimum": 1, "maximum": 9})
        open_ended = await alice.post(url, json={"minimum": 1})

    assert capped.json() == {
        "ok": False,
        "msg": "Adapt with `maximum=9, minimum=1` workers would exceed resource limit of 5 workers. "
        "Using `maximum=5, minimum=1` instead. 0 of 5 workers are yours already.",
    }
    assert open_ended.json() == {"ok": True, "msg": None}
    assert [(m["minimum"], m["maximum"]) for m in api.scheduler.messages] == [(1, 5), (1, None)]


async def test_what_a_scheduler_wants_is_stored_whatever_there_is_room_for(kube: KubeSettings, namespace: str) -> None:
    async with running_api(kube, namespace, **limits(workers=5)) as api, admitting(api):
        cluster = await api.running_cluster(api.user("alice"))
        scheduler = api.client(authorization=f"token {CLUSTER_TOKEN}")

        answer = await scheduler.post(f"{CLUSTERS}{cluster}/heartbeat", json={"count": 8})

        assert answer.status_code == 200
        # the controller grants what fits, and more when there is room for more
        assert (await api.stored(cluster))["spec"]["replicas"] == 8


async def test_what_a_scheduler_wants_in_vain_counts_for_nobody(kube: KubeSettings, namespace: str) -> None:
    settings = {"limits": {"user": {"workers": 5}, "total": {"cores": 9}}}
    async with running_api(kube, namespace, **settings) as api, admitting(api):
        alice = api.user("alice")
        cluster = await api.running_cluster(alice)
        scheduler = api.client(authorization=f"token {CLUSTER_TOKEN}")
        await scheduler.post(f"{CLUSTERS}{cluster}/heartbeat", json={"count": 1_000_000})
        at_once = await ask(api.user("bob"))
        status = {"phase": "Running", "schedulerPod": "scheduler", "reason": "QuotaExceeded", "grantedWorkers": 3}
        await set_status(api.kube, cluster, **status)
        await api.repository.refresh(cluster)

        beyond = await alice.post(f"{CLUSTERS}{cluster}/scale", json={"count": 500})

    # 1 CPU of the scheduler, and of the million workers the five that alice might have at the most
    assert at_once.status_code == 201, at_once.text
    # 3 that there is room for, and 2 beyond
    assert beyond.json()["msg"].startswith("Scale request of 500 workers would exceed resource limit of 5 workers.")


async def test_an_administrator_who_scales_is_held_to_the_owners_limits(kube: KubeSettings, namespace: str) -> None:
    async with running_api(kube, namespace, admin={"users": ["root"]}, **limits(workers=5)) as api, admitting(api):
        cluster = await api.running_cluster(api.user("alice"))

        answer = await api.user("root").post(f"{CLUSTERS}{cluster}/scale", json={"count": 6})

        assert answer.json()["msg"] == (
            "Scale request of 6 workers would exceed resource limit of 5 workers. Scaling to 5 instead. "
            "User alice has 0 of 5 workers already."
        )


async def test_a_group_has_a_limit_of_its_own(kube: KubeSettings, namespace: str) -> None:
    settings = {"groups": {"students": {"limits": {"group": {"clusters": 1}}}}}
    async with running_api(kube, namespace, **settings) as api, admitting(api):
        of_group = as_new(
            dask_cluster(namespace=namespace, instance=INSTANCE, user="bob", spec={"groups": ["students"]})
        )
        made_by_bob = await api.kube.create(DASKCLUSTERS, of_group)
        bobs = ClusterName(namespace, made_by_bob["metadata"]["name"])
        await until(lambda: api.repository.cached(bobs) is not None)
        service: ClusterService = api.app.state.clusters
        student = Principal("alice", ("students", "others"))

        with pytest.raises(
            LimitReached, match=r"^Group students has 1 of 1 clusters already\. Try again later, or ask"
        ):
            await service.create(student, CreateRequest())

        alone = await service.create(Principal("carol"), CreateRequest())
        assert "groups" not in (await api.stored(alone))["spec"]
        await service.stop(Principal("bob"), str(bobs))
        again = await service.create(student, CreateRequest())
        assert (await api.stored(again))["spec"]["groups"] == ["students"]


@asynccontextmanager
async def admitting_only_new(api: Api, status: dict[str, Any]) -> AsyncIterator[None]:
    """A controller that gives this status to clusters about which nothing has been said."""

    async def decide() -> None:
        while True:
            for record in api.repository.of_user("alice"):
                if not record.admitted and record.reason is None:
                    await set_status(api.kube, record.name, **status)
            await asyncio.sleep(0.01)

    deciding = asyncio.create_task(decide())
    try:
        yield
    finally:
        deciding.cancel()
        await asyncio.wait((deciding,))
