"""What users do, as a script of its own: it runs with the client of whatever environment it is started in.

    python scenarios.py --address http://127.0.0.1:8000 --password secret main_job

It needs nothing but `dask_gateway` and `distributed`, so that the released client runs exactly what ours runs.
"""

import argparse
import asyncio
import base64
import gc
import os
import signal
import time
import urllib.request
import uuid
import warnings
from collections.abc import Callable
from functools import partial

from distributed import Client

from dask_gateway import BasicAuth, Gateway, GatewayCluster, GatewayClusterError

PATIENCE_SECONDS = 120


def main_job(address: str, password: str) -> None:
    """List, options, new cluster, scale, compute, lose a worker, adapt, dashboard, shutdown."""
    with Gateway(address, auth=BasicAuth("alice", password)) as gateway:
        assert gateway.list_clusters() == []
        options = gateway.cluster_options()
        options.worker_cores = 1
        options.environment = {"GREETING": "hello"}

        cluster = gateway.new_cluster(options)
        assert [report.name for report in gateway.list_clusters()] == [cluster.name]
        with cluster, cluster.get_client() as client:
            cluster.scale(2)
            client.wait_for_workers(2, timeout=PATIENCE_SECONDS)
            assert set(client.run(_greeting).values()) == {"hello"}
            _all_works(cluster, client, "alice", password)
        until(lambda: gateway.list_clusters() == [], "the cluster is gone from the list")


def any_job(address: str, password: str) -> None:
    """The same where nothing is known of options: with those that this client's configuration names."""
    user = f"somebody-{uuid.uuid4().hex[:8]}"
    with Gateway(address, auth=BasicAuth(user, password)) as gateway:
        with gateway.new_cluster() as cluster, cluster.get_client() as client:
            assert [report.name for report in gateway.list_clusters()] == [cluster.name]
            cluster.scale(2)
            client.wait_for_workers(2, timeout=PATIENCE_SECONDS)
            _all_works(cluster, client, user, password)
        until(lambda: gateway.list_clusters() == [], "the cluster is gone from the list")


def _all_works(cluster: GatewayCluster, client: Client, user: str, password: str) -> None:
    """On two workers."""
    assert client.submit(sum, range(100)).result(PATIENCE_SECONDS) == 4950
    _scale_down_keeps_data(cluster, client)
    _lost_worker_is_replaced(cluster, client)
    _adaptive_follows_the_load(cluster, client)
    _dashboard_is_there(cluster, user, password)


def _greeting() -> str | None:
    return os.environ.get("GREETING")


def _scale_down_keeps_data(cluster: GatewayCluster, client: Client) -> None:
    kept = client.scatter(list(range(20)), broadcast=False)
    cluster.scale(1)
    until(lambda: workers(client) == 1, "one worker is left")
    assert client.submit(sum, kept).result(PATIENCE_SECONDS) == 190


def _lost_worker_is_replaced(cluster: GatewayCluster, client: Client) -> None:
    cluster.scale(2)
    client.wait_for_workers(2, timeout=PATIENCE_SECONDS)
    # The worker's parent is its nanny, the first process of the pod: without it the container has failed.
    victim = sorted(client.scheduler_info()["workers"])[0]
    before = client.run(os.getpid)
    client.submit(_kill_parent, workers=[victim], pure=False, retries=0, allow_other_workers=False)

    def replaced() -> bool:
        now = client.run(os.getpid, on_error="ignore")
        return len(now) == 2 and set(now.values()) != set(before.values())

    until(replaced, "the lost worker is replaced")
    assert client.submit(sum, range(10), pure=False).result(PATIENCE_SECONDS) == 45


def _kill_parent() -> None:
    os.kill(os.getppid(), signal.SIGKILL)


def _adaptive_follows_the_load(cluster: GatewayCluster, client: Client) -> None:
    cluster.adapt(minimum=0, maximum=2)
    until(lambda: workers(client) == 0, "an idle adaptive cluster has no workers")
    futures = client.map(_busy, range(8), pure=False)
    assert sum(client.gather(futures)) == 28
    del futures
    until(lambda: workers(client) == 0, "and none again after the work")


def _busy(number: int) -> int:
    time.sleep(0.2)
    return number


def _dashboard_is_there(cluster: GatewayCluster, user: str, password: str) -> None:
    credentials = base64.b64encode(f"{user}:{password}".encode()).decode()
    asked = urllib.request.Request(cluster.dashboard_link, headers={"Authorization": f"Basic {credentials}"})  # noqa: S310
    with urllib.request.urlopen(asked, timeout=30) as page:  # noqa: S310  # the gateway's own link
        assert page.status == 200
        assert b"Dask" in page.read()


def two_users(address: str, password: str) -> None:
    """Users neither see nor touch each other's clusters."""
    with (
        Gateway(address, auth=BasicAuth("bob", password)) as bobs,
        Gateway(address, auth=BasicAuth("eve", password)) as eves,
    ):
        name = bobs.submit()
        try:
            assert [report.name for report in bobs.list_clusters()] == [name]
            assert eves.list_clusters() == []
            for touch in (eves.get_cluster, eves.stop_cluster, partial(eves.scale_cluster, n=1)):
                refusal = str(error_of(partial(touch, name)))
                assert "403" in refusal or "permission" in refusal, refusal
        finally:
            bobs.stop_cluster(name)


def wrong_password(address: str, password: str) -> None:
    """A wrong password is refused, and says so."""
    with Gateway(address, auth=BasicAuth("alice", password + "!")) as gateway:
        refusal = str(error_of(gateway.list_clusters))
        assert "401" in refusal or "uthenticat" in refusal, refusal


def wrong_input(address: str, password: str) -> None:
    """What the gateway refuses reaches the user in words."""
    with Gateway(address, auth=BasicAuth("alice", password)) as gateway:
        for option, value in (("worker_cores", 1000), ("no_such_option", 1)):
            error = error_of(partial(gateway.submit, **{option: value}))
            assert isinstance(error, ValueError), repr(error)
            assert option in str(error), str(error)
        error = error_of(partial(gateway.get_cluster, "dask-gateway.0123456789abcdef0123456789abcdef"))
        assert isinstance(error, ValueError), repr(error)
        assert "not found" in str(error), str(error)


def stopped_while_waiting(address: str, password: str) -> None:
    """Connecting to a cluster that was stopped is an error, not a wait for ever."""
    with Gateway(address, auth=BasicAuth("carol", password)) as gateway:
        name = gateway.submit()
        gateway.stop_cluster(name)
        error = error_of(partial(gateway.connect, name))
        assert isinstance(error, GatewayClusterError), repr(error)
        assert "stopped" in str(error), str(error)


def asynchronous(address: str, password: str) -> None:
    """The same from a coroutine."""

    async def work() -> None:
        async with Gateway(address, auth=BasicAuth("dave", password), asynchronous=True) as gateway:
            async with await gateway.new_cluster() as cluster:
                await cluster.scale(1)
                async with await cluster.get_client() as client:
                    assert await client.submit(sum, range(5)) == 10
            assert await gateway.list_clusters() == []

    asyncio.run(work())


def within_limits(address: str, password: str) -> None:
    """On a gateway with the operator's file of tests/data/gateway: its options, its limits, and how they are told."""
    with Gateway(address, auth=BasicAuth("alice", password)) as gateway:
        options = gateway.cluster_options()
        assert list(options) == ["worker_memory", "size", "environment"]
        options.size = "small"
        options.environment = {"MINE": "1"}
        with gateway.new_cluster(options) as cluster, cluster.get_client() as client:
            refused = error_of(gateway.new_cluster)
            assert isinstance(refused, GatewayClusterError), refused
            assert "1 of 1" in str(refused), refused

            with warnings.catch_warnings(record=True) as notices:
                warnings.simplefilter("always")
                cluster.scale(5)
            assert any("Scaling to 2 instead" in str(notice.message) for notice in notices), notices
            client.wait_for_workers(2, timeout=PATIENCE_SECONDS)
            names = ("SITE", "FROM_CODE", "MINE")
            found = client.submit(lambda: [os.environ.get(name) for name in names]).result(PATIENCE_SECONDS)
            assert found == ["example", "yes", "1"], found
            assert set(client.nthreads().values()) == {1}
        # a place that is being vacated is waited for
        with gateway.new_cluster() as again:
            assert again.status == "running"


def failed_to_start(address: str, password: str) -> None:
    """On a gateway with the file of situations: what can't start is an error that says why, not a wait for ever."""
    words = {
        "exits": "The scheduler ended: it exited with code 3",
        "is killed": "The scheduler ended: it exited with code 137 (killed by SIGKILL)",
        "has no image": "The scheduler can't start: its image can't be pulled: ",
        "has no secret": "The scheduler can't start: its container can't be configured: ",
        "is too large": "The scheduler did not start in time: no node has room for it: 0/1 nodes are available: ",
    }
    with Gateway(address, auth=BasicAuth("alice", password)) as gateway:
        for situation, said in words.items():
            error = error_of(partial(gateway.new_cluster, situation=situation))
            assert isinstance(error, GatewayClusterError), repr(error)
            assert f"failed to start: {said}" in str(error), str(error)
            # The released client's objects must not be collected by the thread of their own event loop: it would wait
            # for itself. What the error holds is garbage from here on.
            del error
            gc.collect()


def worker_groups(address: str, password: str) -> None:
    """On a gateway with tests/data/gateway/groups.yaml: a group of workers is scaled apart from the others."""
    with (
        Gateway(address, auth=BasicAuth("alice", password)) as gateway,
        gateway.new_cluster() as cluster,
        cluster.get_client() as client,
    ):
        cluster.scale(1)
        gateway.scale_cluster(cluster.name, 2, group="big")
        client.wait_for_workers(3, timeout=PATIENCE_SECONDS)
        assert sorted(client.nthreads().values()) == [1, 2, 2]
        assert sorted(client.run(_kind).values()) == ["example big", "example big", "example usual"]
        assert client.submit(_kind, resources={"BIG": 1}, pure=False).result(PATIENCE_SECONDS) == "example big"

        big = [worker for worker, kind in client.run(_kind).items() if kind == "example big"]
        kept = client.scatter(list(range(20)), workers=big, broadcast=False)
        cluster.scale(0, group="big")
        until(lambda: workers(client) == 1, "the group is gone")
        assert set(client.run(_kind).values()) == {"example usual"}
        assert client.submit(sum, kept).result(PATIENCE_SECONDS) == 190

        # 16 GiB, less 2 of the scheduler and 1 of the usual worker, are 6 of 2 GiB
        with warnings.catch_warnings(record=True) as notices:
            warnings.simplefilter("always")
            cluster.scale(7, group="big")
        assert any("Scaling to 6 instead" in str(notice.message) for notice in notices), notices
        cluster.scale(0, group="big")

        cluster.adapt(minimum=0, maximum=1)
        cluster.scale(1, group="big")
        # a worker that is just leaving may not answer any more
        until(
            lambda: set(client.run(_kind, on_error="ignore").values()) == {"example big"},
            "adaptive scaling is not of the group",
        )
        assert client.submit(_kind, resources={"BIG": 1}, pure=False).result(PATIENCE_SECONDS) == "example big"

        unknown = str(error_of(partial(cluster.scale, 1, group="gpu")))
        assert "has no group of workers 'gpu': its groups are big" in unknown, unknown


def _kind() -> str:
    return f"{os.environ.get('SITE')} {os.environ.get('KIND')}"


def workers(client: Client) -> int:
    return len(client.scheduler_info()["workers"])


def error_of(call: Callable[[], object]) -> Exception:
    """What a call raises; that it raises at all is part of the claim."""
    try:
        call()
    except Exception as error:
        return error
    raise AssertionError(f"{call} was allowed")


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"did not happen within {PATIENCE_SECONDS} s: {what}")
        time.sleep(0.1)


SCENARIOS = (main_job, two_users, wrong_password, wrong_input, stopped_while_waiting, asynchronous)
#: Need nothing but an address and a password that all users share: tests/e2e runs them on any installation.
ANYWHERE = (any_job, two_users, wrong_password, stopped_while_waiting, asynchronous)
#: Need a gateway with an operator's file.
CONFIGURED = (within_limits, failed_to_start, worker_groups)


def main() -> None:
    scenarios = {scenario.__name__: scenario for scenario in SCENARIOS + ANYWHERE + CONFIGURED}
    parser = argparse.ArgumentParser()
    parser.add_argument("--address", required=True)
    parser.add_argument("--password", required=True)
    parser.add_argument("scenario", choices=sorted(scenarios))
    arguments = parser.parse_args()
    scenarios[arguments.scenario](arguments.address, arguments.password)


if __name__ == "__main__":
    main()
