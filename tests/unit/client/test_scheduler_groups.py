"""Groups of workers inside a real scheduler: who is counted, who leaves."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest
from distributed import Client

from dask_gateway.scheduler.adaptive import Adaptive
from dask_gateway.scheduler.workers import group_of
from tests.kit.schedulers import RunningScheduler, StartScheduler
from tests.kit.waiting import until


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("dask-worker-a-3", ""),
        ("dask-worker-a-gpu-3", "gpu"),
        ("dask-worker-a-high-mem-12", "high-mem"),
        ("dask-worker-a-7-3", "7"),
        # nobody's but the user's own
        ("dask-worker-b-gpu-3", ""),
        ("mine", ""),
        (4, ""),
    ],
)
def test_a_workers_name_tells_its_group(name: Any, group: str) -> None:
    assert group_of(name, "a") == group


async def workers_of(running: RunningScheduler, stack: AsyncExitStack, *names: str) -> None:
    for name in names:
        await stack.enter_async_context(await running.worker(f"dask-worker-a-{name}"))


def names_of(running: RunningScheduler) -> set[str]:
    return {worker.name.removeprefix("dask-worker-a-") for worker in running.scheduler.workers.values()}


async def test_the_count_of_a_group_is_reported_beside_the_others(start_scheduler: StartScheduler) -> None:
    running = await start_scheduler()
    await until(lambda: bool(running.heartbeats))
    assert running.last("groups") == {}
    assert (await running.send({"op": "scale", "count": 2, "group": "gpu"})).code == 200
    assert (await running.send({"op": "scale", "count": 3, "group": None})).code == 200
    await until(lambda: (running.last("count"), running.last("groups")) == (3, {"gpu": 2}))
    assert (await running.send({"op": "scale", "count": 2, "group": 5})).code == 422


async def test_scaling_a_group_down_retires_its_workers_alone_and_moves_their_data(
    start_scheduler: StartScheduler,
) -> None:
    running = await start_scheduler()
    running.service.scale(2)
    running.service.scale(2, "gpu")
    async with AsyncExitStack() as stack:
        await workers_of(running, stack, "0", "1", "gpu-2", "gpu-3")
        client = await stack.enter_async_context(Client(running.scheduler.address, asynchronous=True))
        gpu = [address for address, worker in running.scheduler.workers.items() if "gpu" in worker.name]
        kept = await client.scatter({"x": 1, "y": 2}, workers=gpu)
        running.service.scale(0, "gpu")
        await until(lambda: names_of(running) == {"0", "1"})
        assert await client.gather(kept) == {"x": 1, "y": 2}
        (beat,) = [beat for beat in running.heartbeats if beat["closing_workers"]]
        assert (beat["count"], beat["groups"]) == (2, {"gpu": 0})


async def test_scaling_the_others_down_leaves_a_group_alone(start_scheduler: StartScheduler) -> None:
    running = await start_scheduler()
    running.service.scale(2)
    running.service.scale(1, "gpu")
    async with AsyncExitStack() as stack:
        await workers_of(running, stack, "gpu-0", "1", "2")
        running.service.scale(0)
        await until(lambda: names_of(running) == {"gpu-0"})


async def test_a_worker_of_a_group_too_many_is_sent_away_soon_though_others_are_missing(
    start_scheduler: StartScheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dask_gateway.scheduler.service._SETTLING", 0.05)
    running = await start_scheduler()
    running.service.scale(9)
    running.service.scale(1, "gpu")
    running.service.scale(0, "gpu")
    await until(lambda: running.last("groups") == {"gpu": 0})
    async with AsyncExitStack() as stack:
        await workers_of(running, stack, "0", "gpu-1")
        await until(lambda: names_of(running) == {"0"})


async def test_workers_of_a_group_that_nobody_has_scaled_here_are_nobodys_to_retire(
    start_scheduler: StartScheduler,
) -> None:
    running = await start_scheduler()
    async with AsyncExitStack() as stack:
        await workers_of(running, stack, "gpu-0", "1")
        running.service.scale(2, "small")
        await until(lambda: running.last("groups") == {"small": 2})
        await until(lambda: names_of(running) == {"gpu-0"})


async def test_scaling_a_group_does_not_end_adaptive_scaling(start_scheduler: StartScheduler) -> None:
    running = await start_scheduler()
    await running.send({"op": "adapt", "minimum": 2})
    await running.send({"op": "scale", "count": 1, "group": "gpu"})
    await until(lambda: running.service.counts == {"": 2, "gpu": 1})
    assert running.service._adaptive._task is not None


async def test_the_workers_of_groups_are_no_part_of_the_adaptive_count() -> None:
    class Busy:
        def adaptive_target(self, target_duration: float) -> int:
            return 5

    counts: list[int] = []
    adaptive = Adaptive(Busy(), 0.01, lambda: 0, counts.append, count_others=lambda: 2)
    adaptive.start(None, None)
    await until(lambda: bool(counts))
    adaptive.stop()
    await asyncio.sleep(0)
    assert counts[0] == 3
