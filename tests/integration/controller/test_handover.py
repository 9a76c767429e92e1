"""One replica goes on where another was: both in this process, so that the test says when."""

import pytest

from gateway_common.configuration.limits import Amounts, LimitsGroup
from gateway_common.names import scheduler_pod_name, worker_pod_name
from tests.kit.controller import CHILDREN, RunningController, Seat, World
from tests.kit.recorded_calls import Access, recorded, recorder
from tests.kit.waiting import eventually, until


async def replicas(world: World, count: int) -> list[tuple[Seat, RunningController]]:
    """Replicas that have read everything and wait for their turn."""
    seats = [Seat() for _ in range(count)]
    started = [(seat, await world.controller(elect=seat.run)) for seat in seats]
    await until(lambda: all(running.controller.is_ready for _, running in started))
    return started


async def test_who_stands_by_does_nothing_and_remembers_nothing_of_clusters_that_are_gone(world: World) -> None:
    (first, leader), (_, standby) = await replicas(world, 2)
    first.give()
    name = await world.running_cluster(replicas=2)
    await world.has_workers(name, [0, 1])
    key = (world.namespace, name)
    informers = standby.controller._informers
    await until(lambda: len(informers.pods.by_index(key)) == 3)
    assert len(standby.controller.queue) == 0
    await world.set_spec(name, active=False)
    await world.stops(name)
    await world.delete(name)
    await until(lambda: not informers._next_slots)
    assert not standby.calls
    assert len(standby.controller.queue) == 0
    assert leader.calls["create", "pods"] == 3


@pytest.mark.parametrize("writes", [1, 2, 4, 6])
async def test_a_start_that_one_has_begun_the_other_finishes_without_making_anything_twice(
    world: World, writes: int
) -> None:
    seats = [Seat(), Seat()]
    first = await world.controller(elect=seats[0].run, die_after=writes)
    second = await world.controller(elect=seats[1].run)
    await until(lambda: second.controller.is_ready)
    seats[0].give()
    name = await world.new_cluster()
    await first.dies()
    seats[1].give()
    await world.reaches(name, "Pending")
    await world.run_pod(scheduler_pod_name(name))
    await world.reaches(name, "Running")
    assert len(await world.children(name)) == len(CHILDREN)
    made = first.calls + second.calls
    assert made["create", "services"] >= 1


async def test_no_worker_gets_the_number_of_one_that_is_gone(world: World) -> None:
    """The scheduler may still know it: a restart forgets which numbers were used, a hand-over does not."""
    (first, _), (second, _) = await replicas(world, 2)
    first.give()
    name = await world.running_cluster(replicas=3)
    await world.has_workers(name, [0, 1, 2])
    await first.take_away()
    await world.remove_pod(worker_pod_name(name, 2))
    second.give()
    await world.has_workers(name, [0, 1, 3])


async def test_what_was_admitted_stays_admitted_and_who_waited_goes_on_waiting(world: World) -> None:
    limits = LimitsGroup(user=Amounts(clusters=1), on_exceeded="queue")
    world.settings = world.settings.model_copy(update={"limits": limits})
    (first, _), (second, successor) = await replicas(world, 2)
    first.give()
    admitted = await world.running_cluster()
    # of two that are made within a second the name decides
    waiting = await world.new_cluster("second")
    await world.says(waiting, "QuotaExceeded")
    await first.take_away()
    second.give()
    last = await world.new_cluster("third")
    await world.says(last, "QuotaExceeded")
    await until(lambda: len(successor.controller.queue) == 0)
    assert await world.children(waiting) == {}
    await world.set_spec(admitted, active=False)
    await world.stops(admitted)
    await world.reaches(waiting, "Pending")
    assert await world.children(last) == {}


async def test_who_leads_again_knows_what_another_did_meanwhile(world: World) -> None:
    limits = LimitsGroup(user=Amounts(clusters=1), on_exceeded="queue")
    world.settings = world.settings.model_copy(update={"limits": limits})
    (first, _), (second, _) = await replicas(world, 2)
    first.give()
    old = await world.running_cluster()
    await first.take_away()
    second.give()
    await world.set_spec(old, active=False)
    await world.stops(old)
    new = await world.running_cluster()
    await second.take_away()
    first.give()
    waiting = await world.new_cluster()
    await world.says(waiting, "QuotaExceeded")
    await world.set_spec(new, active=False)
    await world.stops(new)
    await world.reaches(waiting, "Pending")


async def test_everything_is_listed_anew_unless_the_last_leader_has_said_that_nothing_was_missed(world: World) -> None:
    found: set[Access] = set()
    seats = [Seat(), Seat()]
    leader = await world.controller(elect=seats[0].run)
    with recorder(), recorded(found):
        successor = await world.controller(elect=seats[1].run)
        await until(lambda: successor.controller.is_ready)
        seats[0].give()
        await world.running_cluster(replicas=1)
        await until(lambda: len(leader.controller.queue) == 0)
        await seats[0].take_away()
        note = leader.controller._informers.note()
        await until(lambda: successor.controller._informers.have_seen(note))
        for handed, verbs in ((note, False), ("", True), ("no note of ours", True), (note.replace(":", ":9"), True)):
            found.clear()
            seats[1].give(handed)
            await until(lambda: successor.controller.is_leading)
            listed = {access.resource for access in found if access.verb == "list"} & {"daskclusters", "pods"}
            assert bool(listed) == verbs, handed
            await seats[1].take_away()


async def test_a_hand_over_costs_a_running_cluster_no_call(world: World) -> None:
    (first, _), (second, successor) = await replicas(world, 2)
    first.give()
    name = await world.running_cluster(replicas=1)
    await world.has_workers(name, [0])
    await world.run_pod(worker_pod_name(name, 0))

    async def all_is_said() -> bool:
        return (await world.status(name)).get("workers", {}).get("running") == 1

    await eventually(all_is_said)
    await first.take_away()
    second.give()
    other = await world.new_cluster()
    await world.reaches(other, "Pending")
    await until(lambda: len(successor.controller.queue) == 0)
    assert successor.calls["create", "pods"] == 1
    assert successor.calls["patch", "daskclusters"] == 1
