"""Several ways to sign in at once."""

from typing import Any

import httpx
import pytest
import respx

from gateway_common.configuration.auth import AuthGroup
from tests.kit.auth import auth_client
from tests.kit.credentials import basic_credentials

HUB = "http://hub:8081/hub/api"
ISSUER = "https://issuer.example"
BOTH: dict[str, Any] = {
    "authenticators": ["simple", "jupyterhub", "oidc"],
    "simple": {"password": "right"},
    "jupyterhub": {"api_url": HUB},
    "oidc": {"issuer": ISSUER, "audience": ["gateway"]},
}


async def ask(client: httpx.AsyncClient, headers: dict[str, str]) -> httpx.Response:
    return await client.post("/authenticate", json={"headers": headers})


async def test_the_first_that_accepts_decides(respx_mock: respx.MockRouter) -> None:
    respx_mock.get(f"{HUB}/user").respond(json={"name": "bob"})
    async with auth_client(**BOTH) as client:
        assert (await client.get("/methods")).json()["challenges"] == ["Basic", "jupyterhub", "Bearer"]
        alice = await ask(client, basic_credentials("alice", "right"))
        bob = await ask(client, {"authorization": "jupyterhub abc"})
    assert (alice.json()["principal"]["name"], bob.json()["principal"]["name"]) == ("alice", "bob")


async def test_who_is_refused_hears_of_all_ways_and_how_their_own_failed() -> None:
    async with auth_client(**BOTH) as client:
        nothing = await ask(client, {})
        wrong = await ask(client, basic_credentials("alice", "wrong"))
        bad = await ask(client, {"authorization": "Bearer nonsense"})
    assert nothing.headers.get_list("www-authenticate") == ["Basic", "jupyterhub", "Bearer"]
    assert wrong.headers.get_list("www-authenticate") == ["Basic", "jupyterhub", "Bearer"]
    assert bad.headers.get_list("www-authenticate") == ['Bearer error="invalid_token"', "Basic", "jupyterhub"]
    assert {answer.status_code for answer in (nothing, wrong, bad)} == {401}


async def test_one_that_is_away_matters_only_to_those_who_come_to_it(respx_mock: respx.MockRouter) -> None:
    respx_mock.get(f"{HUB}/user").mock(side_effect=httpx.ConnectError("away"))
    async with auth_client(**BOTH) as client:
        assert (await ask(client, basic_credentials("alice", "right"))).status_code == 200
        assert (await ask(client, basic_credentials("alice", "wrong"))).status_code == 401
        assert (await ask(client, {"authorization": "jupyterhub abc"})).status_code == 503


def test_a_login_that_is_not_on_is_an_error() -> None:
    with pytest.raises(ValueError, match="login: oidc is none of the authenticators that are on"):
        AuthGroup.model_validate({"login": "oidc"})
