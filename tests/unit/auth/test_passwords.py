"""Users with passwords of their own."""

import asyncio
import logging
import os
import threading
from collections import Counter
from pathlib import Path

import bcrypt
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_auth.authenticators.passwords import PasswordHashes, matches
from gateway_auth.authenticators.simple import MOST_WAITING
from gateway_common.configuration.auth import PASSWORD_HASH, AuthGroup
from gateway_common.errors import InvalidConfig
from tests.kit.auth import auth_client
from tests.kit.credentials import basic_credentials
from tests.kit.waiting import until


def hashed(password: str) -> str:
    """As `htpasswd -B` makes it, at the least cost that there is."""
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()


async def ask(client: httpx.AsyncClient, user: str, password: str) -> int:
    answer = await client.post("/authenticate", json={"headers": basic_credentials(user, password)})
    return answer.status_code


async def test_whoever_has_a_password_of_their_own_has_no_other() -> None:
    users = {"alice": hashed("hers"), "bob": hashed("pässwörd")}
    async with auth_client(simple={"password": "shared", "users": users}) as client:
        assert await ask(client, "alice", "hers") == 200
        assert await ask(client, "bob", "pässwörd") == 200
        assert await ask(client, "carol", "shared") == 200
        for user, password in (("alice", "shared"), ("alice", ""), ("bob", "hers"), ("carol", "hers"), ("carol", "")):
            assert await ask(client, user, password) == 401


async def test_without_a_shared_password_others_are_refused() -> None:
    async with auth_client(simple={"users": {"alice": hashed("hers")}}) as client:
        assert await ask(client, "alice", "hers") == 200
        assert await ask(client, "mallory", "anything") == 401
        assert await ask(client, "", "") == 401


async def test_a_file_of_users_is_read_again_when_it_has_changed(tmp_path: Path) -> None:
    file = tmp_path / "users"
    file.write_text(f"# ours\nalice:{hashed('one')}\n\n")
    async with auth_client(simple={"users_file": str(file)}) as client:
        assert await ask(client, "alice", "one") == 200
        file.write_text(f"alice:{hashed('two')}\nbob:{hashed('his')}\n")
        assert await ask(client, "alice", "one") == 401
        assert await ask(client, "alice", "two") == 200
        assert await ask(client, "bob", "his") == 200


def test_a_file_that_becomes_wrong_changes_nothing_and_the_log_does_not_repeat_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "users"
    file.write_text(f"alice:{hashed('one')}\n")
    users = PasswordHashes({}, file)
    known = users.find("alice")
    for broken in (b"alice:plain secret\n", b"\xff\xfe"):
        file.write_bytes(broken)
        with caplog.at_level(logging.ERROR):
            assert users.find("alice") == known
        assert str(file) in caplog.text
        assert "plain secret" not in caplog.text
        caplog.clear()
    file.unlink()
    assert users.find("alice") == known


@pytest.mark.parametrize("text", ["alice", "alice:", ":x", "alice:$2b$12$short", "alice:secret"])
def test_a_file_that_is_wrong_at_the_start_is_an_error(tmp_path: Path, text: str) -> None:
    file = tmp_path / "users"
    file.write_text(f"# users\n{text}\n")
    with pytest.raises(InvalidConfig, match=r"line 2: expected name:hash") as error:
        PasswordHashes({}, file)
    assert "secret" not in str(error.value)


def test_a_file_that_is_missing_at_the_start_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig, match="can't be read"):
        PasswordHashes({}, tmp_path / "missing")


GOOD = hashed("hers")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("secret", id="plain text"),
        pytest.param(GOOD.replace("$04$", "$03$"), id="less than the least cost"),
        pytest.param(GOOD.replace("$04$", "$31$"), id="a cost of days"),
        pytest.param(f"{GOOD[:28]}A{GOOD[29:]}", id="a salt of more than 128 bits"),
        pytest.param(f"{GOOD}\n", id="a line's end"),
    ],
)
def test_a_hash_that_is_none_is_an_error_of_the_configuration(text: str) -> None:
    with pytest.raises(ValueError, match="users"):
        auth_settings({"alice": text})


@given(st.from_regex(PASSWORD_HASH.replace("0[4-9]|1[0-7]", "04"), fullmatch=True))
def test_whatever_is_taken_for_a_hash_can_be_compared_with(text: str) -> None:
    assert not matches(b"a guess", text.encode())


async def test_unknown_users_are_compared_with_others_hashes_so_that_the_time_does_not_tell_them_apart(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    compared: list[bytes] = []

    def record(password: bytes, hash_: bytes) -> bool:
        compared.append(hash_)
        return matches(password, hash_)

    monkeypatch.setattr("gateway_auth.authenticators.simple.matches", record)
    costs = {user: bcrypt.hashpw(b"x", bcrypt.gensalt(cost)).decode() for user, cost in (("alice", 4), ("bob", 6))}
    file = tmp_path / "users"
    file.write_text(f"bob:{costs['bob']}\n")
    async with auth_client(simple={"users": {"alice": costs["alice"]}, "users_file": str(file)}) as client:
        for number in range(40):
            assert await ask(client, f"stranger{number % 20}", "x") == 401
    assert compared[:20] == compared[20:], "of each the same every time"
    assert {each.decode() for each in compared} == set(costs.values())


async def test_a_file_without_users_lets_nobody_in(tmp_path: Path) -> None:
    file = tmp_path / "users"
    file.write_text("# nobody yet\n")
    async with auth_client(simple={"users_file": str(file)}) as client:
        assert await ask(client, "alice", "") == 401


def auth_settings(users: dict[str, str]) -> object:
    return AuthGroup.model_validate({"simple": {"users": users}})


def test_passwords_that_bcrypt_would_choke_on_are_compared_as_htpasswd_does() -> None:
    long = "x" * 100
    assert matches(long.encode(), bcrypt.hashpw(long.encode()[:72], bcrypt.gensalt(4)))
    assert not matches(b"secret\0", hashed("other").encode())
    assert not matches(os.urandom(50), hashed("other").encode())


async def test_a_flood_of_made_up_users_does_not_keep_those_from_elsewhere_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[bytes] = []
    origins: list[str] = []
    go_on = threading.Event()

    def slowly(password: bytes, hashed: bytes) -> bool:
        asked.append(password)
        go_on.wait(60)
        return matches(password, hashed)

    def note(address: str) -> str:
        origins.append(address)
        return address

    monkeypatch.setattr("gateway_auth.authenticators.simple.matches", slowly)
    # from here on nothing lies between a request and its place in the line
    monkeypatch.setattr("gateway_auth.authenticators.simple.network_of", note)

    async def sign_in(user: str, password: str, client: str) -> int:
        body = {"headers": basic_credentials(user, password), "client": client}
        return (await auth.post("/authenticate", json=body)).status_code

    async with auth_client(simple={"users": {"alice": hashed("hers")}}) as auth:
        flood = [asyncio.create_task(sign_in(f"nobody{number}", "guess", "192.0.2.1")) for number in range(120)]
        await until(lambda: sum(task.done() for task in flood) == 120 - MOST_WAITING - 1)
        alice = asyncio.create_task(sign_in("alice", "hers", "198.51.100.1"))
        await until(lambda: "198.51.100.1" in origins)
        go_on.set()
        assert await alice == 200
        answers = Counter(await asyncio.gather(*flood))
    assert answers == {503: 120 - MOST_WAITING - 1, 401: MOST_WAITING + 1}
    assert asked.index(b"hers") <= 3
