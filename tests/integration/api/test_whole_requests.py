"""Users who are known by something else than the Authorization header: only auth knows where it looks."""

import httpx
import pytest
from fastapi import FastAPI

from gateway_auth.app import create_app as create_auth_app
from gateway_common.configuration.groups import KubeSettings
from gateway_common.configuration.model import Configuration
from tests.kit.api import INSTANCE, running_api


def auth_by(name: str, **traits: str) -> FastAPI:
    """Auth with one of the operators' classes of the kit."""
    custom = {"class_name": f"tests.kit.operators_authenticators.{name}", "config": traits}
    auth = {"authenticator": "custom", "custom": custom}
    return create_auth_app(Configuration.model_validate({"instance": INSTANCE, "auth": auth}))


async def test_every_request_without_a_session_is_asked_about(kube: KubeSettings, namespace: str) -> None:
    auth = auth_by("HeaderOfProxy")
    async with auth.router.lifespan_context(auth), running_api(kube, namespace, auth=auth) as api:
        alice = api.client()
        first = await alice.get("/api/v2/me?group=a&group=b", headers={"x-remote-user": "alice"})
        assert (first.json()["name"], first.json()["groups"]) == ("alice", ["a", "b"])
        api.auth.paths.clear()
        again = await alice.get("/api/v2/me")
        assert (again.json()["name"], "/authenticate" in api.auth.paths) == ("alice", False)

        names = [await name_of(api.client(), user) for user in ("bob", "carol", "bob")]
        assert names == ["bob", "carol", "bob"], "nobody is answered for somebody else"
        assert api.auth.paths.count("/authenticate") == 3
        stranger = await api.client().get("/api/v2/me")
        assert (stranger.status_code, stranger.headers["www-authenticate"]) == (401, "Proxy")


async def test_options_see_what_the_class_has_put_on_the_user(kube: KubeSettings, namespace: str) -> None:
    auth = auth_by("SaysMore")
    async with (
        auth.router.lifespan_context(auth),
        running_api(kube, namespace, auth=auth, cluster_options="tests.kit.api_options:by_profile") as api,
    ):
        alice = api.client()
        for headers in ({"x-remote-user": "alice"}, {}):  # first without a session, then by its cookie
            (offered,) = (await alice.get("/api/v1/options", headers=headers)).json()["cluster_options"]
            assert offered["spec"]["options"] == ["small", "large"]


async def test_a_portals_cookie_is_good_for_programs_and_for_no_page(kube: KubeSettings, namespace: str) -> None:
    auth = auth_by("CookieOfPortal")
    async with auth.router.lifespan_context(auth), running_api(kube, namespace, auth=auth) as api:
        cookie = {"cookie": "portal=alice"}
        for site in ("cross-site", "same-site", "same-origin", "none"):
            page = {**cookie, "sec-fetch-site": site, "sec-fetch-mode": "cors"}
            assert (await api.client().post("/api/v1/clusters/", json={}, headers=page)).status_code == 401
            assert (await api.client().get("/api/v2/me", headers=page)).status_code == 401
        program = await api.client().get("/api/v2/me", headers=cookie)
        assert program.json()["name"] == "alice"


@pytest.mark.parametrize(
    ("sender", "status"),
    [
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}, 401),
        ({"user-agent": "Mozilla/5.0", "origin": "https://elsewhere.example"}, 401),
        ({"sec-fetch-site": "same-origin", "sec-fetch-mode": "cors", "origin": "http://gateway"}, 201),
        ({}, 201),
    ],
)
async def test_what_a_proxy_adds_does_not_count_for_pages_of_other_sites(
    kube: KubeSettings, namespace: str, sender: dict[str, str], status: int
) -> None:
    auth = auth_by("HeaderOfProxy")
    async with auth.router.lifespan_context(auth), running_api(kube, namespace, auth=auth) as api:
        headers = {"x-remote-user": "alice", **sender}
        assert (await api.client().post("/api/v1/clusters/", json={}, headers=headers)).status_code == status


async def test_the_words_of_a_class_that_gives_up_reach_the_user(kube: KubeSettings, namespace: str) -> None:
    auth = auth_by("Broken", how="says why")
    async with auth.router.lifespan_context(auth), running_api(kube, namespace, auth=auth) as api:
        answer = await api.client().get("/api/v1/clusters/")
        page = await api.client().get(
            "/dashboards/access", headers={"x-forwarded-uri": f"/clusters/{namespace}.x/status"}
        )
    assert (answer.status_code, answer.json()) == (500, {"error": "Ask for the role dask_gateway_developer"})
    assert (page.status_code, page.json()) == (500, {"error": "Ask for the role dask_gateway_developer"})


async def test_headers_that_auth_does_not_read_are_the_callers_mistake(kube: KubeSettings, namespace: str) -> None:
    auth = auth_by("HeaderOfProxy")
    async with auth.router.lifespan_context(auth), running_api(kube, namespace, auth=auth) as api:
        answer = await api.client().get("/api/v2/me", headers={"x-remote-user": "a" * 3_000_000})
    assert (answer.status_code, answer.json()) == (422, {"error": "The request's headers are too long"})


async def name_of(client: httpx.AsyncClient, user: str) -> str:
    answer = await client.get("/api/v2/me", headers={"x-remote-user": user})
    return str(answer.json()["name"])
