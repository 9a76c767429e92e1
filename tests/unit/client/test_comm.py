"""The gateway:// protocol: addresses, and connections through a proxy that routes by server name."""

import asyncio
import ssl
from collections.abc import AsyncIterator

import pytest
from distributed import Scheduler
from distributed.comm import connect
from distributed.core import rpc
from distributed.security import Security

from dask_gateway.comm import GatewayBackend, parse_gateway_address
from dask_gateway.report import GatewaySecurity
from tests.kit.sni_proxy import SniProxy, sni_proxy
from tests.kit.tls import make_key_pair
from tests.kit.waiting import until

KEY, CERTIFICATE = make_key_pair()


@pytest.mark.parametrize(
    ("address", "parsed"),
    [
        ("gateway://gw:8786/ns.a", ("gw", 8786, "ns.a")),
        ("gw:8786/ns.a", ("gw", 8786, "ns.a")),
        ("gateway://[::1]:8786/ns.a/", ("::1", 8786, "ns.a")),
        ("[fd00::1]:8786/ns.a", ("fd00::1", 8786, "ns.a")),
    ],
)
def test_addresses_are_host_port_and_cluster(address: str, parsed: tuple[str, int, str]) -> None:
    assert parse_gateway_address(address) == parsed


@pytest.mark.parametrize("address", ["gw:8786", "gw:8786/", "gateway://gw/ns.a", "gateway:///ns.a"])
def test_incomplete_addresses_are_errors(address: str) -> None:
    with pytest.raises(ValueError, match="expected 'gateway://host:port/name'"):
        parse_gateway_address(address)


def test_resolved_addresses_keep_cluster_and_brackets() -> None:
    backend = GatewayBackend()
    assert backend.get_address_host("gw:8786/ns.a") == "gw"
    assert backend.get_address_host_port("[::1]:8786/ns.a") == ("::1", 8786)
    assert backend.resolve_address("127.0.0.1:8786/ns.a") == "127.0.0.1:8786/ns.a"
    assert backend.resolve_address("[::1]:8786/ns.a") == "[::1]:8786/ns.a"
    assert backend.get_local_address_for("127.0.0.1:8786/ns.a") == "127.0.0.1:8786/ns.a"


def test_nothing_listens_at_a_gateway_address() -> None:
    with pytest.raises(NotImplementedError, match="schedulers listen with tls://"):
        GatewayBackend().get_listener("gw:8786/ns.a", None)


@pytest.fixture
async def scheduler() -> AsyncIterator[Scheduler]:
    security = Security(
        tls_ca_file=CERTIFICATE, tls_scheduler_cert=CERTIFICATE, tls_scheduler_key=KEY, require_encryption=True
    )
    async with Scheduler(
        protocol="tls", host="127.0.0.1", port=0, dashboard_address=":0", security=security
    ) as scheduler:
        yield scheduler


async def identify(proxy: SniProxy, host: str = "127.0.0.1") -> str:
    arguments = GatewaySecurity(KEY, CERTIFICATE).get_connection_args("client")
    async with rpc(f"gateway://{host}:{proxy.port}/ns.a", connection_args=arguments, timeout=5) as remote:
        return (await remote.identity())["type"]


async def test_a_scheduler_is_reached_by_the_name_of_its_cluster(scheduler: Scheduler) -> None:
    async with sni_proxy() as proxy:
        proxy.routes["daskgateway-ns.a"] = ("127.0.0.1", scheduler.port)
        assert await identify(proxy) == "Scheduler"
    assert set(proxy.names_seen) == {"daskgateway-ns.a"}


async def test_a_proxy_with_an_ipv6_address_is_reached(scheduler: Scheduler) -> None:
    async with sni_proxy("::1") as proxy:
        proxy.routes["daskgateway-ns.a"] = ("127.0.0.1", scheduler.port)
        assert await identify(proxy, "[::1]") == "Scheduler"


async def test_connecting_goes_on_until_the_proxy_has_the_route(scheduler: Scheduler) -> None:
    async with sni_proxy() as proxy:

        class LateRoutes(dict):
            def __contains__(self, name: object) -> bool:
                return len(proxy.names_seen) > 2

        proxy.routes = LateRoutes({"daskgateway-ns.a": ("127.0.0.1", scheduler.port)})
        assert await identify(proxy) == "Scheduler"


async def test_a_scheduler_with_another_certificate_is_not_trusted(scheduler: Scheduler) -> None:
    arguments = GatewaySecurity(*make_key_pair("dask-other")).get_connection_args("client")
    async with sni_proxy() as proxy:
        proxy.routes["daskgateway-ns.a"] = ("127.0.0.1", scheduler.port)
        connecting = asyncio.create_task(connect(f"gateway://127.0.0.1:{proxy.port}/ns.a", timeout=60, **arguments))
        await until(lambda: len(proxy.names_seen) > 2)
        assert not connecting.done(), "failed handshakes are retried, and none has ended well"
        connecting.cancel()
        await asyncio.gather(connecting, return_exceptions=True)


async def test_connecting_gives_up_when_its_time_is_over(scheduler: Scheduler) -> None:
    arguments = GatewaySecurity(*make_key_pair("dask-other")).get_connection_args("client")
    async with sni_proxy() as proxy:
        proxy.routes["daskgateway-ns.a"] = ("127.0.0.1", scheduler.port)
        with pytest.raises(OSError, match="Timed out trying to connect"):
            await connect(f"gateway://127.0.0.1:{proxy.port}/ns.a", timeout=0.5, **arguments)


async def test_credentials_are_required() -> None:
    with pytest.raises(TypeError, match="Gateway expects a `ssl_context` argument"):
        await connect("gateway://127.0.0.1:9/ns.a", timeout=1)


def test_a_clusters_credentials_trust_its_own_certificate_alone() -> None:
    context = GatewaySecurity(KEY, CERTIFICATE).get_connection_args("client")["ssl_context"]
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert len(context.get_ca_certs()) == 1
