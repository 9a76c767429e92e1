"""The auth service over HTTP, in this process: every route, and what it answers to what users may send."""

from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway_auth.app import create_app
from gateway_common.configuration.auth import AuthGroup
from gateway_common.configuration.model import Configuration
from gateway_common.principal import Principal
from gateway_common.tokens import SessionVerifier
from tests.kit.credentials import basic_credentials

NOW = 1_800_000_000.0
JSON = {"Content-Type": "application/json"}
UNAUTHORIZED = {"error": "Authentication required"}


#: Makes a client of a new service whose `auth` settings are the keyword arguments.
ClientFactory = Callable[..., httpx.AsyncClient]


@pytest.fixture
async def client_of() -> AsyncIterator[ClientFactory]:
    clients: list[httpx.AsyncClient] = []

    def make(**auth: Any) -> httpx.AsyncClient:
        settings = Configuration(instance="prod", auth=AuthGroup.model_validate(auth))
        transport = httpx.ASGITransport(create_app(settings, clock=lambda: NOW))
        clients.append(httpx.AsyncClient(transport=transport, base_url="http://auth"))
        return clients[-1]

    yield make
    for client in clients:
        await client.aclose()


@pytest.fixture
def client(client_of: ClientFactory) -> httpx.AsyncClient:
    return client_of(simple={"password": "pässwörd"})


async def authenticate(client: httpx.AsyncClient, headers: dict[str, str]) -> httpx.Response:
    body = {"method": "GET", "path": "/api/v1/clusters/", "headers": headers, "client": "10.0.0.7"}
    return await client.post("/authenticate", json=body)


async def test_a_user_gets_a_session_that_the_published_keys_verify(client: httpx.AsyncClient) -> None:
    response = await authenticate(client, basic_credentials("alice", "pässwörd"))
    assert response.status_code == 200
    answer = response.json()
    token = answer.pop("token")
    assert answer == {
        "principal": {"name": "alice", "groups": [], "admin": False, "attributes": {}},
        "expires_in": 3600,
        "reusable_for": 60,
        "headers": {},
    }
    verifier = SessionVerifier((await client.get("/.well-known/jwks.json")).json(), audience="prod")
    session = verifier.verify(token, NOW)
    assert session.principal == Principal("alice")
    assert session.expires_at == NOW + 3600


async def test_the_lifetimes_are_settings(client_of: ClientFactory) -> None:
    client = client_of(session_lifetime=7, simple={"reusable_for": 0})
    answer = (await authenticate(client, basic_credentials("alice"))).json()
    assert (answer["expires_in"], answer["reusable_for"]) == (7, 0)


@pytest.mark.parametrize("password", [None, ""])
async def test_without_a_password_any_will_do(client_of: ClientFactory, password: str | None) -> None:
    client = client_of(simple={"password": password})
    for given_password in ("", "anything", "a:b"):
        response = await authenticate(client, basic_credentials("bob", given_password))
        assert response.json()["principal"]["name"] == "bob"


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
async def test_names_and_passwords_may_be_in_either_encoding(client: httpx.AsyncClient, encoding: str) -> None:
    response = await authenticate(client, basic_credentials("Zoë", "pässwörd", encoding))
    assert response.status_code == 200
    assert response.json()["principal"]["name"] == "Zoë"


async def test_a_password_beyond_latin_1_works(client_of: ClientFactory) -> None:
    client = client_of(simple={"password": "密码"})
    assert (await authenticate(client, basic_credentials("李", "密码"))).json()["principal"]["name"] == "李"
    assert (await authenticate(client, basic_credentials("李", "码"))).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": ""},
        basic_credentials("alice", "wrong"),
        basic_credentials("alice", ""),
        basic_credentials("alice", "pässwörd "),
        {"authorization": "Basic"},
        {"authorization": "Basic "},
        {"authorization": "Basic !!!"},
        {"authorization": "Basic YWxpY2U"},
        {"authorization": "Basic YWxpY2U="},
        {"authorization": "Basic ünïcode"},
        {"authorization": "Bearer YWxpY2U6cGFzcw=="},
        {"authorization": "Negotiate abc"},
        {"authorization": "jupyterhub abc"},
        {"authorization": "Basic 😀"},
    ],
)
async def test_no_credentials_or_wrong_ones_get_the_challenge(
    client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    response = await authenticate(client, headers)
    assert response.status_code == 401
    assert response.json() == UNAUTHORIZED
    assert response.headers.get_list("www-authenticate") == ["Basic"]


async def test_the_scheme_is_read_in_any_case(client: httpx.AsyncClient) -> None:
    header = basic_credentials("alice", "pässwörd")["authorization"].removeprefix("Basic")
    for scheme in ("basic", "BASIC", "Basic  "):
        assert (await authenticate(client, {"authorization": scheme + header})).status_code == 200


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("", "The user name is empty."),
        ("x" * 254, "The user name is longer than 253 characters."),
        ("a\nb", "The user name holds a control character."),
        ("a\x00", "The user name holds a control character."),
        ("a\x85", "The user name holds a control character."),
        ("a\u2028", "The user name holds a control character."),
    ],
)
async def test_an_impossible_user_name_is_explained_to_those_who_know_the_password(
    client: httpx.AsyncClient, name: str, text: str
) -> None:
    response = await authenticate(client, basic_credentials(name, "pässwörd"))
    assert (response.status_code, response.json()) == (422, {"error": text})
    assert (await authenticate(client, basic_credentials(name, "wrong"))).status_code == 401


async def test_an_unusual_user_name_is_taken_as_it_is(client: httpx.AsyncClient) -> None:
    for name in ("x" * 253, "service.airflow", "Ann Lee", "o'hara@example.org", "名前"):
        response = await authenticate(client, basic_credentials(name, "pässwörd"))
        assert response.json()["principal"]["name"] == name


service_for_fuzzing = create_app(
    Configuration(instance="prod", auth=AuthGroup.model_validate({"throttle": {"enabled": False}}))
)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.text()
    | st.binary().map(lambda data: f"Basic {b64encode(data).decode()}")
    | st.from_regex(r"(?i)basic[ \t]*[A-Za-z0-9+/=_-]*", fullmatch=True)
)
async def test_no_authorization_header_makes_the_service_fail(header: str) -> None:
    transport = httpx.ASGITransport(service_for_fuzzing)
    async with httpx.AsyncClient(transport=transport, base_url="http://auth") as client:
        response = await authenticate(client, {"authorization": header})
    assert response.status_code in {200, 401, 422}
    if response.status_code == 401:
        assert response.headers["www-authenticate"] == "Basic"
    if response.status_code != 200:
        assert response.json()["error"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),
        (b"not json", 422),
        (b"[]", 422),
        (b"null", 422),
        (b"{}", 422),
        (b'{"headers": []}', 422),
        (b'{"headers": {"a": 1}}', 422),
        (b'{"headers": {"\\ud800": 1}}', 422),
        (b'{"headers": ' + b"[" * 50_000, 422),
        (b"\xff", 422),
    ],
)
async def test_a_body_that_is_not_as_described_is_the_callers_mistake(
    client: httpx.AsyncClient, body: bytes, status: int
) -> None:
    response = await client.post("/authenticate", content=body, headers=JSON)
    assert response.status_code == status
    assert response.json()["error"]


@pytest.mark.parametrize("path", ["/authenticate", "/login/start", "/login/finish"])
async def test_a_body_that_is_too_long_is_refused_before_it_is_read_whole(client: httpx.AsyncClient, path: str) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1
            yield b" " * 2**20

    response = await client.post(path, content=endless(), headers=JSON)
    assert response.status_code == 413
    assert response.json() == {"error": "The body must not be longer than 2097152 bytes"}
    assert sent == 3


async def test_half_a_character_in_a_header_is_no_credential(client: httpx.AsyncClient) -> None:
    response = await client.post(
        "/authenticate", content=b'{"headers": {"authorization": "Basic \\ud800"}}', headers=JSON
    )
    assert response.status_code == 401


async def test_a_refused_body_is_not_repeated(client: httpx.AsyncClient) -> None:
    response = await client.post("/authenticate", json={"headers": {"authorization": ["secret"]}})
    assert response.json() == {"error": "body.headers.authorization: Input should be a valid string"}


async def test_a_verifier_learns_the_challenges_beforehand(client: httpx.AsyncClient) -> None:
    assert (await client.get("/methods")).json() == {
        "challenges": ["Basic"],
        "reads_whole_request": False,
        "login": False,
    }


async def test_the_published_keys_hold_nothing_private(client: httpx.AsyncClient) -> None:
    response = await client.get("/.well-known/jwks.json")
    assert response.headers["cache-control"] == "public, max-age=300"
    (key,) = response.json()["keys"]
    assert set(key) == {"kty", "crv", "x", "y", "kid", "use", "alg"}


async def test_health_answers(client: httpx.AsyncClient) -> None:
    assert (await client.get("/health")).json() == {"status": "pass"}


async def test_what_is_not_there_is_answered_as_json(client: httpx.AsyncClient) -> None:
    missing = await client.get("/nothing")
    assert (missing.status_code, missing.json()) == (404, {"error": "Not Found"})
    wrong_method = await client.get("/authenticate")
    assert (wrong_method.status_code, wrong_method.json()) == (405, {"error": "Method Not Allowed"})
    assert wrong_method.headers["allow"] == "POST"


async def test_every_route_is_described_with_its_error_answers(client: httpx.AsyncClient) -> None:
    paths: dict[str, dict[str, Any]] = (await client.get("/openapi.json")).json()["paths"]
    assert set(paths) == {
        "/authenticate",
        "/login/start",
        "/login/finish",
        "/.well-known/jwks.json",
        "/methods",
        "/health",
    }
    for methods in paths.values():
        for operation in methods.values():
            assert operation["summary"]
            assert operation["description"]
            assert "500" in operation["responses"]
    assert {"200", "401", "422"} <= set(paths["/authenticate"]["post"]["responses"])


async def test_an_unexpected_failure_is_a_json_500_whose_id_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    def broken_clock() -> float:
        raise RuntimeError("no time today")

    app: FastAPI = create_app(Configuration(instance="prod"), clock=broken_clock)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://auth") as client:
        response = await authenticate(client, basic_credentials("alice"))
        assert response.status_code == 500
        request_id = response.json()["request_id"]
        assert response.json() == {"error": "Internal server error", "request_id": request_id}
        assert response.headers["x-request-id"] == request_id
        (record,) = [record for record in caplog.records if request_id in record.getMessage()]
        assert "no time today" in str(record.exc_info)
        assert "alice" not in record.getMessage()


async def test_a_request_id_goes_through_unless_it_could_forge_a_log_line(client: httpx.AsyncClient) -> None:
    kept = await client.get("/health", headers={"X-Request-ID": "abc-123"})
    assert kept.headers["x-request-id"] == "abc-123"
    for forged in ("a b", "x" * 129, "é"):
        replaced = await client.get("/health", headers={b"X-Request-ID": forged.encode()})
        assert len(replaced.headers["x-request-id"]) == 32


async def test_a_refusal_is_logged_with_its_reason_and_without_the_credentials(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "gateway_auth")
    await authenticate(client, basic_credentials("alice", "hunter2"))
    assert "Refused 10.0.0.7: wrong password" in caplog.text
    assert "hunter2" not in caplog.text


def test_starting_without_a_password_or_a_key_is_pointed_out(caplog: pytest.LogCaptureFixture) -> None:
    create_app(Configuration(instance="prod"))
    assert "whoever reaches the gateway can be any user" in caplog.text
    assert "only one replica can run" in caplog.text
