"""Failed sign-ins are slowed, and nothing else is."""

import asyncio
from collections import Counter
from typing import Any

import bcrypt
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_auth.throttle import ADDRESS_FACTOR, Throttle
from gateway_common.configuration.auth import ThrottleSettings
from tests.kit.auth import auth_client
from tests.kit.credentials import basic_credentials

SETTINGS = ThrottleSettings(free_failures=3, base_delay=1, max_delay=8, forget_after=100)


def wait(throttle: Throttle, user: str, address: str, now: float) -> float:
    """Of one try at that moment."""
    seconds = throttle.begin(user, address, now)
    if not seconds:
        throttle.end(user, address)
    return seconds


def test_the_first_failures_are_free_and_each_further_one_costs_twice_as_much() -> None:
    throttle = Throttle(SETTINGS)
    waits = []
    for _ in range(8):
        throttle.failed("alice", "10.0.0.1", 0.0)
        waits.append(wait(throttle, "alice", "10.0.0.1", 0.0))
    assert waits == [0, 0, 0, 1, 2, 4, 8, 8]
    assert wait(throttle, "alice", "10.0.0.1", 8.0) == 0


def test_others_do_not_wait_for_whoever_guesses() -> None:
    throttle = Throttle(SETTINGS)
    for _ in range(6):
        throttle.failed("alice", "10.0.0.1", 0.0)
    assert wait(throttle, "bob", "10.0.0.1", 0.0) == 0
    assert wait(throttle, "alice", "10.0.0.2", 0.0) == 0


def test_an_address_that_tries_many_users_waits_with_all_of_them() -> None:
    throttle = Throttle(SETTINGS)
    for number in range(SETTINGS.free_failures * ADDRESS_FACTOR + 1):
        throttle.failed(f"user{number}", "2001:db8::1", 0.0)
    assert wait(throttle, "somebody", "2001:db8::ffff:2", 0.0) == 1, "whoever has one address has the whole /64"
    assert wait(throttle, "somebody", "2001:db8:0:1::1", 0.0) == 0


def test_success_and_time_make_up_for_failures() -> None:
    throttle = Throttle(SETTINGS)
    for _ in range(5):
        throttle.failed("alice", "10.0.0.1", 0.0)
    throttle.succeeded("alice", "10.0.0.1")
    assert wait(throttle, "alice", "10.0.0.1", 0.0) == 0
    for _ in range(5):
        throttle.failed("bob", "10.0.0.1", 0.0)
    throttle.failed("bob", "10.0.0.1", 200.0)
    assert wait(throttle, "bob", "10.0.0.1", 200.0) == 0


def test_tries_that_are_not_decided_yet_count_like_failed_ones() -> None:
    throttle = Throttle(SETTINGS)
    waits = [throttle.begin("alice", "10.0.0.1", 0.0) for _ in range(6)]
    assert waits == [0, 0, 0, 0, 1, 1]
    assert throttle.begin("bob", "10.0.0.1", 0.0) == 0
    throttle.end("alice", "10.0.0.1")
    assert wait(throttle, "alice", "10.0.0.1", 0.0) == 0


def test_beyond_the_free_failures_there_is_one_try_at_a_time() -> None:
    throttle = Throttle(SETTINGS)
    for _ in range(5):
        throttle.failed("alice", "10.0.0.1", 0.0)
    assert throttle.begin("alice", "10.0.0.1", 10.0) == 0
    assert throttle.begin("alice", "10.0.0.1", 10.0) == 4
    throttle.end("alice", "10.0.0.1")
    assert throttle.begin("alice", "10.0.0.1", 10.0) == 0


@given(st.lists(st.tuples(st.text(max_size=3), st.text(max_size=3), st.floats(0, 1e6)), max_size=300))
def test_memory_and_waits_are_bounded_whatever_is_tried(tries: list[tuple[str, str, float]]) -> None:
    throttle = Throttle(SETTINGS.model_copy(update={"max_entries": 100}))
    for user, address, now in tries:
        throttle.failed(user, address, now)
        assert len(throttle) <= 100
        assert 0 <= wait(throttle, user, address, now) <= SETTINGS.max_delay


async def test_who_guesses_a_password_is_told_to_wait_and_then_even_the_right_one_has_to() -> None:
    times = iter(float(second) for second in range(2_000_000_000))
    clock: dict[str, Any] = {"now": next(times)}
    throttle = {"free_failures": 2, "base_delay": 10}
    async with auth_client(lambda: clock["now"], simple={"password": "right"}, throttle=throttle) as client:

        async def ask(password: str, address: str = "10.0.0.1") -> httpx.Response:
            body = {"headers": basic_credentials("alice", password), "client": address}
            return await client.post("/authenticate", json=body)

        assert [(await ask("wrong")).status_code for _ in range(3)] == [401, 401, 401]
        slowed = await ask("right")
        assert (slowed.status_code, slowed.headers["retry-after"]) == (429, "10")
        assert slowed.json() == {"error": "Too many failed attempts to sign in"}
        assert (await ask("right", "10.0.0.2")).status_code == 200
        clock["now"] += 10
        assert (await ask("right")).status_code == 200


async def test_guesses_that_come_at_once_are_no_more_than_those_that_come_one_by_one() -> None:
    users = {"alice": bcrypt.hashpw(b"right", bcrypt.gensalt(4)).decode()}
    async with auth_client(simple={"users": users}, throttle={"free_failures": 5}) as client:

        async def ask(number: int) -> int:
            body = {"headers": basic_credentials("alice", f"guess {number}"), "client": "10.0.0.1"}
            return (await client.post("/authenticate", json=body)).status_code

        statuses = Counter(await asyncio.gather(*map(ask, range(60))))
    assert statuses == {401: 6, 429: 54}


async def test_strangers_who_show_nothing_do_not_wait_for_each_other() -> None:
    settings = {"class_name": "tests.kit.operators_authenticators.HeaderOfProxy"}
    async with auth_client(authenticator="custom", custom=settings, throttle={"free_failures": 0}) as client:

        async def ask(number: int) -> int:
            body = {"headers": {"x-remote-user": f"user{number}"}, "client": "10.0.0.1"}
            return (await client.post("/authenticate", json=body)).status_code

        assert set(await asyncio.gather(*map(ask, range(60)))) == {200}


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer abc"}])
async def test_who_shows_nothing_has_tried_nothing(headers: dict[str, str]) -> None:
    async with auth_client(simple={"password": "right"}, throttle={"free_failures": 0}) as client:
        statuses = [(await client.post("/authenticate", json={"headers": headers})).status_code for _ in range(5)]
    assert statuses == [401] * 5


async def test_it_can_be_left_to_others() -> None:
    throttle = {"enabled": False, "free_failures": 0}
    async with auth_client(simple={"password": "right"}, throttle=throttle) as client:
        bad = {"headers": basic_credentials("alice", "wrong")}
        assert [(await client.post("/authenticate", json=bad)).status_code for _ in range(20)] == [401] * 20
