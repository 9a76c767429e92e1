"""Who leads, in virtual time: every replica checks before each of its writes that the Lease is its own."""

import asyncio
import random
from collections.abc import Coroutine
from typing import Any

import pytest

from gateway_controller.leader import NotLeading, steady_clock
from tests.kit.elections import LeaseServer, Replica, any_leads, leads
from tests.kit.virtual_time import run_virtually


async def replicas_of(server: LeaseServer, count: int) -> tuple[Replica, list[Replica]]:
    """The leader, and those that stand by and have seen it."""
    first = Replica(server, "r0")
    await leads(first)
    others = [Replica(server, f"r{number}", seed=number) for number in range(1, count)]
    await asyncio.sleep(5.0)
    return first, others


def test_one_leads_at_once_and_renews_every_two_seconds() -> None:
    async def scenario() -> None:
        server = LeaseServer()
        replica = Replica(server, "r0")
        assert await leads(replica) < 0.1
        await asyncio.sleep(20)
        assert server.lease is not None
        assert server.lease["spec"]["holderIdentity"] == "r0"
        assert server.lease["spec"]["leaseDurationSeconds"] == 10
        assert server.lease["spec"]["leaseTransitions"] == 0
        assert 10 <= server.writes <= 11
        await replica.stop()

    run_virtually(scenario())


def test_of_many_that_start_together_one_leads() -> None:
    async def scenario() -> None:
        server = LeaseServer()
        replicas = [Replica(server, f"r{number}", seed=number) for number in range(5)]
        await asyncio.sleep(30)
        assert sum(replica.working for replica in replicas) == 1
        assert sum(replica.terms for replica in replicas) == 1
        for replica in replicas:
            await replica.crash()

    run_virtually(scenario())


@pytest.mark.parametrize("moment", [0.0, 0.5, 1.0, 1.5, 1.99])
def test_a_leader_that_crashed_is_replaced_within_15_seconds_and_not_before_its_lease_is_over(moment: float) -> None:
    async def scenario() -> None:
        server = LeaseServer()
        first, others = await replicas_of(server, 3)
        await asyncio.sleep(moment)
        await first.crash()
        loop = asyncio.get_running_loop()
        crashed = loop.time()
        successor = await any_leads(others)
        assert 7.0 < loop.time() - crashed < 13.0
        assert server.lease is not None
        assert server.lease["spec"]["leaseTransitions"] == 1
        assert [replica.working for replica in others].count(True) == 1
        assert successor.election.is_leading
        for replica in others:
            await replica.crash()

    run_virtually(scenario())


@pytest.mark.parametrize("moment", [0.0, 0.3, 0.6, 1.0, 2.0])
def test_a_leader_that_is_stopped_is_replaced_within_a_second(moment: float) -> None:
    async def scenario() -> None:
        server = LeaseServer()
        first, others = await replicas_of(server, 2)
        await asyncio.sleep(moment)
        await first.stop()
        assert server.holder == ""
        assert await leads(others[0]) < 1.0
        await others[0].crash()

    run_virtually(scenario())


def test_who_gives_the_lease_back_leaves_a_note_for_the_next_one_alone() -> None:
    async def scenario() -> None:
        server = LeaseServer()
        first, (second, third) = await replicas_of(server, 3)
        await third.stop()
        await first.stop()
        await leads(second)
        fourth = Replica(server, "r4")
        await asyncio.sleep(3)
        await second.crash()
        await leads(fourth)
        assert (first.notes, second.notes, fourth.notes) == ([""], ["by r0"], [""])
        await fourth.crash()

    run_virtually(scenario())


def test_a_leader_that_is_stopped_while_it_renews_gives_the_lease_back_all_the_same() -> None:
    async def scenario() -> None:
        server = LeaseServer()
        first, _ = await replicas_of(server, 1)
        first.connection.latency = 0.2
        written = server.writes
        while server.writes == written:  # noqa: ASYNC110  # virtual time
            await asyncio.sleep(0.01)
        # carried out, and the answer is on its way
        await first.stop()
        assert server.holder == ""

    run_virtually(scenario())


def test_a_leader_that_cannot_reach_the_server_ends_before_another_may_begin_and_leads_again_later() -> None:
    async def scenario() -> None:
        server = LeaseServer()
        first, (second,) = await replicas_of(server, 2)
        loop = asyncio.get_running_loop()
        first.connection.away = True
        away = loop.time()
        while first.working:  # noqa: ASYNC110  # virtual time
            await asyncio.sleep(0.01)
        assert loop.time() - away <= 7.0
        assert not second.working
        with pytest.raises(NotLeading):
            first.election.check()
        await leads(second)
        first.connection.away = False
        await asyncio.sleep(30)
        assert (first.working, second.working) == (False, True)
        await second.stop()
        await leads(first)
        await first.crash()

    run_virtually(scenario())


def test_a_server_that_is_away_for_a_minute_is_asked_in_good_measure_and_somebody_leads_when_it_is_back() -> None:
    async def scenario() -> None:
        server = LeaseServer()
        first, others = await replicas_of(server, 3)
        everybody = [first, *others]
        for replica in everybody:
            replica.connection.away, replica.connection.calls = True, 0
        await asyncio.sleep(60)
        assert not any(replica.working for replica in everybody)
        assert all(replica.connection.calls <= 120 for replica in everybody)
        for replica in everybody:
            replica.connection.away = False
        await any_leads(everybody, seconds=2.0)
        for replica in everybody:
            await replica.crash()

    run_virtually(scenario())


def test_a_renewal_whose_answer_is_lost_costs_nothing() -> None:
    async def scenario() -> None:
        server = LeaseServer()
        first, (second,) = await replicas_of(server, 2)
        first.connection.lost_answers = 1
        await asyncio.sleep(10)
        assert first.connection.lost_answers == 0
        assert (first.working, first.terms, second.working) == (True, 1, False)
        await first.crash()
        await second.crash()

    run_virtually(scenario())


def test_a_replica_that_won_without_learning_of_it_leads_at_its_next_look() -> None:
    async def scenario() -> None:
        server = LeaseServer()
        replica = Replica(server, "r0")
        replica.connection.lost_answers = 2  # of the look, then of the create
        assert await leads(replica) < 3.0
        await replica.crash()

    run_virtually(scenario())


def test_a_leader_that_was_paused_does_not_act_when_it_wakes() -> None:
    async def scenario() -> None:
        server = LeaseServer()
        first, (second,) = await replicas_of(server, 2)
        first.freeze()
        await leads(second)
        acts = [who for _, who in server.acts].count("r0")
        first.thaw()
        await asyncio.sleep(5)
        assert [who for _, who in server.acts].count("r0") == acts
        assert (first.working, second.working) == (False, True)
        await first.crash()
        await second.crash()

    run_virtually(scenario())


def test_who_starts_anew_under_its_name_takes_its_lease_back_at_once() -> None:
    async def scenario() -> None:
        server = LeaseServer()
        first, others = await replicas_of(server, 2)
        await first.crash()
        again = Replica(server, "r0")
        assert await leads(again) < 0.1
        for replica in (again, *others):
            await replica.crash()

    run_virtually(scenario())


def test_two_of_one_name_do_not_take_the_lease_from_each_other_for_ever() -> None:
    async def scenario() -> None:
        server = LeaseServer()
        first = Replica(server, "twin")
        await leads(first)
        second = Replica(server, "twin", seed=1)
        await asyncio.sleep(60)
        assert (first.terms, second.terms) == (1, 1)
        assert (first.working, second.working) == (False, True)
        await first.crash()
        await second.crash()

    run_virtually(scenario())


def test_clocks_that_differ_by_hours_make_no_difference() -> None:
    async def scenario() -> None:
        server = LeaseServer()
        first = Replica(server, "ahead", offset=9e4, wall_offset=7200)
        await leads(first)
        second = Replica(server, "behind", offset=-900, wall_offset=-7200)
        await asyncio.sleep(60)
        assert (first.working, second.working) == (True, False)
        await first.crash()
        assert 7.0 < await leads(second) < 13.0
        await second.crash()

    run_virtually(scenario())


def test_a_holder_that_promises_to_renew_less_often_is_given_its_time() -> None:
    async def scenario() -> None:
        server = LeaseServer()
        spec = {"holderIdentity": "other", "leaseDurationSeconds": 40, "leaseTransitions": 3}
        server.create({"metadata": {"name": "lease"}, "spec": spec})
        replica = Replica(server, "r0")
        assert 40 <= await leads(replica) < 42
        assert server.lease is not None
        assert server.lease["spec"]["leaseTransitions"] == 4
        await replica.crash()

    run_virtually(scenario())


def test_a_lease_that_somebody_deletes_makes_no_second_leader() -> None:
    async def scenario() -> None:
        server = LeaseServer()
        first, others = await replicas_of(server, 3)
        for _ in range(20):
            server.lease = None
            await asyncio.sleep(0.5)
        await asyncio.sleep(5)
        assert first.terms == 1
        assert first.working
        assert not any(replica.terms for replica in others)
        for replica in (first, *others):
            await replica.crash()

    run_virtually(scenario())


def test_work_that_fails_gives_the_lease_back_and_says_so() -> None:
    async def scenario() -> None:
        server = LeaseServer()
        replica = Replica(server, "r0")
        await leads(replica)
        replica.work_fails = ValueError("a defect")
        with pytest.raises(ValueError, match="a defect"):
            await replica.task
        assert server.holder == ""

    run_virtually(scenario())


def test_the_steady_clock_goes_on_while_the_machine_sleeps_where_that_can_be_told() -> None:
    before = steady_clock()
    assert 0.0 <= steady_clock() - before < 60.0


@pytest.mark.parametrize("seed", range(40))
def test_whatever_happens_two_never_act_at_once_and_somebody_leads_in_the_end(seed: int) -> None:
    run_virtually(_storm(random.Random(seed)))


def _storm(rng: random.Random) -> Coroutine[Any, Any, None]:
    async def scenario() -> None:
        server = LeaseServer()
        names = [f"r{number}" for number in range(3)]
        replicas = {name: Replica(server, name, seed=rng.randrange(99)) for name in names}
        for _ in range(60):
            await asyncio.sleep(rng.uniform(0.0, 6.0))
            name = rng.choice(names)
            replica = replicas[name]
            match rng.randrange(7):
                case 0:
                    await replica.crash()
                    replicas[name] = Replica(server, name, offset=rng.uniform(-1e4, 1e4), seed=rng.randrange(99))
                case 1:
                    replica.thaw()
                    replica.connection.away = False
                    await replica.stop()
                    replicas[name] = Replica(server, name, seed=rng.randrange(99))
                case 2:
                    replica.freeze()
                case 3:
                    replica.thaw()
                case 4:
                    replica.connection.away = not replica.connection.away and rng.random() < 0.7
                case 5:
                    replica.connection.lost_answers = rng.randrange(4)
                case 6:
                    replica.connection.latency = rng.choice([0.001, 0.05, 0.5, 2.0])
        for replica in replicas.values():
            replica.thaw()
            replica.connection.away, replica.connection.latency = False, 0.002
        await any_leads(list(replicas.values()), seconds=15.0)
        assert sum(replica.working for replica in replicas.values()) == 1
        assert server.acts
        for replica in replicas.values():
            await replica.crash()
            if not replica.task.cancelled() and (error := replica.task.exception()):
                raise error

    return scenario()
