"""The service inside a real scheduler, speaking to a real HTTP API."""

import asyncio
import json
import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dask.highlevelgraph import HighLevelGraph, Layer
from distributed import Client, Scheduler, fire_and_forget, worker_client
from tornado.httpclient import AsyncHTTPClient

from dask_gateway.scheduler_preload import dask_setup
from tests.kit.mini_gateway import MiniGateway
from tests.kit.schedulers import DELETE, HEARTBEAT, DaskProcesses, RunningScheduler, StartScheduler
from tests.kit.waiting import until

# Heartbeats


async def test_a_scheduler_reports_at_once_when_it_has_started(start_scheduler: StartScheduler) -> None:
    running = await start_scheduler()
    await until(lambda: bool(running.heartbeats))
    scheduler = running.scheduler
    assert running.heartbeats == [
        {
            "scheduler_address": scheduler.address,
            "dashboard_address": f"http://127.0.0.1:{scheduler.services['dashboard'].port}",
            "api_address": f"http://127.0.0.1:{running.service.port}",
            "count": 0,
            "active_workers": [],
            "closing_workers": [],
            "closed_workers": [],
            "groups": {},
        }
    ]


async def test_a_new_count_is_reported_at_once(start_scheduler: StartScheduler) -> None:
    running = await start_scheduler()
    await until(lambda: bool(running.heartbeats))
    assert (await running.send({"op": "scale", "count": 3})).code == 200
    await until(lambda: [beat["count"] for beat in running.heartbeats] == [0, 3], 2)


async def test_heartbeats_repeat_where_a_period_is_given(start_scheduler: StartScheduler) -> None:
    running = await start_scheduler(**{"heartbeat-period": 0.05})
    await until(lambda: len(running.heartbeats) > 3)


async def test_a_failed_heartbeat_is_repeated_after_a_growing_pause(
    start_scheduler: StartScheduler, gateway_api: MiniGateway, caplog: pytest.LogCaptureFixture
) -> None:
    gateway_api.answers[HEARTBEAT] = [(503, b""), (500, b"")]
    with caplog.at_level(logging.WARNING, "distributed.scheduler.gateway"):
        running = await start_scheduler()
        await until(lambda: len(running.heartbeats) == 3)
    pauses = [record.args[0] for record in caplog.records if "Failed to send heartbeat" in record.message]
    assert pauses == [0.5, 1.0]


async def test_a_count_that_changes_in_an_outage_is_sent_without_waiting_for_the_pause(
    start_scheduler: StartScheduler, gateway_api: MiniGateway
) -> None:
    gateway_api.answers[HEARTBEAT] = [(503, b"")] * 3
    running = await start_scheduler()
    await until(lambda: len(running.heartbeats) == 3)  # the next pause is 2 s
    running.service.scale(1)
    await until(lambda: running.last("count") == 1, 1)


# Workers leave


async def test_scaling_down_reports_the_leaving_worker_first_and_moves_its_data(
    start_scheduler: StartScheduler,
) -> None:
    running = await start_scheduler()
    running.service.scale(2)
    workers = [await running.worker(name) for name in ("a", "b")]
    async with Client(running.scheduler.address, asynchronous=True) as client:
        kept = await client.scatter({"x": 1, "y": 2, "z": 3})
        running.service.scale(1)
        await until(lambda: len(running.scheduler.workers) == 1)
        assert await client.gather(kept) == {"x": 1, "y": 2, "z": 3}
    beats = [beat for beat in running.heartbeats if beat["closing_workers"]]
    (leaving,) = beats[0]["closing_workers"]
    assert beats[0]["count"] == 1
    assert {leaving, *beats[0]["active_workers"]} == {"a", "b"}
    for worker in workers:
        await worker.close()


async def test_a_worker_that_left_is_reported_until_that_was_heard(
    start_scheduler: StartScheduler, gateway_api: MiniGateway
) -> None:
    running = await start_scheduler()
    running.service.scale(1)
    worker = await running.worker("a")
    await until(lambda: running.last("count") == 1)
    gateway_api.answers[HEARTBEAT] = [(503, b"")]
    await worker.close()
    await until(lambda: not running.scheduler.workers)
    for count in (2, 3, 4):
        running.service.scale(count)
        await until(lambda count=count: running.last("count") == count)
    reported = [beat["closed_workers"] for beat in running.heartbeats if beat["closed_workers"]]
    assert reported == [["a"], ["a"]]


async def test_a_worker_too_many_is_sent_away_soon(
    start_scheduler: StartScheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dask_gateway.scheduler.service._SETTLING", 0.05)
    running = await start_scheduler()
    await until(lambda: bool(running.heartbeats))
    worker = await running.worker("surplus")
    await until(lambda: not running.scheduler.workers)
    assert running.last("closing_workers") == ["surplus"]
    await worker.close()


async def test_a_retirement_that_takes_long_does_not_delay_the_next_count(
    start_scheduler: StartScheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = await start_scheduler()
    running.service.scale(1)
    worker = await running.worker("a")
    may_retire = asyncio.Event()

    async def retire_workers(**kwargs: Any) -> None:
        await may_retire.wait()

    monkeypatch.setattr(running.scheduler, "retire_workers", retire_workers)
    running.service.scale(0)
    await until(lambda: running.last("closing_workers") == ["a"])
    running.service.scale(2)
    await until(lambda: running.last("count") == 2)
    assert running.last("closing_workers") == ["a"]
    # its data could not be moved, so it stays
    may_retire.set()
    await until(lambda: running.service._workers.active == {"a"})
    await worker.close()


# Adaptive scaling


async def test_adaptive_scaling_follows_the_load_between_its_bounds(start_scheduler: StartScheduler) -> None:
    running = await start_scheduler()
    await running.send({"op": "adapt", "minimum": 1, "maximum": 3})
    await until(lambda: running.service.count == 1)
    async with Client(running.scheduler.address, asynchronous=True) as client:
        work = client.map(lambda x: x, range(2000))
        await running.send({"op": "adapt", "minimum": 2, "maximum": 3})
        await until(lambda: running.service.count in (2, 3))
        await client.cancel(work)
    await running.send({"op": "adapt", "minimum": 0, "maximum": 3})
    await until(lambda: running.service.count == 0)


async def test_an_explicit_count_ends_adaptive_scaling(start_scheduler: StartScheduler) -> None:
    running = await start_scheduler()
    await running.send({"op": "adapt", "minimum": 2, "maximum": None})
    await until(lambda: running.service.count == 2)
    await running.send({"op": "scale", "count": 1})
    assert running.service.count == 1
    assert running.service._adaptive._task is None


async def test_adaptive_scaling_can_be_ended(start_scheduler: StartScheduler) -> None:
    running = await start_scheduler()
    await running.send({"op": "adapt", "minimum": 2})
    await until(lambda: running.service.count == 2)
    assert (await running.send({"op": "adapt", "active": False})).code == 200
    assert running.service.count == 2
    assert running.service._adaptive._task is None


# Unused clusters


async def test_an_idle_cluster_asks_for_its_end_until_it_is_heard(
    start_scheduler: StartScheduler, gateway_api: MiniGateway, caplog: pytest.LogCaptureFixture
) -> None:
    gateway_api.answers[DELETE] = [(503, b"")]
    await start_scheduler(**{"idle-timeout": 0.2})
    await until(lambda: len(gateway_api.bodies(*DELETE)) >= 2)
    assert "Cluster has been idle for 0.20 seconds, shutting down" in caplog.text
    assert {exchange.query["reason"] for exchange in gateway_api.exchanges if exchange.method == "DELETE"} == {
        "IdleTimeout"
    }


async def test_a_cluster_whose_tasks_wait_for_workers_is_not_idle(
    start_scheduler: StartScheduler, gateway_api: MiniGateway
) -> None:
    running = await start_scheduler(**{"idle-timeout": 0.1})
    async with Client(running.scheduler.address, asynchronous=True) as client:
        waiting = client.submit(int)
        await until(lambda: bool(running.scheduler.queued or running.scheduler.unrunnable))
        before = len(gateway_api.bodies(*DELETE))
        await asyncio.sleep(0.5)  # five times as long as it takes for an idle one
        assert len(gateway_api.bodies(*DELETE)) == before
        await client.cancel([waiting])
    await until(lambda: len(gateway_api.bodies(*DELETE)) > before)


class SlowLayer(Layer):
    """A part of a graph that a scheduler takes its time to unpack, which it does in a thread."""

    unpacking = threading.Event()
    may_unpack = threading.Event()

    def __init__(self) -> None:
        super().__init__()

    def __iter__(self) -> Iterator[str]:
        if threading.current_thread() is not threading.main_thread():
            self.unpacking.set()
            self.may_unpack.wait(60)
        yield "x"

    def __getitem__(self, key: str) -> Any:
        return (int,)

    def __len__(self) -> int:
        return 1

    def is_materialized(self) -> bool:
        return False

    def get_output_keys(self) -> set[str]:
        return {"x"}


async def stops_asked_for(running: RunningScheduler, gateway_api: MiniGateway) -> int:
    """How often a scheduler has asked for its cluster's end, once what it sent before has arrived."""
    count = running.service.count + 1
    running.service.scale(count)
    await until(lambda: running.last("count") == count)
    return len(gateway_api.bodies(*DELETE))


async def test_a_cluster_that_unpacks_a_graph_is_not_idle(
    start_scheduler: StartScheduler, gateway_api: MiniGateway
) -> None:
    running = await start_scheduler(**{"idle-timeout": 0.1})
    async with Client(running.scheduler.address, asynchronous=True) as client:
        layer = SlowLayer()
        waiting = client.get(HighLevelGraph({"slow": layer}, {"slow": set()}), ["x"], sync=False)
        await asyncio.to_thread(layer.unpacking.wait)
        before = await stops_asked_for(running, gateway_api)
        await asyncio.sleep(0.5)  # five times as long as it takes for an idle one
        assert await stops_asked_for(running, gateway_api) == before
        layer.may_unpack.set()
        await client.cancel(waiting)


async def test_a_cluster_without_a_client_asks_for_its_end_whatever_it_does(
    start_scheduler: StartScheduler,
    processes: DaskProcesses,
    gateway_api: MiniGateway,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("DASK_GATEWAY_NO_CLIENT_TIMEOUT", "0.2")
    running = await start_scheduler(**{"idle-timeout": 3600})
    await processes.worker(running.scheduler.address, "a")
    async with Client(running.scheduler.address, asynchronous=True) as client:

        def submit_something() -> int:
            with worker_client() as own:
                return int(own.submit(int).result())

        def run_until(end: Path) -> None:
            while not end.exists():
                time.sleep(0.01)

        # a task that submits tasks leaves its worker connected as a client
        assert await client.submit(submit_something) == 0
        fire_and_forget(client.submit(run_until, tmp_path / "end"))
        before = await stops_asked_for(running, gateway_api)
        await asyncio.sleep(1)  # five times as long as it takes where nobody is
        assert await stops_asked_for(running, gateway_api) == before
    await until(lambda: len(gateway_api.bodies(*DELETE)) > before)
    assert len(running.scheduler.client_comms) == 1
    assert any(worker.processing for worker in running.scheduler.workers.values())
    assert gateway_api.exchanges[-1].query == {"reason": "NoClientTimeout"}
    (tmp_path / "end").touch()


async def test_a_cluster_that_nobody_ever_connects_to_asks_for_its_end(
    start_scheduler: StartScheduler, gateway_api: MiniGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DASK_GATEWAY_NO_CLIENT_TIMEOUT", "0.2")
    await start_scheduler()
    await until(lambda: bool(gateway_api.bodies(*DELETE)))


# The gateway's commands


@pytest.mark.parametrize("token", [None, "", "token", "token wrong", "Basic secret", "secret", "token sécret"])
async def test_without_the_clusters_token_nothing_is_done(start_scheduler: StartScheduler, token: str | None) -> None:
    running = await start_scheduler()
    assert (await running.send({"op": "scale", "count": 3}, token=token)).code == 403
    assert running.service.count == 0


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ({"op": "explode"}, "op must be one of {scale, adapt}"),
        ({}, "op must be one of {scale, adapt}"),
        ({"op": "scale"}, "count must be a non-negative integer, got None"),
        ({"op": "scale", "count": -1}, "count must be a non-negative integer, got -1"),
        ({"op": "scale", "count": "3"}, "count must be a non-negative integer, got '3'"),
        ({"op": "adapt", "minimum": 1.5}, "minimum must be a non-negative integer, got 1.5"),
        ("no json", "the body must be a JSON object"),
        ("[]", "the body must be a JSON object"),
        (b"\xff", "the body must be a JSON object"),
    ],
)
async def test_a_command_that_makes_no_sense_is_refused_with_the_reason(
    start_scheduler: StartScheduler, command: Any, message: str
) -> None:
    running = await start_scheduler()
    answer = await running.send(command)
    assert (answer.code, json.loads(answer.body)) == (422, {"error": message})
    assert running.service.count == 0


@pytest.mark.parametrize(("address", "host"), [(":0", "127.0.0.1"), ("127.0.0.1:0", "127.0.0.1"), ("[::1]:0", "[::1]")])
async def test_health_needs_no_token_and_listens_where_told(
    start_scheduler: StartScheduler, address: str, host: str
) -> None:
    running = await start_scheduler(**{"api-address": address})
    answer = await AsyncHTTPClient().fetch(f"http://{host}:{running.service.port}/api/health")
    assert answer.code == 200


async def test_the_service_ends_with_its_scheduler(start_scheduler: StartScheduler) -> None:
    running = await start_scheduler(**{"idle-timeout": 60})
    running.service.adapt(0, None, active=True)
    await asyncio.wait_for(running.scheduler.close(), 5)
    with pytest.raises(OSError, match="refused"):
        await AsyncHTTPClient().fetch(f"http://127.0.0.1:{running.service.port}/api/health")
    await until(lambda: not running.service._tasks)


# Its environment


@pytest.mark.parametrize("missing", ["DASK_GATEWAY_CLUSTER_NAME", "DASK_GATEWAY_API_URL", "DASK_GATEWAY_API_TOKEN"])
async def test_a_scheduler_without_its_gateways_environment_exits(
    start_scheduler: StartScheduler, missing: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv(missing)
    scheduler = Scheduler(host="127.0.0.1", port=0, dashboard_address=":0")
    async with scheduler:
        with pytest.raises(SystemExit):
            dask_setup.callback(scheduler, 3.0, 0.0, 0.0, ":0")
    assert f"Environment variable {missing!r} not found, shutting down" in caplog.text


@pytest.mark.parametrize("address", ["8788", "::1:8788", "host:port"])
async def test_a_malformed_api_address_is_an_error(address: str, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(SystemExit):
        dask_setup.callback(None, 3.0, 0.0, 0.0, address)
    assert f"Invalid api address {address!r}" in caplog.text


async def test_the_token_may_be_in_a_file(
    start_scheduler: StartScheduler, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "api-token").write_text("secret\n")
    monkeypatch.setenv("DASK_GATEWAY_API_TOKEN", str(tmp_path / "api-token"))
    running = await start_scheduler()
    await until(lambda: bool(running.heartbeats))
    assert (await running.send({"op": "scale", "count": 1})).code == 200
