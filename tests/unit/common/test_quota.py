"""The arithmetic of limits: sums that never drift, room that is exact, and words for people."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_common.config import ClusterConfig, parse_cluster_config
from gateway_common.configuration.limits import Amounts, GroupLimits, LimitsGroup
from gateway_common.configuration.model import Configuration
from gateway_common.configuration.options import GroupSettings
from gateway_common.quota import (
    Excess,
    Kind,
    Ledger,
    Owner,
    Scope,
    Usage,
    allowances,
    exceeded,
    has_limits,
    lifetime_limit,
    limits_on,
    room_for_workers,
    scopes,
    usage_of,
    worker_usage,
)

ALICE = Scope(Owner.USER, "alice")
STUDENTS = Scope(Owner.GROUP, "students")
TOTAL = Scope(Owner.TOTAL)
GIB = 2**30

SCOPES = [ALICE, STUDENTS, TOTAL]
COUNTS = st.integers(0, 20)
USAGES = st.builds(Usage, COUNTS, COUNTS, st.integers(0, 20_000), st.integers(0, 20 * GIB))
CORES = st.floats(0.001, 8, allow_nan=False)
CONFIGS = st.builds(
    lambda cores, boss, memory: ClusterConfig(worker_cores=cores, scheduler_cores=boss, worker_memory=memory),
    CORES,
    CORES,
    st.integers(1, 8 * GIB),
)
AMOUNTS = st.builds(
    Amounts,
    clusters=st.none() | COUNTS,
    workers=st.none() | COUNTS,
    cores=st.none() | st.floats(0.001, 30, allow_nan=False),
    memory=st.none() | st.integers(1, 30 * GIB),
)
ALLOWED = st.dictionaries(st.sampled_from(SCOPES), AMOUNTS)
USED = st.fixed_dictionaries(dict.fromkeys(SCOPES, USAGES))


def configuration(
    user: Amounts | None = None, total: Amounts | None = None, **groups: tuple[Amounts, Amounts]
) -> Configuration:
    """With groups as (each member, all members)."""
    return Configuration(
        instance="test",
        limits=LimitsGroup(user=user or Amounts(), total=total or Amounts()),
        groups={
            name: GroupSettings(limits=GroupLimits(user=member, group=together))
            for name, (member, together) in groups.items()
        },
    )


class TestAllowances:
    def test_who_has_no_limits_has_no_allowances(self) -> None:
        unlimited = configuration(students=(Amounts(), Amounts()))
        assert allowances(unlimited, "alice", ["students"]) == {}
        assert not has_limits(unlimited)

    def test_limits_of_user_groups_and_all_count_together(self) -> None:
        found = allowances(
            configuration(
                Amounts(clusters=2),
                Amounts(cores=100),
                students=(Amounts(), Amounts(memory=GIB)),
                staff=(Amounts(),) * 2,
            ),
            "alice",
            ["students", "staff", "unknown"],
        )
        assert found == {ALICE: Amounts(clusters=2), STUDENTS: Amounts(memory=GIB), TOTAL: Amounts(cores=100)}

    def test_a_groups_amounts_for_members_take_the_place_of_the_general_ones_field_by_field(self) -> None:
        configured = configuration(Amounts(clusters=2, workers=10), students=(Amounts(clusters=1), Amounts()))
        assert allowances(configured, "alice", ["students"])[ALICE] == Amounts(clusters=1, workers=10)
        assert allowances(configured, "alice", [])[ALICE] == Amounts(clusters=2, workers=10)

    def test_of_several_groups_the_most_generous_counts(self) -> None:
        configured = configuration(
            students=(Amounts(clusters=1, lifetime=60), Amounts()), staff=(Amounts(clusters=5, lifetime=30), Amounts())
        )
        assert allowances(configured, "alice", ["students", "staff"])[ALICE] == Amounts(clusters=5, lifetime=60)

    def test_the_shortest_of_all_lifetimes_counts(self) -> None:
        configured = configuration(
            Amounts(lifetime=60), Amounts(lifetime=90), students=(Amounts(), Amounts(lifetime=30))
        )
        assert lifetime_limit(allowances(configured, "alice", ["students"])) == 30
        assert lifetime_limit(allowances(configured, "alice", [])) == 60
        assert lifetime_limit({}) is None

    def test_a_lifetime_without_end_is_one_that_a_cluster_can_have(self) -> None:
        limit = lifetime_limit({ALICE: Amounts(lifetime=float("inf"))})
        assert limit == parse_cluster_config({"max_lifetime": limit}).max_lifetime

    def test_usage_counts_for_the_user_even_where_only_others_are_limited(self) -> None:
        configured = configuration(students=(Amounts(clusters=1), Amounts()))
        assert has_limits(configured)
        assert scopes(configured, "alice", []) == (ALICE, TOTAL)
        assert scopes(configured, "alice", ["students", "other", "students"]) == (ALICE, STUDENTS, TOTAL)


def test_a_cluster_uses_what_its_scheduler_and_its_workers_request() -> None:
    config = ClusterConfig(
        scheduler_cores=0.1, worker_cores=0.7, scheduler_memory=GIB, worker_memory=2 * GIB, worker_cores_limit=8
    )
    assert usage_of(config, {"": 3}) == Usage(clusters=1, workers=3, millicores=2200, memory=7 * GIB)
    assert worker_usage(config) == Usage(workers=1, millicores=700, memory=2 * GIB)


STEPS = st.lists(
    st.tuples(st.integers(0, 5), st.none() | st.tuples(st.lists(st.sampled_from(SCOPES), unique=True), USAGES)),
    max_size=60,
)


@given(STEPS)
def test_totals_are_the_sums_of_what_is_booked_whatever_was_booked_before(
    steps: list[tuple[int, tuple[list[Scope], Usage] | None]],
) -> None:
    ledger: Ledger[int] = Ledger()
    booked: dict[int, tuple[list[Scope], Usage]] = {}
    for key, entry in steps:
        if entry is None:
            ledger.remove(key)
            booked.pop(key, None)
        else:
            ledger.put(key, *entry)
            booked[key] = entry
        for scope in SCOPES:
            counted = {member: usage for member, (where, usage) in booked.items() if scope in where}
            assert ledger.used(scope) == sum(counted.values(), Usage())
            assert set(ledger.members(scope)) == set(counted)
    assert len(ledger) == len(booked)
    for key in range(6):
        assert (key in ledger) == (key in booked)
        assert ledger.booked(key) == (booked[key][1] if key in booked else None)


@given(ALLOWED, USED, CONFIGS)
def test_the_room_for_workers_is_the_largest_number_that_exceeds_nothing(
    allowed: dict[Scope, Amounts], used: dict[Scope, Usage], config: ClusterConfig
) -> None:
    room = room_for_workers(allowed, used.__getitem__, config)
    one = worker_usage(config)

    def asked(workers: int) -> Usage:
        return Usage(0, workers, workers * one.millicores, workers * one.memory)

    if room.workers is None:
        assert room.limit is None
        assert limits_on(allowed, one) == frozenset()
        return
    assert exceeded(allowed, used.__getitem__, asked(room.workers)) == []
    over = exceeded(allowed, used.__getitem__, asked(room.workers + 1))
    assert room.limit
    assert (room.limit.scope, room.limit.kind) in {(excess.scope, excess.kind) for excess in over}


@given(ALLOWED, USED, USAGES, USAGES)
def test_who_asks_for_more_exceeds_at_least_the_same_limits(
    allowed: dict[Scope, Amounts], used: dict[Scope, Usage], asked: Usage, more: Usage
) -> None:
    def limits(usage: Usage) -> set[tuple[Scope, Kind]]:
        return {(excess.scope, excess.kind) for excess in exceeded(allowed, used.__getitem__, usage)}

    assert limits(asked) <= limits(asked + more)


@given(ALLOWED, USED, CONFIGS, USAGES)
def test_where_more_is_used_no_more_workers_fit(
    allowed: dict[Scope, Amounts], used: dict[Scope, Usage], config: ClusterConfig, more: Usage
) -> None:
    fuller: Mapping[Scope, Usage] = {scope: usage + more for scope, usage in used.items()}
    before = room_for_workers(allowed, used.__getitem__, config).workers
    after = room_for_workers(allowed, fuller.__getitem__, config).workers
    assert (before is None) == (after is None)
    assert after is None or before is None or 0 <= after <= before


def test_a_limit_of_nothing_lets_nothing_in() -> None:
    allowed = {ALICE: Amounts(clusters=0, workers=0)}
    (excess,) = exceeded(allowed, lambda _: Usage(), usage_of(ClusterConfig(), {}))
    assert excess == Excess(ALICE, Kind.CLUSTERS, 0, 1, 0)
    assert excess.is_hopeless
    assert room_for_workers(allowed, lambda _: Usage(), ClusterConfig()).workers == 0


def test_what_nothing_is_asked_of_is_not_exceeded_though_the_limit_was_lowered() -> None:
    assert exceeded({ALICE: Amounts(workers=1)}, lambda _: Usage(workers=5), Usage(clusters=1)) == []


def test_tenths_of_cpus_add_up() -> None:
    config = ClusterConfig(worker_cores=0.1, scheduler_cores=0.1)
    assert room_for_workers({ALICE: Amounts(cores=0.4)}, lambda _: usage_of(config, {}), config).workers == 3


@pytest.mark.parametrize(
    ("excess", "sentence"),
    [
        (Excess(ALICE, Kind.CLUSTERS, 2, 1, 2), "2 of 2 clusters are yours already"),
        (Excess(STUDENTS, Kind.CLUSTERS, 5, 1, 5), "group students has 5 of 5 clusters already"),
        (Excess(TOTAL, Kind.CLUSTERS, 5, 1, 5), "all users together have 5 of 5 clusters already"),
        (Excess(ALICE, Kind.WORKERS, 9, 1, 9), "9 of 9 workers are yours already"),
        (
            Excess(STUDENTS, Kind.CORES, 90_000, 11_500, 100_000),
            "group students uses 90 of 100 CPUs, a new cluster needs at least 11.5 more",
        ),
        (
            Excess(ALICE, Kind.MEMORY, 3 * GIB, 2 * GIB, 4 * GIB),
            "your clusters use 3.00 GiB of 4.00 GiB of memory, a new cluster needs at least 2.00 GiB more",
        ),
        (
            Excess(TOTAL, Kind.CORES, 0, 2000, 1000),
            "all users' clusters may use 1 CPU together, a new cluster needs at least 2",
        ),
    ],
)
def test_a_limit_says_what_is_used_and_what_is_allowed(excess: Excess, sentence: str) -> None:
    assert excess.sentence() == sentence


@pytest.mark.parametrize(
    ("excess", "sentence"),
    [
        (Excess(ALICE, Kind.WORKERS, 9, 1, 9), "user alice has 9 of 9 workers already"),
        (Excess(ALICE, Kind.CORES, 0, 2000, 1000), "clusters of user alice may use 1 CPU together, one needs 2"),
        (Excess(ALICE, Kind.CORES, 900, 200, 1000), "clusters of user alice use 0.9 of 1 CPU, one needs 0.2 more"),
        (Excess(STUDENTS, Kind.WORKERS, 9, 1, 9), "group students has 9 of 9 workers already"),
    ],
)
def test_an_administrator_is_told_whose_limit_it_is(excess: Excess, sentence: str) -> None:
    assert excess.sentence("one needs", to_owner=False) == sentence


def test_a_limit_says_what_a_worker_needs() -> None:
    room = room_for_workers(
        {STUDENTS: Amounts(cores=10)}, lambda _: Usage(millicores=9500), ClusterConfig(worker_cores=1)
    )
    assert room.workers == 0
    assert room.limit
    assert room.limit.sentence("a worker needs") == "group students uses 9.5 of 10 CPUs, a worker needs 1 more"


def test_usage_counts_each_groups_own_sizes() -> None:
    config = parse_cluster_config({"worker_groups": {"gpu": {"worker_cores": 4, "worker_memory": "8 G"}}})
    assert usage_of(config, {"": 2, "gpu": 3}) == Usage(
        clusters=1, workers=5, millicores=(1 + 2 + 12) * 1000, memory=(2 + 4 + 24) * GIB
    )


def test_how_many_workers_are_in_what_is_booked_is_told_by_whatever_there_is_least_of() -> None:
    one = Usage(workers=1, millicores=500, memory=2)
    assert Usage(workers=4, millicores=1500, memory=9).holds(one) == 3
    assert Usage(workers=4, millicores=9000, memory=3).holds(one) == 1
    assert Usage(workers=2).holds(Usage(workers=1)) == 2
    assert (Usage() - one).holds(one) == 0
    assert one.holds(Usage()) == 0
