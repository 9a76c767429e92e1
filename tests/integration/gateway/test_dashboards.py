"""Clusters' web pages through a real Traefik, as programs and a real browser see them."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.websocket import websocket_connect

from dask_gateway import BasicAuth, Gateway, GatewayCluster
from gateway_common.configuration.services import HEADERS_OF_THE_HOST
from gateway_local.gateway import LocalGateway, LocalSettings
from tests.kit.browser import running_browser
from tests.kit.credentials import basic_credentials
from tests.kit.routes import is_routed

PASSWORD = "correct horse"
COOKIE = "dask-gateway-dashboard"

pytestmark = pytest.mark.asyncio(loop_scope="module")


def pages_of_the_owner() -> Callable[..., None]:
    """To run in the scheduler: a page that shows what reached it, and one that acts in the visitor's name.

    It is made here, and not of a module, since the scheduler can't import this one.
    """

    def install(dask_scheduler: Any = None) -> None:
        from tornado.web import RequestHandler

        class Echo(RequestHandler):
            def get(self) -> None:
                self.write({name: self.request.headers.get_list(name) for name in self.request.headers})

        class Hostile(RequestHandler):
            def get(self) -> None:
                self.write("<!doctype html><title>hostile</title><p>hello</p>")

        class Claims(RequestHandler):
            def get(self) -> None:
                for name in self.get_query_arguments("header"):
                    self.set_header(name, "of the user's program")

        handlers = [(r"/echo", Echo), (r"/hostile", Hostile), (r"/claims", Claims)]
        dask_scheduler.http_application.add_handlers(".*", handlers)

    return install


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalGateway]:
    settings = LocalSettings(
        port=0,
        password=PASSWORD,
        directory=tmp_path_factory.mktemp("gateway"),
        environment={"DASK_GATEWAY__ADMIN__USERS": '["root"]'},
    )
    async with LocalGateway(settings) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(gateway: LocalGateway) -> AsyncIterator[GatewayCluster]:
    """Alice's, with pages of her own making."""
    async with (
        Gateway(gateway.address, auth=BasicAuth("alice", PASSWORD), asynchronous=True) as client,
        client.new_cluster(shutdown_on_close=True) as cluster,
        cluster.get_client() as dask,
    ):
        await dask.run_on_scheduler(pages_of_the_owner())
        await is_routed(f"{gateway.address}/clusters/{cluster.name}/status")
        yield cluster


@pytest.fixture
def pages(gateway: LocalGateway, cluster: GatewayCluster) -> str:
    return f"{gateway.address}/clusters/{cluster.name}"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with running_browser() as browser:
        yield browser


def program(user: str = "", **headers: str) -> httpx.AsyncClient:
    credentials = basic_credentials(user, PASSWORD) if user else {}
    return httpx.AsyncClient(trust_env=False, timeout=60, headers={**credentials, **headers})


async def test_owner_and_admins_get_in_and_nobody_else(pages: str) -> None:
    for user, status in (("alice", 200), ("root", 200), ("bob", 403), ("", 401)):
        async with program(user) as client:
            answer = await client.get(f"{pages}/echo")
            assert answer.status_code == status, (user, answer.text)
            if not user:
                assert answer.headers["www-authenticate"].startswith('Basic realm="Dask cluster ')


async def test_the_users_program_sees_no_credentials_and_its_own_cookies_only(pages: str) -> None:
    async with program("alice") as client:
        first = await client.get(f"{pages}/echo", headers={"Cookie": "dask-gateway-session=x; theme=dark"})
        assert (first.json()["Cookie"], "Authorization" in first.json()) == (["theme=dark"], False)
        attributes = first.headers["set-cookie"].split("; ")
    assert attributes[0].startswith(f"{COOKIE}=")
    assert {f"Path={httpx.URL(pages).path}", "HttpOnly", "SameSite=Lax"} <= set(attributes)
    async with program(Cookie=attributes[0]) as client:
        second = await client.get(f"{pages}/echo")
    assert second.status_code == 200
    assert "Cookie" not in second.json()
    assert "set-cookie" not in second.headers


async def test_a_cookie_is_good_for_its_own_cluster_only(gateway: LocalGateway, pages: str) -> None:
    async with program("alice") as client:
        cookie = (await client.get(f"{pages}/echo")).headers["set-cookie"].partition(";")[0]
    token = cookie.partition("=")[2]
    async with program(Cookie=f"{cookie}; dask-gateway-session={token}") as thief:
        assert (await thief.get(f"{gateway.address}/api/v1/clusters/")).status_code == 401
        assert (await thief.get(f"{gateway.address}/clusters/dask-gateway.other/status")).status_code in (401, 404)


async def test_what_the_caller_says_about_itself_counts_for_nothing(gateway: LocalGateway, pages: str) -> None:
    """Whoever may see one cluster's pages must not see another's by pretending to ask for the first."""
    async with (
        Gateway(gateway.address, auth=BasicAuth("bob", PASSWORD), asynchronous=True) as client,
        client.new_cluster(shutdown_on_close=True) as own,
    ):
        await is_routed(f"{gateway.address}/clusters/{own.name}/status")
        forged = {"X-Forwarded-Uri": f"/clusters/{own.name}/echo", "X-Forwarded-Method": "GET", "X-Forwarded-For": "1"}
        async with program("bob", **forged) as bob:
            assert (await bob.get(f"{pages}/echo")).status_code == 403
            outside = await bob.get(f"{gateway.address}/dashboards/access")
            assert outside.status_code in (200, 403, 404)
            assert "alice" not in outside.text


async def test_answers_carry_what_keeps_browsers_safe(pages: str) -> None:
    async with program("alice") as client:
        headers = (await client.get(f"{pages}/echo")).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["content-security-policy"] == "frame-ancestors 'self'"


async def test_a_users_program_does_not_speak_for_the_host(pages: str) -> None:
    names = [*HEADERS_OF_THE_HOST, "Content-Security-Policy", "X-Own"]
    async with program("alice") as client:
        headers = (await client.get(f"{pages}/claims", params={"header": names})).headers
    assert {name for name in names if headers.get(name) == "of the user's program"} == {"X-Own"}
    assert not {name for name in HEADERS_OF_THE_HOST if name in headers}


async def test_signing_out_takes_the_cookie(pages: str) -> None:
    async with program("alice") as client:
        answer = await client.get(f"{pages}/logout")
    assert answer.status_code == 302
    assert answer.headers["set-cookie"].startswith(f"{COOKIE}=; Max-Age=0; ")
    async with program() as client:
        at_the_gateway = pages.partition("/clusters/")[0]  # and not at the api's own address, as Traefik would have it
        assert answer.headers["location"] == f"{at_the_gateway}/signed-out"
        page = await client.get(answer.headers["location"])
    assert (page.status_code, "signed out" in page.text) == (200, True)


async def test_a_websocket_needs_a_session_and_a_page_of_this_site(pages: str) -> None:
    url = pages.replace("http:", "ws:") + "/eventstream"
    async with program("alice") as client:
        cookie = (await client.get(f"{pages}/echo")).headers["set-cookie"].partition(";")[0]
    origin = str(httpx.URL(pages).copy_with(path="/")).rstrip("/")
    connection = await websocket_connect(HTTPRequest(url, headers={"Cookie": cookie, "Origin": origin}))
    connection.close()
    for headers, status in (
        ({"Origin": origin}, 401),
        ({"Cookie": cookie, "Origin": "http://elsewhere.example"}, 403),
        ({"Cookie": cookie, "Origin": origin, "Sec-Fetch-Site": "cross-site"}, 403),
    ):
        with pytest.raises(Exception, match=str(status)):
            await websocket_connect(HTTPRequest(url, headers=headers))


async def test_the_owner_clicks_the_link_signs_in_and_sees_live_plots(browser: Browser, pages: str) -> None:
    context = await browser.new_context(http_credentials={"username": "alice", "password": PASSWORD})
    page = await context.new_page()
    sockets: list[str] = []
    page.on("websocket", lambda socket: sockets.append(socket.url))
    answer = await page.goto(f"{pages}/status")
    assert answer is not None
    assert answer.status == 200, await answer.text()
    async with asyncio.timeout(120):
        while not (sockets and await page.evaluate("() => window.Bokeh ? Bokeh.index.roots !== undefined : false")):
            await page.wait_for_timeout(100)
    assert sockets[0].startswith(pages.replace("http:", "ws:"))
    await context.close()


async def test_the_jupyterlab_extension_finds_the_plots_and_the_users_browser_shows_them(
    browser: Browser, pages: str
) -> None:
    """dask-labextension 7: its server asks without credentials, then the browser shows plots in frames."""
    answer = await AsyncHTTPClient().fetch(f"{pages}/individual-plots.json")
    plots = json.loads(answer.body)
    context = await browser.new_context(http_credentials={"username": "alice", "password": PASSWORD})
    page = await context.new_page()
    shown = await page.goto(f"{pages}{plots['Individual Task Stream']}")
    assert shown is not None
    assert (shown.status, "Bokeh" in await page.content()) == (200, True)
    await context.close()


async def test_another_user_is_told_so_in_words(browser: Browser, pages: str) -> None:
    context = await browser.new_context(http_credentials={"username": "bob", "password": PASSWORD})
    page = await context.new_page()
    answer = await page.goto(f"{pages}/status")
    assert answer is not None
    assert answer.status == 403
    assert "Not your cluster" in await page.content()
    await context.close()


async def fetched(page: Page, address: str, **options: Any) -> Any:
    """What a script of the page gets for itself, with whatever the browser sends along."""
    script = """async ([address, options]) => {
        const answer = await fetch(address, {credentials: "include", ...options});
        return [answer.status, await answer.text(), answer.headers.get("www-authenticate")];
    }"""
    return await page.evaluate(script, [address, options])


async def text_in_frame(page: Page, address: str) -> str | None:
    """What a script of the page reads in a frame that it opens; None where the browser lets it into none."""
    script = """(address) => new Promise((resolve) => {
        const frame = document.createElement("iframe");
        frame.onload = () => resolve(frame.contentDocument && frame.contentDocument.body.innerText);
        frame.src = address;
        document.body.append(frame);
    })"""
    text: str | None = await page.evaluate(script, address)
    return text


async def test_a_hostile_page_can_not_act_on_the_api_in_the_visitors_name(
    browser: Browser, gateway: LocalGateway, pages: str
) -> None:
    """An administrator looks at a page that the cluster's owner has made."""
    context = await browser.new_context(http_credentials={"username": "root", "password": PASSWORD})
    page = await context.new_page()
    await page.goto(f"{pages}/hostile")
    assert await page.title() == "hostile"
    # from here on the browser itself has nothing to answer but what it remembers
    clusters = f"{gateway.address}/api/v1/clusters/"
    for options in ({}, {"method": "POST", "body": json.dumps({"cluster_options": {}})}, {"method": "DELETE"}):
        address = clusters + (httpx.URL(pages).path.rpartition("/")[2] if options.get("method") == "DELETE" else "")
        status, text, challenge = await fetched(page, address, **options)
        assert (status, json.loads(text)) == (401, {"error": "Authentication required"})
        assert challenge == "x-Basic"
    assert await page.evaluate("document.cookie") == ""
    framed = await text_in_frame(page, clusters)
    assert framed is not None
    assert "alice" not in framed
    assert "Authentication required" in framed
    await context.close()


async def test_a_hostile_page_gets_the_swagger_ui_into_no_frame_and_no_window_of_its_own(
    browser: Browser, gateway: LocalGateway, pages: str
) -> None:
    """A script could read what is typed there: it is a page of the same origin."""
    context = await browser.new_context(http_credentials={"username": "alice", "password": PASSWORD})
    page = await context.new_page()
    await page.goto(f"{pages}/hostile")
    swagger_ui = f"{gateway.address}/docs"
    assert await text_in_frame(page, swagger_ui) is None
    async with context.expect_page() as opened:
        await page.evaluate("(address) => { window.other = window.open(address) }", swagger_ui)
    other = await opened.value
    await other.wait_for_selector("#swagger-ui .information-container")
    assert await page.evaluate("window.other.closed"), "it has no hold on that window any more"
    await context.close()
