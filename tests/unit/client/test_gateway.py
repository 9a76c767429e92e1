"""``Gateway`` against a real HTTP server: requests, authentication, errors, waiting."""

import asyncio
import gc
import warnings
from datetime import datetime
from typing import Any

import dask
import pytest

from dask_gateway import (
    BasicAuth,
    ClusterReport,
    ClusterStatus,
    Gateway,
    GatewayAuth,
    GatewayClusterError,
    GatewayResponseError,
    GatewayServerError,
    GatewayWarning,
    Options,
)
from tests.kit.credentials import basic_credentials
from tests.kit.mini_gateway import MiniGateway, cluster_record
from tests.kit.scripted_server import Exchange, scripted_server
from tests.kit.waiting import until

ADA = basic_credentials("ada", "pw")["authorization"]
OPTION = {"field": "n", "label": "N", "default": 1, "spec": {"type": "int", "min": 0, "max": 9}}


def client_of(api: MiniGateway, **kwargs: Any) -> Gateway:
    return Gateway(api.url, auth=kwargs.pop("auth", BasicAuth("ada", "pw")), asynchronous=True, **kwargs)


# Reports


async def test_a_running_cluster_is_reported_with_its_addresses_and_credentials(gateway_api: MiniGateway) -> None:
    gateway_api.clusters["ns.a"] = cluster_record("ns.a", options={"n": 2})
    async with client_of(gateway_api, proxy_address="proxy:1", public_address="/services/gw/") as gateway:
        report = await gateway.get_cluster("ns.a")
    assert isinstance(report, ClusterReport)
    assert repr(report) == "ClusterReport<name=ns.a, status=RUNNING>"
    assert report.scheduler_address == "gateway://proxy:1/ns.a"
    assert report.dashboard_link == "/services/gw/clusters/ns.a/status"
    assert report.start_time == datetime.fromtimestamp(1_700_000_000)
    assert report.stop_time is None
    assert report.options == {"n": 2}
    assert report.security is not None
    assert "KEY" not in repr(report.security)


async def test_a_pending_cluster_has_no_addresses_and_no_credentials(gateway_api: MiniGateway) -> None:
    gateway_api.clusters["ns.a"] = cluster_record("ns.a", "PENDING")
    async with client_of(gateway_api) as gateway:
        report = await gateway.get_cluster("ns.a")
    assert report.status is ClusterStatus.PENDING
    assert (report.scheduler_address, report.dashboard_link, report.security) == (None, None, None)


async def test_keys_that_a_newer_gateway_adds_to_a_cluster_are_ignored(gateway_api: MiniGateway) -> None:
    gateway_api.clusters["ns.a"] = cluster_record("ns.a", "STOPPED", stop_time=1_700_000_001_000, reason="Idle")
    async with client_of(gateway_api) as gateway:
        (report,) = await gateway.list_clusters()
    assert report.stop_time == datetime.fromtimestamp(1_700_000_001)


@pytest.mark.parametrize(
    ("status", "query"),
    [
        (None, {}),
        ("running", {"status": "RUNNING"}),
        (ClusterStatus.FAILED, {"status": "FAILED"}),
        (["stopped", ClusterStatus.FAILED], {"status": "STOPPED,FAILED"}),
    ],
)
async def test_clusters_are_listed_by_status(gateway_api: MiniGateway, status: Any, query: dict[str, str]) -> None:
    async with client_of(gateway_api) as gateway:
        assert await gateway.list_clusters(status=status) == []
    assert gateway_api.exchanges[-1].query == query


@pytest.mark.parametrize(
    ("arguments", "query"),
    [
        ({"all_users": True}, {"user": "*"}),
        ({"user": "bob", "status": "failed"}, {"user": "bob", "status": "FAILED"}),
    ],
)
async def test_clusters_of_others_say_whose_they_are_and_why_they_are_so(
    gateway_api: MiniGateway, arguments: dict[str, Any], query: dict[str, str]
) -> None:
    more = {"user": "bob", "reason": "QuotaExceeded", "message": "2 of 2 clusters", "workers": 0}
    gateway_api.clusters["ns.a"] = cluster_record("ns.a", "PENDING", **more)
    async with client_of(gateway_api) as gateway:
        (report,) = await gateway.list_clusters(**arguments)
    assert (report.user, report.reason, report.message) == ("bob", "QuotaExceeded", "2 of 2 clusters")
    exchange = gateway_api.exchanges[-1]
    assert (exchange.path, exchange.query) == ("/api/v2/clusters/", query)


async def test_own_clusters_come_from_the_first_version_of_the_api_and_are_nobody_elses(
    gateway_api: MiniGateway,
) -> None:
    gateway_api.clusters["ns.a"] = cluster_record("ns.a")
    async with client_of(gateway_api) as gateway:
        (report,) = await gateway.list_clusters()
        with pytest.raises(ValueError, match="Either all_users or user"):
            await gateway.list_clusters(all_users=True, user="bob")
    assert (report.user, report.reason, report.message) == (None, None, None)
    assert [exchange.path for exchange in gateway_api.exchanges] == ["/api/v1/clusters/"]


async def test_an_unknown_status_is_an_error_before_any_request(gateway_api: MiniGateway) -> None:
    async with client_of(gateway_api) as gateway:
        with pytest.raises(ValueError, match="'sleeping' is not a valid ClusterStatus"):
            await gateway.list_clusters("sleeping")
    assert gateway_api.exchanges == []


# Authentication


async def test_credentials_are_sent_when_asked_for_and_the_cookie_from_then_on(gateway_api: MiniGateway) -> None:
    gateway_api.credentials = ADA
    async with client_of(gateway_api) as gateway:
        await gateway.submit(n=1)
        await gateway.list_clusters()
    assert gateway_api.server
    seen = [("authorization" in e.headers, "cookie" in e.headers) for e in gateway_api.server.exchanges]
    assert seen == [(False, False), (True, False), (False, True)]
    # the body is sent again
    assert gateway_api.bodies("POST", "/api/v1/clusters/") == [{"cluster_options": {"n": 1}}]


async def test_wrong_credentials_are_refused_once_with_the_gateways_words(gateway_api: MiniGateway) -> None:
    gateway_api.credentials = ADA
    async with client_of(gateway_api, auth=BasicAuth("ada", "wrong")) as gateway:
        with pytest.raises(GatewayResponseError, match="Authentication required") as refusal:
            await gateway.list_clusters()
    assert refusal.value.status == 401
    assert gateway_api.server
    assert len(gateway_api.server.exchanges) == 2


async def test_an_own_scheme_sees_the_challenge_and_the_answer_to_its_headers(gateway_api: MiniGateway) -> None:
    seen = []

    class OwnAuth(GatewayAuth):
        def pre_request(self, resp):
            seen.append((resp.status, resp.status_code, resp.headers["WWW-Authenticate"], resp.url.host))
            return {"Authorization": "token secret"}, "context"

        def post_response(self, resp, context):
            seen.append((resp.status, context))

    gateway_api.credentials = ADA
    async with client_of(gateway_api, auth=OwnAuth()) as gateway:
        await gateway.list_clusters()
    assert seen == [(401, 401, "Basic", "127.0.0.1"), (200, "context")]


# Errors


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (422, ValueError),
        (409, GatewayClusterError),
        (500, GatewayServerError),
        (403, GatewayResponseError),
        (429, GatewayResponseError),
        (503, GatewayResponseError),
    ],
)
@pytest.mark.parametrize("body", [{"error": "the reason"}, b"the reason"])
async def test_a_refusal_is_an_error_with_the_gateways_reason(
    gateway_api: MiniGateway, status: int, error: type[Exception], body: Any
) -> None:
    gateway_api.answers["GET", "/api/v1/clusters/ns.a"] = [(status, body)]
    async with client_of(gateway_api) as gateway:
        with pytest.raises(error, match=r"^the reason$"):
            await gateway.get_cluster("ns.a")


async def test_a_cluster_that_is_not_there_is_a_value_error(gateway_api: MiniGateway) -> None:
    gateway_api.answers["GET", "/api/v1/clusters/ns.a"] = [(404, {"error": "Cluster ns.a not found"})]
    async with client_of(gateway_api) as gateway:
        with pytest.raises(ValueError, match=r"^Cluster ns\.a not found$"):
            await gateway.get_cluster("ns.a")


async def test_a_404_in_words_that_are_not_the_gateways_says_so(gateway_api: MiniGateway) -> None:
    gateway_api.answers["GET", "/api/v1/clusters/ns.a"] = [(404, b"404 page not found")]
    async with client_of(gateway_api) as gateway:
        with pytest.raises(GatewayResponseError, match=r"There is no gateway at http://.*, or it is being restarted"):
            await gateway.get_cluster("ns.a")


async def test_an_answer_that_is_no_json_asks_about_the_address(gateway_api: MiniGateway) -> None:
    gateway_api.answers["GET", "/api/version"] = [(200, b"<html>Log in</html>")]
    async with client_of(gateway_api) as gateway:
        with pytest.raises(GatewayServerError, match=r"is http://.* the address of a gateway"):
            await gateway.get_versions()


async def test_an_unreachable_gateway_is_a_connection_error_that_names_it() -> None:
    async with Gateway("http://127.0.0.1:9", auth=BasicAuth("ada"), asynchronous=True) as gateway:
        with pytest.raises(ConnectionError, match=r"Failed to reach the gateway at http://127\.0\.0\.1:9"):
            await gateway.list_clusters()


async def test_a_proxy_is_used_when_configured() -> None:
    async def proxy(exchange: Exchange) -> None:
        await exchange.answer(200, {"version": exchange.headers["host"]})

    async with scripted_server(proxy) as server:
        with dask.config.set({"gateway.http-client.proxy": server.url.replace("//", "//user:pw@")}):
            gateway = Gateway("http://gateway.invalid", auth=BasicAuth("ada"), asynchronous=True)
        async with gateway:
            assert (await gateway.get_versions())["server"] == {"version": "gateway.invalid"}
        assert server.exchanges[0].headers["proxy-authorization"] == basic_credentials("user", "pw")["authorization"]


@pytest.mark.parametrize(("configured", "used"), [(True, True), (False, False)])
async def test_the_environments_proxy_is_used_unless_turned_off(
    gateway_api: MiniGateway, monkeypatch: pytest.MonkeyPatch, configured: bool, used: bool
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with dask.config.set({"gateway.http-client.proxy": configured}):
        gateway = client_of(gateway_api)
    async with gateway:
        if used:
            with pytest.raises(ConnectionError):
                await gateway.get_versions()
        else:
            await gateway.get_versions()


# Options and submission


async def test_options_start_from_the_configurations_defaults(gateway_api: MiniGateway) -> None:
    gateway_api.options = [OPTION]
    with dask.config.set({"gateway.cluster.options": {"n": 3}}):
        async with client_of(gateway_api) as gateway:
            assert dict(await gateway.cluster_options()) == {"n": 3}
            assert dict(await gateway.cluster_options(use_local_defaults=False)) == {"n": 1}
    with dask.config.set({"gateway.cluster.options": {"unknown": 3}}):
        async with client_of(gateway_api) as gateway:
            with pytest.raises(KeyError, match="No option 'unknown' available"):
                await gateway.cluster_options()


@pytest.mark.parametrize(
    ("options", "overrides", "sent"),
    [
        (None, {}, {"n": 5, "image": "local"}),
        (None, {"n": 7}, {"n": 7, "image": "local"}),
        (Options.from_json([OPTION]), {}, {"n": 1}),
        (Options.from_json([OPTION]), {"n": 2}, {"n": 2}),
    ],
)
async def test_submitting_sends_options_then_overrides(
    gateway_api: MiniGateway, options: Options | None, overrides: dict[str, Any], sent: dict[str, Any]
) -> None:
    with dask.config.set({"gateway.cluster.options": {"n": 5, "image": "local"}}):
        async with client_of(gateway_api) as gateway:
            assert await gateway.submit(options, **overrides) == "default.new"
    assert gateway_api.bodies("POST", "/api/v1/clusters/") == [{"cluster_options": sent}]


@pytest.mark.parametrize(
    ("environment", "sent"),
    [
        ({"JUPYTER_IMAGE_SPEC": "hub/notebook:1", "JUPYTER_IMAGE": "other"}, {"notebook_image": "hub/notebook:1"}),
        ({"JUPYTER_IMAGE": "hub/notebook:2"}, {"notebook_image": "hub/notebook:2"}),
        ({"JUPYTER_IMAGE_SPEC": ""}, {}),
    ],
)
async def test_a_new_cluster_may_have_the_image_of_the_notebook(
    gateway_api: MiniGateway, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], sent: dict[str, str]
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    async with client_of(gateway_api) as gateway:
        await gateway.submit()
    assert gateway_api.bodies("POST", "/api/v1/clusters/") == [{"cluster_options": {}, **sent}]


async def test_a_limit_that_forbids_a_cluster_is_told_in_the_gateways_words(gateway_api: MiniGateway) -> None:
    text = "2 of 2 clusters are yours already: ns.a, ns.b. Stop one."
    gateway_api.answers["POST", "/api/v1/clusters/"] = [(409, {"error": text})]
    async with client_of(gateway_api) as gateway:
        with pytest.raises(GatewayClusterError) as refusal:
            await gateway.submit()
    assert str(refusal.value) == text


async def test_options_of_another_type_are_a_type_error(gateway_api: MiniGateway) -> None:
    async with client_of(gateway_api) as gateway:
        with pytest.raises(TypeError, match="cluster_options must be an `Options`, got 'dict'"):
            await gateway.submit({"n": 1})  # type: ignore[arg-type]


async def test_versions_of_both_ends(gateway_api: MiniGateway) -> None:
    async with client_of(gateway_api) as gateway:
        versions = await gateway.get_versions()
    assert versions["server"] == {"version": "1.0"}
    assert set(versions["client"]) == {"version"}


# Commands


async def test_scale_adapt_and_stop_are_sent_as_they_are(gateway_api: MiniGateway) -> None:
    gateway_api.clusters["ns.a"] = cluster_record("ns.a")
    async with client_of(gateway_api) as gateway:
        await gateway.scale_cluster("ns.a", 2)
        await gateway.adapt_cluster("ns.a", minimum=1, maximum=3)
        await gateway.adapt_cluster("ns.a", active=False)
        await gateway.stop_cluster("ns.a")
    assert gateway_api.bodies("POST", "/api/v1/clusters/ns.a/scale") == [{"count": 2}]
    assert gateway_api.bodies("POST", "/api/v1/clusters/ns.a/adapt") == [
        {"minimum": 1, "maximum": 3, "active": True},
        {"minimum": None, "maximum": None, "active": False},
    ]
    assert gateway_api.clusters == {}


async def test_a_limit_that_was_hit_is_a_warning(gateway_api: MiniGateway) -> None:
    gateway_api.answers["POST", "/api/v1/clusters/ns.a/scale"] = [(200, {"ok": False, "msg": "Scaling to 4 instead."})]
    async with client_of(gateway_api) as gateway:
        with pytest.warns(GatewayWarning, match="Scaling to 4 instead"):
            await gateway.scale_cluster("ns.a", 9)


# Waiting


async def test_waiting_outlasts_a_gateway_that_is_being_restarted(gateway_api: MiniGateway) -> None:
    gateway_api.answers["GET", "/api/v1/clusters/ns.a"] = [
        (502, b"Bad Gateway"),
        (200, cluster_record("ns.a", "PENDING")),
        (200, cluster_record("ns.a", "RUNNING")),
    ]
    async with client_of(gateway_api) as gateway:
        report = await gateway._wait_for_start("ns.a")
    assert report.status is ClusterStatus.RUNNING


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (
            (200, cluster_record("ns.a", "FAILED")),
            GatewayClusterError,
            "failed to start, see logs for more information",
        ),
        ((200, cluster_record("ns.a", "STOPPED")), GatewayClusterError, "Cluster 'ns.a' is already stopped"),
        (
            (200, cluster_record("ns.a", tls_key=None)),
            GatewayClusterError,
            "Cluster 'ns.a' can't be reached: it is being stopped, or its credentials are gone",
        ),
        ((409, {"error": "Image 'x' cannot be pulled"}), GatewayClusterError, "Image 'x' cannot be pulled"),
        ((422, {"error": "No node is large enough"}), ValueError, "No node is large enough"),
        ((403, {"error": "Not yours"}), GatewayResponseError, "Not yours"),
    ],
)
async def test_waiting_ends_with_the_reason_of_a_failure(
    gateway_api: MiniGateway, answer: Any, error: type[Exception], message: str
) -> None:
    gateway_api.answers["GET", "/api/v1/clusters/ns.a"] = [answer]
    async with client_of(gateway_api) as gateway:
        with pytest.raises(error, match=message):
            await gateway._wait_for_start("ns.a")


async def test_a_cluster_that_failed_later_says_why(gateway_api: MiniGateway) -> None:
    why = {"reason": "OOMKilled", "message": "The scheduler ended: it used more memory than its limit, and was killed"}
    gateway_api.clusters["ns.a"] = cluster_record("ns.a", "FAILED", **why)
    async with client_of(gateway_api) as gateway:
        with pytest.raises(GatewayClusterError) as failure:
            await gateway._wait_for_start("ns.a")
    assert str(failure.value) == f"Cluster 'ns.a' failed: {why['message']}"


async def test_a_cluster_that_stays_pending_says_what_it_waits_for_once_a_reason(
    gateway_api: MiniGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dask_gateway.gateway._SILENCE", 0.01)
    monkeypatch.setattr("dask_gateway.gateway._POLL_PAUSE", 0.01)

    def pending(reason: str, message: str) -> Any:
        return 200, cluster_record("ns.a", "PENDING", reason=reason, message=message)

    gateway_api.clusters["ns.a"] = cluster_record("ns.a", "PENDING")
    starting = pending("SchedulerStarting", "The scheduler is starting")
    answers = [
        starting,
        (503, {"error": "Kubernetes does not answer"}),
        pending("Unschedulable", "no node has room for it: 0/3"),
        pending("Unschedulable", "no node has room for it: 0/4"),
        starting,
        pending("ImagePullBackOff", "no such image"),
    ]
    gateway_api.answers["GET", "/api/v2/clusters/ns.a"] = answers
    async with client_of(gateway_api) as gateway:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            waiting = asyncio.ensure_future(gateway._wait_for_start("ns.a"))
            await until(lambda: not answers)
            gateway_api.clusters["ns.a"] = cluster_record("ns.a", "RUNNING")
            await waiting
    assert [(warning.category, str(warning.message)) for warning in told] == [
        (GatewayWarning, "Cluster ns.a is pending: no node has room for it: 0/3"),
        (GatewayWarning, "Cluster ns.a is pending: no such image"),
    ]


async def test_a_gateway_without_reasons_is_waited_for_in_silence(
    gateway_api: MiniGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dask_gateway.gateway._SILENCE", 0.01)
    gateway_api.clusters["ns.a"] = cluster_record("ns.a", "PENDING")
    answers = [(404, b"404: Not Found")] * 2
    gateway_api.answers["GET", "/api/v2/clusters/ns.a"] = answers
    async with client_of(gateway_api) as gateway:
        waiting = asyncio.ensure_future(gateway._wait_for_start("ns.a"))
        await until(lambda: not answers)
        gateway_api.clusters["ns.a"] = cluster_record("ns.a", "RUNNING")
        assert (await waiting).status is ClusterStatus.RUNNING


# Synchronous use


async def test_the_same_methods_work_without_an_event_loop(gateway_api: MiniGateway) -> None:
    gateway_api.credentials = ADA
    gateway_api.clusters["ns.a"] = cluster_record("ns.a")

    def use() -> tuple[Any, ...]:
        with Gateway(gateway_api.url, auth=BasicAuth("ada", "pw")) as gateway:
            assert not gateway.asynchronous
            assert repr(gateway) == f"Gateway<{gateway_api.url}>"
            with pytest.raises(ValueError, match=r"Cluster ns\.b not found"):
                gateway.get_cluster("ns.b")
            return gateway.list_clusters(), gateway.submit(n=1), gateway.stop_cluster("ns.a")

    reports, name, stopped = await asyncio.to_thread(use)
    assert ([report.name for report in reports], name, stopped) == (["ns.a"], "default.new", None)


async def test_a_gateway_that_is_forgotten_closes_its_connections(gateway_api: MiniGateway) -> None:
    def use() -> Any:
        gateway = Gateway(gateway_api.url, auth=BasicAuth("ada", "pw"))
        gateway.list_clusters()
        return gateway._transport

    transport = await asyncio.to_thread(use)
    await asyncio.to_thread(gc.collect)
    assert transport._session is None


def test_a_gateway_that_could_not_be_made_can_be_forgotten() -> None:
    with pytest.raises(ValueError, match="No dask-gateway address"):
        Gateway()
    gc.collect()
