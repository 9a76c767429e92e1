"""Users who are known by something else than the Authorization header: only auth knows where it looks."""

import httpx

from gateway_auth.app import create_app as create_auth_app
from gateway_common.configuration.groups import KubeSettings
from gateway_common.configuration.model import Configuration
from tests.kit.api import INSTANCE, running_api

AUTH = {"authenticator": "custom", "custom": {"class_name": "tests.kit.operators_authenticators.HeaderOfProxy"}}


async def test_every_request_without_a_session_is_asked_about(kube: KubeSettings, namespace: str) -> None:
    auth = create_auth_app(Configuration.model_validate({"instance": INSTANCE, "auth": AUTH}))
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
    custom = {"class_name": "tests.kit.operators_authenticators.SaysMore"}
    auth = create_auth_app(
        Configuration.model_validate({"instance": INSTANCE, "auth": {"authenticator": "custom", "custom": custom}})
    )
    async with (
        auth.router.lifespan_context(auth),
        running_api(kube, namespace, auth=auth, cluster_options="tests.kit.api_options:by_profile") as api,
    ):
        alice = api.client()
        for headers in ({"x-remote-user": "alice"}, {}):  # first without a session, then by its cookie
            (offered,) = (await alice.get("/api/v1/options", headers=headers)).json()["cluster_options"]
            assert offered["spec"]["options"] == ["small", "large"]


async def test_headers_that_auth_does_not_read_are_the_callers_mistake(kube: KubeSettings, namespace: str) -> None:
    auth = create_auth_app(Configuration.model_validate({"instance": INSTANCE, "auth": AUTH}))
    async with auth.router.lifespan_context(auth), running_api(kube, namespace, auth=auth) as api:
        answer = await api.client().get("/api/v2/me", headers={"x-remote-user": "a" * 3_000_000})
    assert (answer.status_code, answer.json()) == (422, {"error": "The request's headers are too long"})


async def name_of(client: httpx.AsyncClient, user: str) -> str:
    answer = await client.get("/api/v2/me", headers={"x-remote-user": user})
    return str(answer.json()["name"])
