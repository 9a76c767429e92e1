"""No password, token or code is in any log, however a user signs in, and however much is logged."""

import logging
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from gateway_common.audit import configure_audit
from tests.kit.auth import auth_client
from tests.kit.credentials import basic_credentials
from tests.kit.oidc_issuer import CLIENT, SECRET, running_issuer
from tests.kit.oidc_issuer import PASSWORD as ISSUER_PASSWORD
from tests.kit.scripted_server import Exchange, scripted_server

PASSWORD = "correct horse battery"
CALLBACK = "http://gateway/oauth_callback"
OWN_TOKEN = "the-gateways-own-token-at-the-hub"


@pytest.fixture
def everything(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """All that is logged, down to what libraries say to those who debug them."""
    caplog.set_level(logging.DEBUG)
    return caplog


async def test_passwords(everything: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]) -> None:
    configure_audit(enabled=True)
    async with auth_client(simple={"password": PASSWORD}) as client:
        for password in (PASSWORD, PASSWORD[:-1]):
            for headers in (basic_credentials("alice", password), {"authorization": f"Basic {password}"}):
                await client.post("/authenticate", json={"headers": headers})
    said = everything.text + "".join(capsys.readouterr())
    assert '"outcome":"allowed"' in said
    assert '"outcome":"denied"' in said
    assert PASSWORD[:-1] not in said
    assert basic_credentials("alice", PASSWORD)["authorization"][6:20] not in said


@pytest.mark.parametrize("status", [200, 403, 500])
async def test_tokens_of_a_hub_and_its_own(
    everything: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str], status: int
) -> None:
    async def hub(exchange: Exchange) -> None:
        assert exchange.headers["authorization"] == "token alices-token"
        await exchange.answer(status, {"name": "alice"})

    configure_audit(enabled=True)
    async with (
        scripted_server(hub) as server,
        auth_client(authenticator="jupyterhub", jupyterhub={"api_url": server.url, "api_token": OWN_TOKEN}) as client,
    ):
        headers = {"authorization": "jupyterhub alices-token"}
        answer = await client.post("/authenticate", json={"headers": headers})
    assert answer.status_code == {200: 200, 403: 401, 500: 503}[status]
    said = everything.text + "".join(capsys.readouterr())
    assert "127.0.0.1" in said
    assert not [secret for secret in ("alices-token", OWN_TOKEN) if secret in said]


async def test_tokens_codes_and_the_secret_of_an_issuer(
    everything: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_audit(enabled=True)
    async with running_issuer() as issuer:
        oidc = {"issuer": issuer.url, "client_id": CLIENT, "client_secret": SECRET}
        async with auth_client(time.time, authenticator="oidc", oidc=oidc) as client:
            secrets = [issuer.token(), issuer.token(exp=1), SECRET, ISSUER_PASSWORD]
            for token, status in ((secrets[0], 200), (secrets[1], 401), (secrets[0][:-9], 401)):
                answer = await client.post("/authenticate", json={"headers": {"authorization": f"Bearer {token}"}})
                assert answer.status_code == status
            begun = (await client.post("/login/start", json={"redirect_uri": CALLBACK, "return_to": "/"})).json()
            with everything.at_level(logging.WARNING):  # the browser's own log
                came_back = await sign_in_at(begun["location"])
            secrets += [came_back["code"], begun["flow"]]
            finish = {"flow": begun["flow"], "state": came_back["state"], "code": came_back["code"]}
            for status in (200, 401):
                answer = await client.post("/login/finish", json=finish)
                assert answer.status_code == status, "a code is good once"
                secrets += [answer.json()["session"]["token"]] if status == 200 else []
    said = everything.text + "".join(capsys.readouterr())
    assert issuer.url in said
    assert not [secret for secret in secrets if secret[-40:] in said]


async def sign_in_at(location: str) -> dict[str, Any]:
    """What the browser of a user comes back with."""
    async with httpx.AsyncClient() as browser:
        answer = await browser.post(location, data={"user": "alice", "password": ISSUER_PASSWORD})
    query = parse_qs(urlsplit(answer.headers["location"]).query)
    return {name: values[0] for name, values in query.items()}
