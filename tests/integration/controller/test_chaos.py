"""kill -9 of the controller at any moment, hundreds of times, while users work and everything fails that can.

Time is virtual and chance is seeded: what fails is repeated by its seed, `CHAOS_SEEDS="7" pytest -k chaos`.
"""

import asyncio
import os
import random
from contextlib import suppress
from dataclasses import replace

import pytest

from gateway_common.names import scheduler_pod_name
from gateway_common.resources import DASKCLUSTERS, PODS
from gateway_local.apiserver.faults import Fault
from tests.kit.simulated_world import SimulatedWorld, simulated_world
from tests.kit.virtual_time import run_virtually

SEEDS = [int(seed) for seed in os.environ.get("CHAOS_SEEDS", "1 2").split()]
KILLS = 200
CLUSTERS = 50
#: Seconds over which users begin their clusters.
DAY = 300.0
#: Seconds after which a controller is killed, however little it has to do.
LONGEST_LIFE = 4.0
#: Seconds until all must be as users want it, once nothing fails any longer; informers look at everything anew every
#: half hour, and that is all that helps where a watch has lost an event.
PATIENCE = 3600.0
#: docs/decisions/2026-11-26-calls-and-names-after-a-crash.md says where these come from.
CALLS_A_CLUSTER, CALLS_A_SCALE, CALLS_A_MISHAP = 11, 3, 1
FAULTS = (
    Fault(verb="create", code=409, probability=0.01),
    Fault(verb="create", code=500, probability=0.02),
    Fault(verb="create", code=429, retry_after=1, probability=0.02),
    Fault(verb="patch", code=409, probability=0.02),
    Fault(verb="patch", code=500, probability=0.02),
    Fault(verb="patch", code=403, probability=0.01),
    Fault(verb="delete", code=500, probability=0.02),
    Fault(verb="deletecollection", code=429, retry_after=2, probability=0.05),
    Fault(verb="list", code=410, probability=0.02),
    Fault(verb="list", code=500, probability=0.05),
    Fault(verb="watch", code=410, probability=0.05),
    Fault(verb="watch", code=429, retry_after=1, probability=0.05),
    Fault(verb="watch", events="drop", probability=0.01),
    Fault(verb="watch", events="duplicate", probability=0.05),
)


class User:
    """One who starts a cluster, scales it up and down, and leaves it in one way or another."""

    def __init__(self, world: SimulatedWorld, number: int) -> None:
        self.world = world
        self.name = f"c{number}"
        self.rng = random.Random(world.rng.random())  # has to be repeatable
        self.replicas = self.rng.randint(0, 4)
        self.scales = self.rng.randint(0, 4)
        self.end = self.rng.choice(["keep", "keep", "stop", "stop", "stop", "delete", "lose the scheduler"])

    async def work(self) -> None:
        await asyncio.sleep(self.rng.uniform(0.0, DAY))
        self.world.new_cluster(self.name, replicas=self.replicas)
        for _ in range(self.scales):
            await asyncio.sleep(self.rng.uniform(0.0, 30.0))
            self.replicas = self.rng.choice([0, 1, 2, 5, 9])
            self.world.set_spec(self.name, replicas=self.replicas)
        await asyncio.sleep(self.rng.uniform(0.0, 30.0))
        match self.end:
            case "stop":
                self.world.set_spec(self.name, active=False)
            case "delete":
                self.world.delete_cluster(self.name)
            case "lose the scheduler":
                while not self.world.ends(scheduler_pod_name(self.name), 1):  # noqa: ASYNC110  # nothing signals it
                    await asyncio.sleep(1.0)

    def complaint(self) -> str:
        """What is not as the cluster's spec says; empty when all is."""
        world = self.world
        phase, children = world.phase(self.name), dict(world.children().get(self.name, {}))
        expected = {"keep": "Running", "stop": "Stopped", "delete": "", "lose the scheduler": "Failed"}[self.end]
        if phase != expected:
            return f"{self.name} is {phase!r} and not {expected!r}"
        if self.end != "keep":
            return f"{self.name} has left {children}" if children else ""
        complete = {"Secret": 1, "Pod": self.replicas + 1, "Service": 1, "IngressRoute": 1, "IngressRouteTCP": 1}
        workers = len(world.workers().get(self.name, []))
        if children != complete or workers != self.replicas:
            return f"{self.name} wants {self.replicas} workers and has {workers}, and {children}"
        return ""


async def retire_workers(world: SimulatedWorld) -> None:
    """What schedulers do: end workers beyond those that their clusters want."""
    while True:
        await asyncio.sleep(1.0)
        clusters = world.clusters()
        for name, workers in world.workers().items():
            running = [pod for pod in workers if pod["status"]["phase"] == "Running"]
            wanted = clusters[name]["spec"]["replicas"] if name in clusters else len(workers)
            for pod in running[: max(len(workers) - wanted, 0)]:
                world.ends(pod["metadata"]["name"], 0)


async def bring_misfortune(world: SimulatedWorld) -> None:
    """Workers fail, watches break, and the API server forgets its history."""
    while True:
        await asyncio.sleep(world.rng.expovariate(0.5))
        workers = [pod for pods in world.workers().values() for pod in pods]
        match world.rng.choice(["worker", "worker", "watches", "history"]):
            case "worker" if workers:
                world.ends(world.rng.choice(workers)["metadata"]["name"], 1)
            case "watches":
                world.server.faults.drop_watches()
            case "history":
                for resource in (PODS, DASKCLUSTERS):
                    world.server.storage.open((resource.group, resource.plural)).forget_history()


async def kill_again_and_again(world: SimulatedWorld, kills: int) -> None:
    """One controller after the other, each killed between two rounds of the event loop, in busy times the sooner."""
    for _ in range(kills):
        killed = asyncio.Event()
        await asyncio.sleep(
            world.rng.uniform(0.2, 1.0)
        )  # as long as a process takes to start, and longer than a request
        controller = await world.controller(backoff_max_delay=5.0)
        world.loop.call_at_turn(world.loop.turns + world.rng.randint(1, 600), killed.set)
        with suppress(TimeoutError):
            async with asyncio.timeout(LONGEST_LIFE):
                await killed.wait()
        await controller.kill()


async def live_through_chaos(world: SimulatedWorld, users: list[User], kills: int) -> int:
    """All of it, until nothing happens any more. The answer is how often something went wrong."""
    weather, faults = world.network.weather, world.server.faults
    weather.latency, weather.lag, weather.loss = 0.03, 0.5, 0.02
    met = [faults.add(replace(fault)) for fault in FAULTS]
    dask = asyncio.create_task(retire_workers(world))
    misfortune = asyncio.create_task(bring_misfortune(world))
    working = asyncio.gather(*(user.work() for user in users))
    await kill_again_and_again(world, kills)
    await world.controller(backoff_max_delay=5.0)
    await working

    faults.clear()
    weather.loss = 0.0
    misfortune.cancel()
    await settle(world, users)
    dask.cancel()
    await asyncio.gather(dask, misfortune, return_exceptions=True)
    refused = sum(fault.met for fault in met if fault.code and fault.verb not in ("list", "watch"))
    return kills + refused + world.network.lost


async def settle(world: SimulatedWorld, users: list[User]) -> None:
    deadline = world.loop.time() + PATIENCE
    while complaints := [complaint for user in users if (complaint := user.complaint())]:
        assert world.loop.time() < deadline, complaints
        await asyncio.sleep(5.0)


async def chaos(seed: int) -> None:
    async with simulated_world(seed) as world:
        users = [User(world, number) for number in range(CLUSTERS)]
        mishaps = await live_through_chaos(world, users, KILLS)
        history, calls = world.history, world.calls.total()
        assert history.problems == []

        necessary = history.made + world.calls["delete", "pods"] + CALLS_A_CLUSTER * CLUSTERS
        necessary += CALLS_A_SCALE * sum(user.scales for user in users)
        assert calls <= necessary + CALLS_A_MISHAP * mishaps

        await asyncio.sleep(900.0)
        assert world.calls.total() == calls, "the controller does something though there is nothing to do"


@pytest.mark.parametrize("seed", SEEDS)
def test_whenever_it_is_killed_and_whatever_fails_every_cluster_ends_where_its_spec_says(seed: int) -> None:
    run_virtually(chaos(seed))


def test_a_run_of_chaos_is_repeated_by_its_seed() -> None:
    async def short(seed: int) -> list[float]:
        async with simulated_world(seed) as world:
            users = [User(world, number) for number in range(5)]
            await live_through_chaos(world, users, kills=10)
            return world.network.attempts

    first, second, other = (run_virtually(short(seed)) for seed in (1, 1, 2))
    assert first == second
    assert first != other
