"""Operators' own authenticator classes."""

import asyncio
from typing import Any

import httpx
import pytest

from gateway_common.errors import InvalidConfig
from tests.kit.auth import auth_client
from tests.kit.credentials import basic_credentials
from tests.kit.operators_authenticators import hanging
from tests.kit.scripted_server import Exchange, scripted_server
from tests.kit.waiting import until

PLACE = "tests.kit.operators_authenticators"


def custom(name: str, timeout: float = 30.0, **config: Any) -> dict[str, Any]:
    return {
        "authenticator": "custom",
        "custom": {"class_name": f"{PLACE}.{name}", "config": config, "timeout": timeout},
    }


async def ask(client: httpx.AsyncClient, **request: Any) -> httpx.Response:
    return await client.post("/authenticate", json={"headers": {}, **request})


async def test_headers_cookies_and_query_say_who_it_is() -> None:
    async with auth_client(**custom("HeaderOfProxy", header="X-User")) as client:
        assert (await client.get("/methods")).json()["reads_whole_request"] is True
        headers = {"x-user": "alice", "cookie": "a=b; role=admin"}
        answer = (await ask(client, headers=headers, query="group=a&group=b")).json()
        assert answer["principal"] == {"name": "alice", "groups": ["a", "b"], "admin": True, "attributes": {}}
        assert (answer["reusable_for"], answer["expires_in"]) == (0, 300)
        refused = await ask(client, headers={"cookie": 'bad"; ;=;'})
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Proxy")


async def test_what_a_class_puts_on_a_user_goes_along_where_it_is_json(caplog: pytest.LogCaptureFixture) -> None:
    async with auth_client(**custom("SaysMore")) as client:
        answer = await ask(client, headers={"x-remote-user": "alice"})
    assert answer.json()["principal"]["attributes"] == {"profiles": ["small", "large"], "teams": ["blue", "red"]}
    said = [record.message for record in caplog.records if "gets no further" in record.message]
    assert said == ["SaysMore: user.connection gets no further: object is not JSON"]


@pytest.mark.filterwarnings("ignore:It is recommended to use web.AppKey")  # which came after these classes
async def test_a_class_prepares_keeps_things_and_changes_the_answer() -> None:
    async with auth_client(**custom("WithState")) as client:
        answer = (await ask(client, query="key=key")).json()
        assert answer["principal"]["name"] == "alice"
        assert answer["headers"] == {"X-Proof": "it is me", "Set-Cookie": "visited=yes; Path=/"}
        assert (await ask(client, query="key=other")).status_code == 401


async def test_a_subclass_of_a_known_class_adds_to_it() -> None:
    async with auth_client(**custom("Stricter", password="right")) as client:
        alice = await ask(client, headers=basic_credentials("alice", "right"))
        assert alice.json()["principal"]["groups"] == ["everybody"]
        for user, password in (("alice", "wrong"), ("mallory", "right")):
            refused = await ask(client, headers=basic_credentials(user, password))
            assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Basic")


async def test_a_subclass_for_a_hub_has_the_session_of_its_base() -> None:
    async def hub(exchange: Exchange) -> None:
        await exchange.answer(200, {"name": "alice"} if exchange.path == "/user" else ["blue", "red"])

    async with (
        scripted_server(hub) as server,
        auth_client(**custom("HubWithTeams", jupyterhub_api_url=server.url)) as client,
    ):
        answer = await ask(client, headers={"authorization": "jupyterhub abc"})
    assert answer.json()["principal"] == {"name": "alice", "groups": ["blue", "red"], "admin": False, "attributes": {}}


@pytest.mark.parametrize(
    "how",
    [
        "raises",
        "returns text",
        "answers 502",
        "answers 599",
        "exits",
        "cancels",
        pytest.param("exits in a task", id="task"),
    ],
)
async def test_a_class_that_fails_is_not_the_users_fault_and_the_log_says_why(
    how: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with auth_client(**custom("Broken", how=how)) as client:
        answer = await ask(client)
        assert (await ask(client)).status_code == 503, "and the next user is answered, too"
    assert (answer.status_code, "retry-after" in answer.headers) == (503, True)
    assert "secret" not in answer.text
    assert "Broken" in caplog.text


async def test_a_class_that_gives_up_in_its_own_words_is_quoted_with_its_status() -> None:
    async with auth_client(**custom("Broken", how="says why")) as client:
        answer = await ask(client)
    assert answer.status_code == 500
    assert answer.json() == {"error": "Ask for the role dask_gateway_developer", "from_class": True}


async def test_a_request_that_hangs_is_ended() -> None:
    hanging.clear()
    async with auth_client(**custom("Broken", timeout=0.2, how="hangs")) as client:
        assert (await ask(client)).status_code == 503
        (task,) = hanging
        assert task is not None
        await until(task.done)
    assert task.cancelled()


async def test_a_class_that_blocks_keeps_nobody_else_waiting() -> None:
    async with auth_client(**custom("Broken", timeout=0.2, how="blocks")) as client:
        asking = asyncio.create_task(ask(client))
        assert (await client.get("/health")).status_code == 200
        assert not asking.done()
        assert (await asking).status_code == 503


async def test_what_is_wrong_with_a_class_is_an_error_at_the_start() -> None:
    for settings, text in (
        (custom("BrokenSetup"), "no such file"),
        (custom("Missing"), "can't be imported"),
        (custom("HeaderOfProxy", heder="x"), "no traitlet heder"),
        (custom("HeaderOfProxy", header=7), "header"),
        ({"authenticator": "custom"}, r"gateway\.auth\.custom\.class"),
    ):
        with pytest.raises(InvalidConfig, match=text):
            async with auth_client(**settings):
                pass
