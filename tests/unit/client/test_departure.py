"""Workers that are told to end by others than their scheduler, as on spot nodes: real `dask worker` processes."""

import asyncio
import pickle
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from distributed import Client

from dask_gateway.scheduler.departure import pickled_nanny_plugin
from dask_gateway.scheduler.nanny_plugin import GracefulDeparture, time_to_move
from tests.kit.mini_gateway import MiniGateway
from tests.kit.schedulers import HEARTBEAT, DaskProcesses, RunningScheduler, StartScheduler
from tests.kit.waiting import until

HANG_SECONDS = 60


async def connected(running: RunningScheduler, *names: str) -> None:
    """Wait until these workers, and no others, are there."""
    scheduler = running.scheduler
    await until(lambda: {worker.name for worker in scheduler.running} == set(names))


async def end(*processes: asyncio.subprocess.Process) -> None:
    """What a kubelet does first."""
    for process in processes:
        process.send_signal(signal.SIGTERM)
    for process in processes:
        assert await asyncio.wait_for(process.wait(), HANG_SECONDS) == 0


async def test_what_only_a_departing_worker_holds_is_moved_and_not_computed_again(
    start_scheduler: StartScheduler, processes: DaskProcesses, tmp_path: Path
) -> None:
    running = await start_scheduler()
    running.service.scale(2)
    address = running.scheduler.address
    leaving = await processes.worker(address, "leaving")
    await processes.worker(address, "staying")
    await connected(running, "leaving", "staying")
    async with Client(address, asynchronous=True) as client:

        def once(number: int, log: str = str(tmp_path / "log")) -> int:
            with open(log, "a") as file:  # runs in a worker, which has imported nothing of the test's
                file.write(f"{number}\n")
            return number

        results = client.map(once, range(50), workers=["leaving"], allow_other_workers=True)
        scattered = await client.scatter({"only": "copy"}, workers=["leaving"])
        await client.gather(results)

        await end(leaving)

        await connected(running, "staying")
        assert await client.gather(results) == list(range(50))
        assert await client.gather(scattered) == {"only": "copy"}
    assert len((tmp_path / "log").read_text().splitlines()) == 50
    # its place is free: whoever takes it is not one too many
    running.service._heartbeat.send_now()
    await until(lambda: "leaving" in (running.last("closed_workers") or ()))


async def test_what_a_departing_worker_was_running_is_not_held_against_the_task(
    start_scheduler: StartScheduler, processes: DaskProcesses, tmp_path: Path
) -> None:
    running = await start_scheduler()
    running.service.scale(1)
    leaving = await processes.worker(running.scheduler.address, "leaving")
    await connected(running, "leaving")
    async with Client(running.scheduler.address, asynchronous=True) as client:

        def run_until(end: Path, begun: Path) -> None:
            begun.touch()
            while not end.exists():
                time.sleep(0.01)

        task = client.submit(run_until, tmp_path / "end", tmp_path / "begun")
        await until((tmp_path / "begun").exists)
        leaving.send_signal(signal.SIGTERM)
        await until(lambda: not running.scheduler.workers)
        assert running.scheduler.tasks[task.key].suspicious == 0
        (tmp_path / "end").touch()
        assert await asyncio.wait_for(leaving.wait(), HANG_SECONDS) == 0


async def test_a_cluster_whose_workers_all_end_does_not_wait_for_their_data(
    start_scheduler: StartScheduler, processes: DaskProcesses, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = await start_scheduler()
    running.service.scale(3)
    names = ("a", "b", "c")
    # moving data takes for ever, and so does the grace period
    never = asyncio.Event()
    monkeypatch.setattr(running.scheduler, "retire_workers", lambda **_: never.wait())
    ending = [
        await processes.worker(running.scheduler.address, name, DASK_GATEWAY_GRACE_PERIOD="100000") for name in names
    ]
    await connected(running, *names)
    await end(*ending)
    await until(lambda: not running.scheduler.workers)
    never.set()


async def test_workers_that_are_ended_together_are_retired_together(
    start_scheduler: StartScheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = await start_scheduler()
    running.service.scale(4)
    workers = {name: await running.worker(name) for name in ("a", "b", "c", "staying")}
    retire_workers = running.scheduler.retire_workers
    retired: list[set[str]] = []

    async def count(workers: list[str], **options: Any) -> Any:
        retired.append(set(workers))
        return await retire_workers(workers, **options)

    monkeypatch.setattr(running.scheduler, "retire_workers", count)
    leaving = [workers[name].address for name in ("a", "b", "c")]
    async with Client(running.scheduler.address, asynchronous=True) as client:
        kept = {address: await client.scatter([address], workers=[address]) for address in leaving}
        await asyncio.gather(*(running.service._departures.depart(address, HANG_SECONDS) for address in leaving))
        assert set(running.scheduler.workers) == {workers["staying"].address}
        assert await client.gather(kept) == {address: [address] for address in leaving}
    assert retired == [set(leaving)]
    for worker in workers.values():
        await worker.close()


async def test_a_worker_that_is_ended_later_does_not_wait_for_others(
    start_scheduler: StartScheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dask_gateway.scheduler.departure._NEXT_BATCH", 0.05)
    running = await start_scheduler()
    running.service.scale(3)
    workers = [await running.worker(name) for name in ("slow", "later", "staying")]
    slow, later = (worker.address for worker in workers[:2])
    never = asyncio.Event()

    async def retire(workers: list[str], **_: Any) -> None:
        if slow in workers:
            await never.wait()

    monkeypatch.setattr(running.scheduler, "retire_workers", retire)
    waiting = asyncio.ensure_future(running.service._departures.depart(slow, 100_000))
    await until(lambda: bool(running.service._departures._leaving and not running.service._departures._asking))
    await asyncio.wait_for(running.service._departures.depart(later, 100_000), HANG_SECONDS)
    assert not waiting.done()
    never.set()
    await waiting
    for worker in workers:
        await worker.close()


async def test_a_worker_whose_data_can_not_be_moved_in_time_ends_without(
    start_scheduler: StartScheduler, processes: DaskProcesses, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = await start_scheduler()
    running.service.scale(2)
    never = asyncio.Event()
    monkeypatch.setattr(running.scheduler, "retire_workers", lambda **_: never.wait())
    leaving = await processes.worker(running.scheduler.address, "leaving", DASK_GATEWAY_GRACE_PERIOD="1")
    await processes.worker(running.scheduler.address, "staying")
    await connected(running, "leaving", "staying")
    await end(leaving)
    await until(lambda: len(running.scheduler.workers) == 1)
    never.set()


async def test_a_scheduler_that_ends_lets_departing_workers_go(
    start_scheduler: StartScheduler, processes: DaskProcesses, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = await start_scheduler()
    running.service.scale(2)
    never = asyncio.Event()
    monkeypatch.setattr(running.scheduler, "retire_workers", lambda **_: never.wait())
    leaving = await processes.worker(running.scheduler.address, "leaving", DASK_GATEWAY_GRACE_PERIOD="100000")
    await processes.worker(running.scheduler.address, "staying")
    await connected(running, "leaving", "staying")
    leaving.send_signal(signal.SIGTERM)
    await until(lambda: bool(running.service._departures._leaving))
    await running.scheduler.close()
    assert await asyncio.wait_for(leaving.wait(), HANG_SECONDS) == 0
    never.set()


@pytest.mark.parametrize("nanny", ["--nanny", "--no-nanny"])
async def test_a_worker_that_knows_nothing_of_gateways_lives_and_ends(
    start_scheduler: StartScheduler, processes: DaskProcesses, nanny: str
) -> None:
    running = await start_scheduler()
    running.service.scale(2)
    without_ours = (
        "import sys; sys.modules['dask_gateway'] = None; "
        "from distributed.cli.dask_worker import main; main(prog_name='dask worker')"
    )
    leaving = await processes.worker(running.scheduler.address, "leaving", nanny, command=("-c", without_ours))
    await processes.worker(running.scheduler.address, "staying")
    await connected(running, "leaving", "staying")
    async with Client(running.scheduler.address, asynchronous=True) as client:
        scattered = await client.scatter({"only": "copy"}, workers=["leaving"])
        await end(leaving)
        if nanny == "--nanny":
            assert await client.gather(scattered) == {"only": "copy"}
    await connected(running, "staying")


@pytest.mark.parametrize("fate", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_worker_does_not_wait_for_a_scheduler_that_is_gone(
    processes: DaskProcesses, gateway_api: MiniGateway, fate: signal.Signals
) -> None:
    scheduler = await processes.scheduler()
    await until(lambda: bool(gateway_api.bodies(*HEARTBEAT)))
    address = gateway_api.bodies(*HEARTBEAT)[0]["scheduler_address"]
    patience = {"DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "3600s", "DASK_GATEWAY_GRACE_PERIOD": "100000"}
    worker = await processes.worker(address, "worker", **patience)
    async with Client(address, asynchronous=True) as client:
        await client.wait_for_workers(1, timeout=HANG_SECONDS)
    scheduler.send_signal(fate)
    worker.send_signal(signal.SIGTERM)
    # with whatever code: its nanny may not have been told yet that it had started
    await asyncio.wait_for(worker.wait(), HANG_SECONDS)


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({}, 20),
        ({"DASK_GATEWAY_GRACE_PERIOD": "120"}, 110),
        ({"DASK_GATEWAY_GRACE_PERIOD": "10"}, 5),
        ({"DASK_GATEWAY_GRACE_PERIOD": "soon"}, 20),
    ],
)
def test_the_grace_period_leaves_time_for_the_end_itself(environment: dict[str, str], seconds: float) -> None:
    assert time_to_move(environment) == seconds


def test_the_plugin_that_is_sent_is_the_one_in_the_file() -> None:
    plugin: Any = pickle.loads(pickled_nanny_plugin())  # noqa: S301  # made here
    assert (type(plugin).__name__, plugin.name) == ("GracefulDeparture", GracefulDeparture.name)
    assert not type(plugin).__module__.startswith("dask_gateway.")
