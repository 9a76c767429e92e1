"""The auth service and a real JupyterHub."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import pytest_asyncio

from gateway_common.tokens import SessionVerifier, dashboard_audience
from tests.kit.auth import auth_client
from tests.kit.jupyterhub import PASSWORD, SERVICE, SERVICE_TOKEN, Hub, running_hub

pytestmark = pytest.mark.asyncio(loop_scope="module")

CALLBACK = "http://127.0.0.1:1/oauth_callback"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hub(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Hub]:
    async with running_hub(tmp_path_factory.mktemp("hub"), callback=CALLBACK) as hub:
        yield hub


@asynccontextmanager
async def auth_of(hub: Hub, **settings: Any) -> AsyncIterator[httpx.AsyncClient]:
    known = {
        "api_url": hub.api_url,
        "api_token": SERVICE_TOKEN,
        "service_name": SERVICE,
        "public_url": f"{hub.url}hub/",
        **settings,
    }
    async with auth_client(authenticator="jupyterhub", jupyterhub=known) as client:
        yield client


async def ask(client: httpx.AsyncClient, token: str) -> httpx.Response:
    return await client.post("/authenticate", json={"headers": {"authorization": f"jupyterhub {token}"}})


async def who(client: httpx.AsyncClient, token: str) -> Any:
    answer = await ask(client, token)
    assert answer.status_code == 200, answer.text
    return answer.json()["principal"]


async def test_a_users_token_says_name_groups_and_whether_they_are_an_admin(hub: Hub) -> None:
    async with auth_of(hub) as client:
        alice = await who(client, await hub.token_of("alice"))
        root = await who(client, await hub.token_of("root"))
    assert (alice["name"], sorted(alice["groups"]), alice["admin"]) == ("alice", ["art", "science"], False)
    assert (root["name"], root["admin"]) == ("root", True)


async def test_the_hubs_admins_need_not_be_the_gateways(hub: Hub) -> None:
    async with auth_of(hub, admin_is_admin=False) as client:
        assert (await who(client, await hub.token_of("root")))["admin"] is False


async def test_a_service_is_no_user(hub: Hub) -> None:
    async with auth_of(hub) as client:
        assert (await who(client, "airflow-token-" + "0" * 26))["name"] == "service:airflow"


async def test_a_token_without_the_scope_is_refused_unless_that_does_not_matter(hub: Hub) -> None:
    narrow = await hub.token_of("alice", ["read:users:name!user=alice"])
    wide = await hub.token_of("alice", ["read:users:name!user=alice", f"access:services!service={SERVICE}"])
    async with auth_of(hub) as client:
        refused = await ask(client, narrow)
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "jupyterhub")
        assert (await who(client, wide))["name"] == "alice"
    async with auth_of(hub, use_service_access_scopes=False) as client:
        assert (await who(client, narrow))["name"] == "alice"


@pytest.mark.parametrize("token", ["", "nonsense", "a b", "x" * 5000, "tök", "..", "%00", '"; drop'])
async def test_what_is_no_token_of_the_hub_is_refused(hub: Hub, token: str) -> None:
    async with auth_of(hub) as client:
        answer = await ask(client, token)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "jupyterhub")
    assert answer.json() == {"error": "Authentication required"}


async def test_a_revoked_token_is_noticed_and_a_session_lasts_no_longer_than_the_hubs_word(hub: Hub) -> None:
    token = await hub.token_of("bob")
    async with auth_of(hub) as client:
        answer = (await ask(client, token)).json()
        assert (answer["expires_in"], answer["reusable_for"]) == (300, 60)
        await hub.revoke_tokens("bob")
        assert (await ask(client, token)).status_code == 401


async def test_while_the_hub_is_away_users_are_told_to_come_back(hub: Hub) -> None:
    token = await hub.token_of("alice")
    async with auth_of(hub) as client:
        await hub.stop()
        answer = await ask(client, token)
        assert (answer.status_code, answer.json()) == (503, {"error": "JupyterHub does not answer"})
        assert int(answer.headers["retry-after"]) >= 1
        await hub.start()
        assert (await who(client, token))["name"] == "alice"


async def sign_in_at(hub: Hub, location: str, user: str) -> dict[str, str]:
    """What a browser does with the hub's pages; the query with which it comes back."""
    async with httpx.AsyncClient(follow_redirects=True, trust_env=False, timeout=60) as browser:
        form = await browser.get(location)
        xsrf = re.search(r'name="_xsrf" value="([^"]+)"', form.text)
        assert xsrf, form.text
        answer = await browser.post(
            f"{hub.url}hub/login?{form.url.query.decode()}",
            data={"username": user, "password": PASSWORD, "_xsrf": xsrf[1]},
            follow_redirects=False,
        )
        for _ in range(10):
            assert answer.status_code == 302, answer.text
            location = str(answer.url.join(answer.headers["location"]))
            if location.startswith(CALLBACK):
                return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
            answer = await browser.get(location, follow_redirects=False)
    raise AssertionError("it never comes back")


@pytest.mark.parametrize("service", [SERVICE, ""])
async def test_a_browser_signs_in_at_the_hub(hub: Hub, service: str) -> None:
    """The hub itself says what the gateway is called there, where nobody else does."""
    cluster = "dask.2b5d4f7e"
    async with auth_of(hub, service_name=service) as client:
        assert (await client.get("/methods")).json()["login"] is True
        body = {"redirect_uri": CALLBACK, "return_to": f"/clusters/{cluster}/status", "dashboard": cluster}
        started = (await client.post("/login/start", json=body)).json()
        back = await sign_in_at(hub, started["location"], "alice")
        assert back["state"] == started["state"]
        finish = {"flow": started["flow"], "state": back["state"], "code": back["code"]}

        other = await client.post("/login/finish", json={**finish, "state": "another"})
        assert other.status_code == 401

        finished = (await client.post("/login/finish", json=finish)).json()
        assert finished["session"]["principal"]["name"] == "alice"
        assert finished["return_to"] == f"/clusters/{cluster}/status"
        keys = SessionVerifier((await client.get("/.well-known/jwks.json")).json(), audience="prod")
        session = keys.verify(finished["session"]["token"], 1.8e9, audience=dashboard_audience("prod", cluster))
        assert session.principal.name == "alice"

        again = await client.post("/login/finish", json=finish)
        assert again.status_code == 401, "a code is good for once"


async def test_a_browser_that_came_back_without_the_verifier_is_not_signed_in(hub: Hub) -> None:
    """PKCE: who stole the code alone, and has a flow of their own, gets nothing."""
    async with auth_of(hub) as client:
        body = {"redirect_uri": CALLBACK, "return_to": "/"}
        started = (await client.post("/login/start", json=body)).json()
        thief = (await client.post("/login/start", json=body)).json()
        back = await sign_in_at(hub, started["location"], "alice")
        stolen = {"flow": thief["flow"], "state": thief["state"], "code": back["code"]}
        assert (await client.post("/login/finish", json=stolen)).status_code == 401
