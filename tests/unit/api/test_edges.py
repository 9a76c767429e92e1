"""The api's edges: settings, the operator's options, routes, and the services that it calls."""

import time
from typing import Annotated, Any

import httpx
import pytest
import respx
from fastapi import APIRouter, Header, Request, Response
from pydantic import ValidationError

from gateway_api.auth_client import AuthClient, UserRequest
from gateway_api.direct_route import DirectRoute
from gateway_api.errors import AuthenticationRequired, InvalidRequest, TemporarilyUnavailable
from gateway_api.scheduler_client import SchedulerClient
from gateway_api.sessions.tokens import SessionTokens
from gateway_auth.signer import Signer, SigningKey
from gateway_common.configuration.model import Configuration
from gateway_common.principal import Principal

AUTH = "http://auth.test"
GOOD = {
    "principal": {"name": "alice", "groups": ["a"], "admin": False},
    "token": "t",
    "expires_in": 60,
    "reusable_for": 0,
    "headers": {},
}


@pytest.mark.parametrize("prefix", ["", "/", "/a/b", "/a/b/"])
def test_a_prefix_has_no_trailing_slash(prefix: str) -> None:
    settings = Configuration.model_validate({"instance": "i", "prefix": prefix})

    assert settings.prefix == prefix.rstrip("/")


@pytest.mark.parametrize(
    "settings",
    [
        {"prefix": "/a b"},
        {"api": {"prt": 1}},
        {"backend": {"no_such_field": 1}},
        {"backend": {"worker_memory": "much"}},
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Configuration.model_validate({"instance": "i", **settings})


def test_backend_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DASK_GATEWAY__INSTANCE", "i")
    for field, text in {
        "IMAGE": "1",
        "ENVIRONMENT": '{"A": "b"}',
        "WORKER_CORES": "2",
        "WORKER_MEMORY": "4 G",
        "SCHEDULER_CMD": '["dask", "scheduler"]',
    }.items():
        monkeypatch.setenv(f"DASK_GATEWAY__BACKEND__{field}", text)

    assert Configuration().backend == {
        "image": "1",
        "environment": {"A": "b"},
        "worker_cores": 2,
        "worker_memory": "4 G",
        "scheduler_cmd": ["dask", "scheduler"],
    }


def test_a_route_with_a_parameter_that_would_be_resolved_wrongly_is_refused_at_import() -> None:
    router = APIRouter(route_class=DirectRoute)

    async def with_header(request: Request, accept: Annotated[str, Header()]) -> Response:
        return Response()

    async def with_number(count: int = 1) -> Response:
        return Response()

    for endpoint in (with_header, with_number):
        with pytest.raises(TypeError, match="does not know"):
            router.get("/")(endpoint)


@pytest.mark.parametrize("host", ["10.1.2.3", "dask-x.ns", "fd00::1"])
def test_a_scheduler_is_called_by_address_or_name(host: str) -> None:
    url = httpx.URL(SchedulerClient()._url(host))

    assert (url.host, url.port, url.path) == (host, 8788, "/api/comm")


async def authenticate(answer: httpx.Response | Exception) -> Any:
    client = AuthClient(AUTH, timeout=1)
    with respx.mock(base_url=AUTH) as auth:
        route = auth.post("/authenticate")
        route.side_effect = [answer]
        try:
            return await client.authenticate(UserRequest("GET", "/", "", {"authorization": "x"}, "127.0.0.1"))
        finally:
            await client.close()


async def test_auths_answer_says_who_it_is() -> None:
    answer = await authenticate(httpx.Response(200, json=GOOD))

    assert answer.principal == Principal("alice", ("a",), False)


@pytest.mark.parametrize(("given", "passed_on"), [("abc-123", True), ("forged\nline", False), ("é", False)])
async def test_auth_hears_the_callers_request_id_unless_it_could_forge_a_log_line(given: str, passed_on: bool) -> None:
    client = AuthClient(AUTH, timeout=1)
    with respx.mock(base_url=AUTH) as auth:
        route = auth.post("/authenticate").respond(200, json=GOOD)
        await client.authenticate(UserRequest("GET", "/", "", {"x-request-id": given}, "127.0.0.1"))
    await client.close()

    assert (route.calls.last.request.headers["X-Request-ID"] == given) is passed_on


async def test_all_challenges_of_auth_are_passed_on() -> None:
    headers = [("WWW-Authenticate", "Negotiate"), ("WWW-Authenticate", "Basic")]

    with pytest.raises(AuthenticationRequired) as refused:
        await authenticate(httpx.Response(401, headers=headers))

    assert refused.value.challenges == ("Negotiate", "Basic")


async def test_what_auth_says_about_a_user_who_can_not_be_served_is_passed_on() -> None:
    with pytest.raises(InvalidRequest, match="name too long"):
        await authenticate(httpx.Response(422, json={"error": "name too long"}))


@pytest.mark.parametrize(
    "answer",
    [
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
        httpx.Response(500, text="oops"),
        httpx.Response(502, json={"error": "x"}),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={**GOOD, "principal": None}),
        httpx.Response(200, json={**GOOD, "headers": None}),
        httpx.Response(200, json={**GOOD, "expires_in": "soon"}),
    ],
)
async def test_an_auth_that_does_not_answer_properly_is_unavailable(answer: httpx.Response | Exception) -> None:
    with pytest.raises(TemporarilyUnavailable):
        await authenticate(answer)


class Keys(AuthClient):
    """Publishes the public halves of some keys, and counts how often it is asked."""

    def __init__(self, *keys: SigningKey) -> None:
        self.keys = keys
        self.asked = 0

    async def jwks(self) -> dict[str, Any]:
        self.asked += 1
        return signer(*self.keys).jwks()


def signer(*keys: SigningKey) -> Signer:
    return Signer(list(keys), audience="i", lifetime=60)


async def test_a_session_is_verified_once_and_forgotten_when_it_ends() -> None:
    now = time.time()
    key = SigningKey.generate()
    tokens = SessionTokens(Keys(key), audience="i", clock=lambda: now)
    token = signer(key).sign(Principal("alice"), now)

    assert tokens.known(token) is None
    assert await tokens.verify(token) == Principal("alice")
    assert tokens.known(token) == Principal("alice")
    now += 61
    assert tokens.known(token) is None


async def test_new_keys_are_looked_for_but_not_for_every_made_up_token() -> None:
    now = time.time()
    old, new = SigningKey.generate(), SigningKey.generate()
    keys = Keys(old)
    tokens = SessionTokens(keys, audience="i", clock=lambda: now)
    await tokens.verify(signer(old).sign(Principal("alice"), now))
    fresh = signer(new).sign(Principal("alice"), now)

    for _ in range(5):
        assert await tokens.verify(fresh) is None
    assert keys.asked == 1
    keys.keys = (new, old)
    now += 11
    assert await tokens.verify(fresh) == Principal("alice")
    assert keys.asked == 2
