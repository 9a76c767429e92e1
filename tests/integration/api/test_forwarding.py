"""What somebody writes into a DaskCluster, as `kubectl scale` does, and what schedulers hear of it."""

import pytest

from gateway_api.heartbeats import forwarding
from gateway_common.configuration.groups import KubeSettings
from gateway_common.names import SCHEDULER_REPLICAS_ANNOTATION, ClusterName
from gateway_common.resources import DASKCLUSTERS
from tests.integration.api.test_scaling import heartbeat
from tests.kit.api import CLUSTER_TOKEN, INSTANCE, Api, two_replicas
from tests.kit.clusters import as_new, dask_cluster
from tests.kit.waiting import until


async def write_replicas(api: Api, cluster: ClusterName, replicas: int) -> None:
    """What `kubectl scale` comes to."""
    await api.kube.patch(DASKCLUSTERS, cluster.name, {"spec": {"replicas": replicas}}, namespace=cluster.namespace)


async def numbers(api: Api, cluster: ClusterName) -> tuple[int, str | None]:
    """How many workers are wanted, and how many its scheduler has asked for."""
    stored = await api.stored(cluster)
    return stored["spec"]["replicas"], stored["metadata"].get("annotations", {}).get(SCHEDULER_REPLICAS_ANNOTATION)


async def seen(api: Api, cluster: ClusterName, replicas: int) -> None:
    """Wait until this replica of the api has seen so many wanted."""
    await until(lambda: replicas_of(api, cluster) == replicas)


def replicas_of(api: Api, cluster: ClusterName) -> int:
    record = api.repository.cached(cluster)
    assert record is not None
    return record.replicas


def told(api: Api) -> set[int]:
    """The numbers that the scheduler was told. One that answers late is told again, which does no harm."""
    assert {message["op"] for message in api.scheduler.messages} <= {"scale"}
    return {message["count"] for message in api.scheduler.messages}


def quiet(api: Api) -> bool:
    """Whether nobody is being told anything."""
    return not api.app.state.forwarder._tasks


async def test_a_number_that_somebody_wrote_is_passed_on_until_the_scheduler_reports_it(api: Api) -> None:
    cluster = await api.running_cluster(api.user("alice"))
    await heartbeat(api, cluster, count=2)

    await write_replicas(api, cluster, 3)
    await until(lambda: bool(api.scheduler.messages))
    assert told(api) == {3}
    assert api.scheduler.authorizations == [f"token {CLUSTER_TOKEN}"]
    await heartbeat(api, cluster, count=3)

    await until(lambda: quiet(api))
    assert await numbers(api, cluster) == (3, "3")
    assert told(api) == {3}


async def test_what_a_scheduler_takes_without_a_word_is_noted(api: Api) -> None:
    cluster = await api.running_cluster(api.user("alice"))
    await heartbeat(api, cluster, count=2)

    # as a scheduler that had this number all along
    await write_replicas(api, cluster, 1)

    await until(lambda: quiet(api) and bool(api.scheduler.messages))
    assert await numbers(api, cluster) == (1, "1")
    assert told(api) == {1}


async def test_more_than_the_clusters_limit_is_cut_down_for_all(api: Api) -> None:
    cluster = await api.running_cluster(api.user("alice"))

    await write_replicas(api, cluster, 9)

    await until(lambda: quiet(api) and bool(api.scheduler.messages))
    assert told(api) == {4}
    assert await numbers(api, cluster) == (4, "4")


async def test_a_scheduler_that_does_not_answer_is_told_later(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forwarding, "FIRST_PAUSE", 0.01)
    cluster = await api.running_cluster(api.user("alice"))
    api.scheduler.failures = [0] * 3 + [503] * 3 + [404]  # three tries of one message, three more, and one

    await write_replicas(api, cluster, 3)

    await until(lambda: bool(api.scheduler.messages))
    assert told(api) == {3}


async def test_a_scheduler_that_repeats_itself_does_not_undo_what_somebody_wrote(api: Api) -> None:
    cluster = await api.running_cluster(api.user("alice"))
    await heartbeat(api, cluster, count=2)
    api.scheduler.failures = [0] * 10_000

    await write_replicas(api, cluster, 3)
    await seen(api, cluster, 3)
    await heartbeat(api, cluster, count=2)

    assert await numbers(api, cluster) == (3, "2")


async def test_a_scheduler_that_asks_for_another_number_meanwhile_gets_it_and_hears_nothing_more(api: Api) -> None:
    cluster = await api.running_cluster(api.user("alice"))
    await heartbeat(api, cluster, count=2)
    api.scheduler.failures = [0] * 3  # so that it asks first

    await write_replicas(api, cluster, 3)
    await seen(api, cluster, 3)
    await heartbeat(api, cluster, count=1)

    await until(lambda: quiet(api))
    assert await numbers(api, cluster) == (1, "1")
    assert api.scheduler.messages == []


async def test_what_was_taken_over_is_not_noted_where_somebody_has_written_since(api: Api) -> None:
    cluster = await api.running_cluster(api.user("alice"))
    await heartbeat(api, cluster, count=2)
    api.scheduler.failures = [0] * 10_000
    await write_replicas(api, cluster, 3)
    await seen(api, cluster, 3)
    overtaken = api.repository.cached(cluster)
    assert overtaken is not None
    for change in (write_replicas(api, cluster, 4), heartbeat(api, cluster, count=1)):
        await change
        before = await numbers(api, cluster)

        await api.repository.settle(overtaken, replicas=3)

        assert await numbers(api, cluster) == before


async def test_a_number_that_is_written_before_the_scheduler_runs_waits_for_it(api: Api) -> None:
    cluster = await api.create(api.user("alice"))
    await write_replicas(api, cluster, 3)
    await seen(api, cluster, 3)
    assert quiet(api)

    await api.run(cluster)
    await heartbeat(api, cluster, count=0)

    await until(lambda: bool(api.scheduler.messages))
    assert told(api) == {3}
    assert (await numbers(api, cluster))[0] == 3


async def test_of_a_cluster_that_nobody_has_noted_anything_of_the_scheduler_knows_best(api: Api) -> None:
    # as dask-gateway 2026.3.0 left it
    manifest = as_new(dask_cluster(namespace=api.namespace, instance=INSTANCE, spec={"replicas": 5}))
    made = await api.kube.create(DASKCLUSTERS, manifest)
    cluster = ClusterName(api.namespace, made["metadata"]["name"])
    await api.run(cluster)
    await seen(api, cluster, 5)
    assert quiet(api)

    await heartbeat(api, cluster, count=2)

    assert await numbers(api, cluster) == (2, "2")
    assert api.scheduler.messages == []


async def test_a_cluster_that_ends_is_told_nothing_more(api: Api) -> None:
    alice = api.user("alice")
    cluster = await api.running_cluster(alice)
    api.scheduler.failures = [0] * 10_000
    await write_replicas(api, cluster, 3)
    await until(lambda: not quiet(api))

    assert (await alice.delete(f"/api/v1/clusters/{cluster}")).status_code == 204

    await until(lambda: quiet(api))
    assert api.scheduler.messages == []


@pytest.mark.parametrize("writes", [[1], [3, 1, 4]])
async def test_any_number_of_replicas_of_the_api_come_to_one_number(
    kube: KubeSettings, namespace: str, writes: list[int]
) -> None:
    async with two_replicas(kube, namespace, cluster_options="tests.kit.api_options:options") as (one, other):
        cluster = await one.running_cluster(one.user("alice"))
        await heartbeat(one, cluster, count=2)
        for number in writes:
            await write_replicas(one, cluster, number)
        for api in (one, other):
            await seen(api, cluster, writes[-1])
            await until(lambda api=api: quiet(api))
        assert writes[-1] in told(one) | told(other)
        assert await numbers(one, cluster) == (writes[-1], str(writes[-1]))
