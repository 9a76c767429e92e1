"""Hubs that answer as no hub should, and hubs that ask for a certificate."""

import ssl
from pathlib import Path

import httpx
import pytest
import respx

from gateway_auth.authenticators.jupyterhub.loading import load_jupyterhub
from gateway_auth.logins.provider import AuthorizationRequest
from gateway_common.configuration.auth import AuthGroup
from gateway_common.errors import InvalidConfig
from tests.kit.auth import auth_client
from tests.kit.scripted_server import Exchange, scripted_server
from tests.kit.tls import make_key_pair

HUB = "http://hub:8081/hub/api"


def settings(**jupyterhub: object) -> AuthGroup:
    return AuthGroup.model_validate({"authenticator": "jupyterhub", "jupyterhub": {"api_url": HUB, **jupyterhub}})


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(500),
        httpx.Response(429),
        httpx.Response(302, headers={"location": "http://elsewhere/user"}),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json=["alice"]),
        httpx.Response(200, json={"kind": "user"}),
        httpx.Response(200, json={"name": "alice", "groups": 7}),
        httpx.Response(418, json={"name": "alice"}),
        httpx.ReadTimeout("slow"),
        httpx.ConnectError("away"),
    ],
)
async def test_a_hub_that_does_not_answer_properly_is_not_the_users_fault(
    respx_mock: respx.MockRouter, answer: httpx.Response | Exception
) -> None:
    respx_mock.get(f"{HUB}/user").mock(side_effect=[answer])
    async with auth_client(authenticator="jupyterhub", jupyterhub={"api_url": HUB}) as client:
        said = await client.post("/authenticate", json={"headers": {"authorization": "jupyterhub secret"}})
    assert said.status_code == 503
    assert "retry-after" in said.headers
    assert "secret" not in said.text


@pytest.mark.parametrize(
    ("document", "name"),
    [
        ({"kind": "user", "name": "alice"}, "alice"),
        ({"name": "alice"}, "alice"),
        ({"kind": "service", "name": "airflow"}, "service:airflow"),
        ({"kind": "user", "name": "service:airflow"}, "user:service:airflow"),
    ],
)
async def test_users_and_services_have_names_that_differ(
    respx_mock: respx.MockRouter, document: dict[str, object], name: str
) -> None:
    route = respx_mock.get(f"{HUB}/user").respond(json=document)
    async with auth_client(authenticator="jupyterhub", jupyterhub={"api_url": HUB + "/"}) as client:
        answer = await client.post("/authenticate", json={"headers": {"authorization": "JupyterHub abc"}})
    assert answer.json()["principal"]["name"] == name
    assert route.calls.last.request.headers["authorization"] == "token abc"


def test_the_hubs_own_variables_are_enough() -> None:
    auth = AuthGroup.model_validate({"authenticator": "jupyterhub"})
    with pytest.raises(InvalidConfig, match=r"gateway\.auth\.jupyterhub\.apiUrl"):
        load_jupyterhub(auth, {})
    variables = {"JUPYTERHUB_API_URL": HUB, "JUPYTERHUB_API_TOKEN": "t", "JUPYTERHUB_SERVICE_NAME": "dask"}
    assert load_jupyterhub(auth, variables).login is not None
    assert load_jupyterhub(auth, {"JUPYTERHUB_API_URL": HUB}).login is None


@pytest.mark.parametrize(
    ("status", "document"), [(200, {"kind": "user", "name": "alice"}), (403, {"message": "no"}), (404, {})]
)
async def test_a_token_that_is_of_no_service_signs_no_browser_in(
    respx_mock: respx.MockRouter, status: int, document: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    respx_mock.get(f"{HUB}/user").respond(status, json=document)
    settings = {"api_url": HUB, "api_token": "t"}
    async with auth_client(authenticator="jupyterhub", jupyterhub=settings) as client:
        answer = await client.post("/login/start", json={"redirect_uri": "https://g/oauth_callback", "return_to": "/"})
    assert answer.status_code == 503
    assert "apiToken is of no service of the hub" in caplog.text


@pytest.mark.parametrize(
    ("api", "more", "expected"),
    [
        (HUB, {}, "/hub/"),
        ("http://proxy-http:8000/compute/hub/api/", {}, "/compute/hub/"),
        ("http://proxy/elsewhere", {}, "/hub/"),
        (
            HUB,
            {"JUPYTERHUB_HOST": "https://h.example.org", "JUPYTERHUB_BASE_URL": "/lab/"},
            "https://h.example.org/lab/hub/",
        ),
    ],
)
async def test_browsers_find_the_hub_where_its_api_is(api: str, more: dict[str, str], expected: str) -> None:
    variables = {"JUPYTERHUB_API_URL": api, "JUPYTERHUB_API_TOKEN": "t", "JUPYTERHUB_SERVICE_NAME": "dask", **more}
    login = load_jupyterhub(AuthGroup.model_validate({"authenticator": "jupyterhub"}), variables).login
    assert login is not None
    url = await login.authorization_url(AuthorizationRequest("https://gateway/oauth_callback", "state", "nonce", "x"))
    assert url.startswith(f"{expected}api/oauth2/authorize?")


def test_a_service_of_the_hubs_that_kubernetes_does_not_know_is_an_error_at_the_start() -> None:
    """The chart refers to its variables, which stay as they are written where there are none."""
    with pytest.raises(InvalidConfig, match="there is no Service `hub` in this namespace"):
        load_jupyterhub(settings(api_url="http://$(HUB_SERVICE_HOST):$(HUB_SERVICE_PORT)/hub/api"), {})


def test_scopes_can_not_be_checked_without_the_services_name() -> None:
    with pytest.raises(InvalidConfig, match="jupyterhubServiceName"):
        load_jupyterhub(settings(use_service_access_scopes=True), {})


async def test_the_hub_and_the_gateway_know_each_other_by_certificates(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    for file, text in zip((key, certificate), make_key_pair(), strict=True):
        file.write_text(text)
    of_hub = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=certificate)
    of_hub.load_cert_chain(certificate, key)
    of_hub.verify_mode = ssl.CERT_REQUIRED

    async def hub(exchange: Exchange) -> None:
        await exchange.answer(200, {"name": "alice"})

    async with scripted_server(hub, tls=of_hub) as server:
        known = {"api_url": server.url, "tls_ca": str(certificate)}
        shown = {**known, "tls_key": str(key), "tls_cert": str(certificate)}
        for tls, status in ((shown, 200), (known, 503), ({"api_url": server.url}, 503)):
            async with auth_client(authenticator="jupyterhub", jupyterhub=tls) as client:
                answer = await client.post("/authenticate", json={"headers": {"authorization": "jupyterhub abc"}})
            assert answer.status_code == status


def test_files_that_are_no_certificates_are_an_error_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig, match="tls_ca"):
        load_jupyterhub(settings(tls_ca=str(tmp_path / "missing.pem")), {})
