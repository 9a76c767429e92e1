"""What holds for every request: who is calling, bodies, errors, documents."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway_common import __version__
from gateway_common.configuration.groups import KubeSettings
from tests.kit.api import PASSWORD, Api, running_api
from tests.kit.credentials import basic_credentials

COOKIE = "dask-gateway-session"


@pytest.fixture
async def by_user(kube: KubeSettings, namespace: str) -> AsyncIterator[Api]:
    async with running_api(kube, namespace, cluster_options="tests.kit.api_options:by_user", prefix="/gw/") as running:
        yield running


async def test_health_and_version_are_open_to_everybody(api: Api) -> None:
    health, version = await api.client().get("/api/health"), await api.client().get("/api/version")

    assert (health.status_code, health.json()) == (200, {"status": "pass"})
    assert version.json() == {"version": __version__}


async def test_a_request_without_credentials_gets_the_challenge_without_asking_auth_each_time(api: Api) -> None:
    answers = [await api.client().get("/api/v1/clusters/") for _ in range(3)]

    for answer in answers:
        assert (answer.status_code, answer.json()) == (401, {"error": "Authentication required"})
        assert answer.headers.get_list("www-authenticate") == ["Basic"]
    assert api.auth.paths == ["/methods"]


async def test_the_cookie_of_the_first_answer_is_all_that_later_requests_need(api: Api) -> None:
    client = api.client()
    first = await client.get("/api/v1/options", headers=basic_credentials("alice", PASSWORD))
    api.auth.paths.clear()

    answers = [await client.get("/api/v1/options") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200] * 3
    assert api.auth.paths == ["/.well-known/jwks.json"]
    attributes = first.headers["set-cookie"].split("; ")
    assert attributes[0].startswith(f"{COOKIE}=")
    assert set(attributes[2:]) == {"Path=/api", "HttpOnly", "SameSite=Lax"}


@pytest.mark.parametrize(("proto", "secure"), [("https", True), ("http", False), ("https, http", True)])
async def test_the_cookie_is_secure_and_below_the_prefix_where_the_outside_is(
    by_user: Api, proto: str, secure: bool
) -> None:
    client = by_user.client(**basic_credentials("alice", PASSWORD))

    cookie = (await client.get("/api/v1/options", headers={"x-forwarded-proto": proto})).headers["set-cookie"]

    assert ("Secure" in cookie.split("; ")) is secure
    assert "Path=/gw/api" in cookie.split("; ")


async def test_the_same_credentials_are_asked_about_once_a_while_even_when_shown_at_once(api: Api) -> None:
    headers = basic_credentials("alice", PASSWORD)

    answers = await asyncio.gather(*(api.client().get("/api/v1/options", headers=headers) for _ in range(8)))

    assert {answer.status_code for answer in answers} == {200}
    assert api.auth.paths == ["/authenticate"]


async def test_an_error_answer_starts_a_session_too(api: Api) -> None:
    answer = await api.user("alice").get("/api/v1/clusters/x")

    assert answer.status_code == 404
    assert COOKIE in answer.headers["set-cookie"]


@pytest.mark.parametrize(
    "value",
    [
        b"Basic",
        b"Basic ",
        b"Basic !!!",
        b"Basic YWxpY2U6d3Jvbmc=",
        b"Basic \xff\xfe",
        b"Bearer x",
        b"Negotiate",
        b"t\xc3\xb6ken x",
        b"token",
        b"",
        b"x" * 20_000,
        b"Basic " + b"A" * 5_000_000,
    ],
)
async def test_credentials_that_are_none_are_answered_with_the_challenge(api: Api, value: bytes) -> None:
    answer = await api.client().get("/api/v1/clusters/", headers=[(b"authorization", value)])

    assert (answer.status_code, answer.json()) == (401, {"error": "Authentication required"})
    assert answer.headers["www-authenticate"] == "Basic"


@pytest.mark.parametrize("value", [b"", b"x", b"a.b.c", b"\xff", b"x" * 20_000, b'"quoted"', b"eyJ.eyJ.sig"])
async def test_a_cookie_that_proves_nothing_counts_for_nothing(api: Api, value: bytes) -> None:
    cookie = (b"cookie", COOKIE.encode() + b"=" + value)

    assert (await api.client().get("/api/v1/options", headers=[cookie])).status_code == 401
    credentials = [(key.encode(), text.encode()) for key, text in basic_credentials("alice", PASSWORD).items()]
    assert (await api.client().get("/api/v1/options", headers=[cookie, *credentials])).status_code == 200


async def test_without_auth_sessions_go_on_and_newcomers_are_told_to_come_back(api: Api) -> None:
    alice = api.client()
    await alice.get("/api/v1/options", headers=basic_credentials("alice", PASSWORD))
    await alice.get("/api/v1/options")
    api.auth.cut = True

    assert (await alice.get("/api/v1/options")).status_code == 200
    for answer in (await api.user("bob").get("/api/v1/options"), await api.client().get("/api/v1/options")):
        assert answer.status_code == 503
        assert answer.json() == {"error": "Authentication is not available now"}
        assert int(answer.headers["retry-after"]) > 0


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", "The request's body must be JSON: "),
        (b"{", "The request's body must be JSON: "),
        (b"\xff", "The request's body must be JSON: "),
        (b'{"cluster_options": NaN}', "The request's body must be JSON: "),
        (b"[]", "The request's body must be a JSON object"),
        (b"null", "The request's body must be a JSON object"),
        (b'{"cluster_options": []}', "cluster_options: input should be a valid dictionary, got []"),
    ],
)
async def test_a_body_that_is_no_json_object_is_refused_in_words(api: Api, body: bytes, error: str) -> None:
    answer = await api.user("alice").post("/api/v1/clusters/", content=body)

    assert answer.status_code == 422
    assert answer.json()["error"].startswith(error)


async def test_a_body_that_is_too_long_is_refused_before_it_is_read_whole(api: Api) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 100:
            sent += 1
            yield b" " * 2**16

    answer = await api.user("alice").post("/api/v1/clusters/", content=endless())

    assert answer.status_code == 413
    assert "1048576 bytes" in answer.json()["error"]


@pytest.mark.parametrize("body", [{}, {"cluster_options": None}, {"cluster_options": {}}, {"unknown": 1}])
async def test_a_cluster_can_be_had_without_options(api: Api, body: dict[str, Any]) -> None:
    assert (await api.user("alice").post("/api/v1/clusters/", json=body)).status_code == 201


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"x": 1}, "Unknown fields ['x']"),
        ({"worker_cores": "many"}, "worker_cores must be an integer, got 'many'"),
        ({"worker_cores": 3}, "alice may not have three cores"),
    ],
)
async def test_impossible_options_are_refused_in_words(api: Api, options: dict[str, Any], error: str) -> None:
    answer = await api.user("alice").post("/api/v1/clusters/", json={"cluster_options": options})

    assert (answer.status_code, answer.json()) == (422, {"error": error})


async def test_a_configuration_that_can_not_be_is_refused_with_the_fields_name(
    kube: KubeSettings, namespace: str
) -> None:
    async with running_api(
        kube, namespace, cluster_options="tests.kit.api_options:options", backend={"worker_cores_limit": 2}
    ) as api:
        answer = await api.user("alice").post("/api/v1/clusters/", json={"cluster_options": {"worker_cores": 8}})

    assert answer.status_code == 422
    assert "worker_cores_limit" in answer.json()["error"]


async def test_options_are_described_in_the_operators_order(api: Api) -> None:
    described = (await api.user("alice").get("/api/v1/options")).json()

    assert described == {
        "cluster_options": [
            {
                "field": "worker_cores",
                "label": "Worker cores",
                "default": 1,
                "spec": {"type": "int", "min": 1, "max": 64},
            },
            {
                "field": "image",
                "label": "image",
                "default": "stable",
                "spec": {"type": "select", "options": ["stable", "next"]},
            },
            {"field": "environment", "label": "environment", "default": {"TZ": "UTC"}, "spec": {"type": "mapping"}},
        ]
    }


async def test_options_may_depend_on_the_user(by_user: Api) -> None:
    counts = {
        name: len((await by_user.user(name).get("/api/v1/options")).json()["cluster_options"])
        for name in ("alice", "bob")
    }

    assert counts == {"alice": 3, "bob": 0}


async def test_broken_options_are_a_500_to_read_and_a_422_to_use_and_hold_up_nobody(
    by_user: Api, caplog: pytest.LogCaptureFixture
) -> None:
    unlucky = by_user.user("unlucky")

    with caplog.at_level(logging.ERROR):
        read = await unlucky.get("/api/v1/options")
    used = await unlucky.post("/api/v1/clusters/", json={})

    assert read.status_code == 500
    assert read.json()["error"] == "The options can't be shown: the options are broken"
    assert read.json()["request_id"] == read.headers["x-request-id"]
    assert read.headers["x-request-id"] in caplog.text
    assert "RuntimeError: the options are broken" in caplog.text
    assert "tests.kit.api_options.by_user failed for user 'unlucky'" in caplog.text
    assert (used.status_code, used.json()) == (422, {"error": "the options are broken"})


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/clusters", 404),
        ("GET", "/api/v1/options/", 404),
        ("GET", "/nothing", 404),
        ("PUT", "/api/v1/clusters/", 405),
        ("POST", "/api/health", 405),
    ],
)
async def test_what_is_not_there_is_a_json_error_and_a_slash_counts(
    api: Api, method: str, path: str, status: int
) -> None:
    answer = await api.user("alice").request(method, path)

    assert answer.status_code == status
    assert answer.json().keys() == {"error"}


async def test_the_swagger_ui_comes_whole_from_here_and_below_the_prefix(by_user: Api) -> None:
    client = by_user.client()

    page = await client.get("/docs")
    assert page.status_code == 200
    assert "http" not in page.text
    assert "/gw/openapi.json" in page.text
    for name in ("swagger-ui-bundle.js", "swagger-ui.css"):
        assert f"/gw/docs/assets/{name}" in page.text
        assert (await client.get(f"/docs/assets/{name}")).status_code == 200


async def test_every_route_is_documented_with_its_errors_and_who_may_call_it(by_user: Api) -> None:
    document = (await by_user.client().get("/openapi.json")).json()

    assert document["servers"] == [{"url": "/gw"}]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["summary"], path
            assert operation["description"], path
            assert "500" in operation["responses"], path
            if path.startswith("/api/v1"):
                assert {"401", "503"} <= operation["responses"].keys(), path
                assert operation["security"], path
            if method == "post" and not path.endswith("/logout"):
                schema = operation["requestBody"]["content"]["application/json"]["schema"]
                assert schema["properties"], path
                assert schema["example"], path
            for answer in operation["responses"].values():
                for content in answer.get("content", {}).values():
                    assert "HTTPValidationError" not in str(content), path
