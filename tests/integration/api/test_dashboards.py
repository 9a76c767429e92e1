"""Who may see a cluster's pages, as Traefik asks about it."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from gateway_common.configuration.groups import KubeSettings
from gateway_common.names import ClusterName
from tests.kit.api import PASSWORD, Api, running_api
from tests.kit.credentials import basic_credentials

BROWSER = {"user-agent": "Mozilla/5.0", "accept": "text/html", "sec-fetch-mode": "navigate", "sec-fetch-site": "none"}


async def ask(api: Api, uri: str, *, host: str = "gateway", scheme: str = "http", **headers: str) -> httpx.Response:
    """What Traefik sends for a request with these headers."""
    told = {"x-forwarded-method": "GET", "x-forwarded-uri": uri, "x-forwarded-host": host, "x-forwarded-proto": scheme}
    return await api.client().get("/dashboards/access", headers={**headers, **told})


@pytest.fixture
async def cluster(api: Api) -> ClusterName:
    return await api.running_cluster(api.user("alice"))


async def signed_in(api: Api, uri: str, user: str = "alice", **more: Any) -> str:
    """The cookie of a user who has shown a password."""
    answer = await ask(api, uri, **basic_credentials(user, PASSWORD), **more)
    return answer.headers["set-cookie"].partition(";")[0]


async def test_a_known_cookie_costs_no_call_and_another_users_is_no_way_in(api: Api, cluster: ClusterName) -> None:
    page = f"/clusters/{cluster}/status"
    cookie = await signed_in(api, page)
    api.auth.paths.clear()
    answers = [await ask(api, page, cookie=f"a=1; {cookie}; b=2") for _ in range(3)]
    assert [(answer.status_code, answer.headers["cookie"]) for answer in answers] == [(200, "a=1; b=2")] * 3
    assert api.auth.paths in ([], ["/.well-known/jwks.json"])

    other = await api.running_cluster(api.user("bob"))
    stolen = await ask(api, f"/clusters/{other}/status", cookie=cookie)
    assert stolen.status_code == 401
    in_api = await api.client().get("/api/v1/clusters/", headers={"cookie": cookie.replace("dashboard", "session")})
    assert in_api.status_code == 401


async def test_a_session_of_the_rest_api_opens_no_page(api: Api, cluster: ClusterName) -> None:
    alice = api.user("alice")
    await alice.get("/api/v1/options")
    (token,) = alice.cookies.values()
    answer = await ask(api, f"/clusters/{cluster}/status", cookie=f"dask-gateway-dashboard={token}")
    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": "http://gateway"}, 200),
        ({"origin": "http://gateway", "sec-websocket-key": "x"}, 200),
        ({"origin": "http://elsewhere", "sec-websocket-key": "x"}, 403),
        ({"origin": "null", "sec-websocket-key": "x"}, 403),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}, 403),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}, 200),
    ],
)
async def test_other_sites_may_link_to_a_page_and_nothing_more(
    api: Api, cluster: ClusterName, headers: dict[str, str], status: int
) -> None:
    page = f"/clusters/{cluster}/status"
    cookie = await signed_in(api, page)
    assert (await ask(api, page, cookie=cookie, **headers)).status_code == status


@pytest.mark.parametrize(
    ("page", "headers", "status"),
    [
        ("individual-plots.json", {}, 200),
        ("individual-plots.json?token=x", {}, 200),
        ("individual-plots.json", {"user-agent": "Mozilla/5.0"}, 401),
        ("individual-plots.json", {"sec-fetch-site": "none"}, 401),
        ("individual-plots.json/../status", {}, 401),
        ("x/individual-plots.json", {}, 401),
        ("status", {}, 401),
    ],
)
async def test_which_pages_there_are_is_told_to_programs_without_credentials(
    api: Api, cluster: ClusterName, page: str, headers: dict[str, str], status: int
) -> None:
    answer = await ask(api, f"/clusters/{cluster}/{page}", cookie="of=another", **headers)
    assert (answer.status_code, answer.headers.get("cookie", "")) == (status, "")


async def test_no_page_gets_a_service_worker_which_would_answer_for_the_whole_host(
    api: Api, cluster: ClusterName
) -> None:
    """Browsers say so when they fetch its script (Service Workers, "Service-Worker: script")."""
    page = f"/clusters/{cluster}/status"
    cookie = await signed_in(api, page)
    assert (await ask(api, page, cookie=cookie)).status_code == 200
    assert (await ask(api, page, cookie=cookie, **{"service-worker": "script"})).status_code == 403


async def test_redirects_name_the_host_since_traefik_would_take_a_path_for_one_of_the_apis(
    api: Api, cluster: ClusterName
) -> None:
    answer = await ask(api, f"/clusters/{cluster}/logout", host="dask.example.org:8443", scheme="https")
    assert answer.headers["location"] == "https://dask.example.org:8443/signed-out"


@pytest.mark.parametrize("uri", ["", "/", "/clusters/", "/clusters/x/status", "/api/v1/clusters/", "/clusters/..%2f/a"])
async def test_what_is_no_page_of_a_cluster_is_nothing(api: Api, uri: str) -> None:
    assert (await ask(api, uri, **basic_credentials("alice", PASSWORD))).status_code == 404


async def test_a_browser_reads_a_page_and_a_program_reads_json(api: Api, cluster: ClusterName) -> None:
    page = f"/clusters/{cluster}/status"
    bob = basic_credentials("bob", PASSWORD)
    assert "Not your cluster" in (await ask(api, page, **bob, **BROWSER)).text
    assert "lacks permissions" in (await ask(api, page, **bob)).json()["error"]
    gone = await ask(api, "/clusters/dask.gone/status", **bob, **BROWSER)
    assert (gone.status_code, "No such cluster" in gone.text) == (404, True)
    challenge = (await ask(api, page, **BROWSER)).headers["www-authenticate"]
    assert challenge == f'Basic realm="Dask cluster {cluster}", charset="UTF-8"'


@pytest.fixture
async def apart(kube: KubeSettings, namespace: str) -> AsyncIterator[Api]:
    """Each cluster has a host of its own."""
    dashboards = {"host": "{cluster}.dask.example.org"}
    async with running_api(kube, namespace, dashboards=dashboards, prefix="/gw", api={"proxies": 1}) as running:
        yield running


async def test_users_sign_in_at_the_gateway_and_see_pages_at_the_clusters_own_host(apart: Api) -> None:
    cluster = await apart.running_cluster(apart.user("alice"))
    page, front, own = f"/gw/clusters/{cluster}/status?a=1", "dask.example.org", f"{cluster.name}.dask.example.org"
    stranger = await ask(apart, page, host=f"{own}:8443", scheme="https", **BROWSER)
    assert (stranger.status_code, stranger.headers["location"]) == (302, f"https://{front}:8443{page}")

    alice = basic_credentials("alice", PASSWORD)
    at_front = await ask(apart, page, host=f"{front}:8443", scheme="https", **alice, **BROWSER)
    assert (at_front.status_code, at_front.headers["location"]) == (302, f"https://{own}:8443{page}")
    cookie, *attributes = at_front.headers["set-cookie"].split("; ")
    assert {"Domain=dask.example.org", f"Path=/gw/clusters/{cluster}", "Secure", "HttpOnly"} <= set(attributes)

    assert (await ask(apart, page, host=own, scheme="https", cookie=cookie)).status_code == 200
    # a page of another cluster's asks for this one at its own host
    elsewhere = await ask(apart, page, host="other.dask.example.org", scheme="https", cookie=cookie)
    assert (elsewhere.status_code, elsewhere.headers["location"]) == (302, f"https://{own}{page}")


async def test_the_address_in_browsers_counts_where_tls_ends_before_traefik(kube: KubeSettings, namespace: str) -> None:
    public = {"public_url": "https://hub.example.org/services/gw", "proxies": 2}
    async with running_api(kube, namespace, prefix="/services/gw", api=public) as api:
        cluster = await api.running_cluster(api.user("alice"))
        page = f"/services/gw/clusters/{cluster}/status"
        alice = basic_credentials("alice", PASSWORD)
        answer = await ask(api, page, host="traefik", origin="https://hub.example.org", **alice)
        assert answer.status_code == 200
        assert "Secure" in answer.headers["set-cookie"].split("; ")
        session = await api.client().get("/api/v1/options", headers=alice)
        assert "Secure" in session.headers["set-cookie"].split("; ")


async def test_a_browser_gets_no_session_and_no_challenge_that_it_would_answer(api: Api) -> None:
    page = {"user-agent": "Mozilla/5.0"}
    alice = api.user("alice")
    await alice.get("/api/v1/options")
    cookie = "; ".join(f"{name}={value}" for name, value in alice.cookies.items())
    for headers in (page, {"sec-fetch-site": "same-origin"}):
        refused = await api.client().get("/api/v1/options", headers={**headers, "cookie": cookie})
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "x-Basic")
        shown = await api.client().get("/api/v1/options", headers={**headers, **basic_credentials("alice", PASSWORD)})
        assert (shown.status_code, "set-cookie" in shown.headers) == (200, False)


@pytest.mark.usefixtures("audited")
async def test_the_audit_log_says_when_a_visit_begins_and_who_was_turned_away(
    api: Api, cluster: ClusterName, caplog: pytest.LogCaptureFixture
) -> None:
    page = f"/clusters/{cluster}/status"
    cookie = await signed_in(api, page)
    await ask(api, page, cookie=cookie)
    await ask(api, page, **basic_credentials("bob", PASSWORD), **{"x-forwarded-for": "spoofed, 10.9.8.7"})
    opened = [record.getMessage() for record in caplog.records if '"dashboard.open"' in record.getMessage()]
    assert len(opened) == 2
    assert '"outcome":"allowed","user":"alice"' in opened[0]
    assert '"outcome":"denied","user":"bob"' in opened[1]
    assert '"client":"10.9.8.7"' in opened[1]
