"""The ``gateway://`` protocol of distributed: TLS to a scheduler behind a proxy that routes by server name.

An address is ``gateway://host:port/<cluster name>``. The client connects to host:port in plain TCP and starts TLS with
the server name (SNI) ``daskgateway-<cluster name>``; the proxy reads that name and passes the bytes on, so that TLS is
between the client and the scheduler alone.
"""

import ssl
from typing import Any, NoReturn
from urllib.parse import urlsplit

from distributed.comm.core import CommClosedError, Connector
from distributed.comm.registry import Backend, backends
from distributed.comm.tcp import MAX_BUFFER_SIZE, TLS, convert_stream_closed_error, get_stream_address
from distributed.utils import ensure_ip, get_ip, get_ipv6
from tornado.iostream import StreamClosedError
from tornado.tcpclient import TCPClient

from dask_gateway.addresses import join_host_port

__all__ = ("GatewayBackend", "GatewayConnector", "parse_gateway_address")


def parse_gateway_address(address: str) -> tuple[str, int, str]:
    """Host, port and cluster name of an address, which may lack its scheme; ``ValueError`` when one is missing."""
    parts = urlsplit(address if "://" in address else f"gateway://{address}")
    cluster = parts.path.strip("/")
    if not cluster:
        raise ValueError(f"Gateway address {address!r} has no cluster's name: expected 'gateway://host:port/name'")
    if not parts.hostname or parts.port is None:
        raise ValueError(f"Gateway address {address!r} lacks host or port: expected 'gateway://host:port/name'")
    return parts.hostname, parts.port, cluster


class GatewayConnector(Connector):  # type: ignore[misc]  # distributed is untyped here
    """Opens connections to schedulers."""

    async def connect(self, address: str, deserialize: bool = True, **connection_args: Any) -> Any:
        """Connect to ``host:port/cluster`` with the ``ssl_context`` of that cluster's credentials.

        A failed handshake is retried by distributed: until the proxy has the cluster's route, something else answers.
        """
        host, port, cluster = parse_gateway_address(address)
        context = connection_args.get("ssl_context")
        if not isinstance(context, ssl.SSLContext):
            raise TypeError(f"Gateway expects a `ssl_context` argument of type ssl.SSLContext, instead got {context!r}")
        try:
            plain = await TCPClient().connect(host, port, max_buffer_size=MAX_BUFFER_SIZE)
            stream = await plain.start_tls(False, ssl_options=context, server_hostname=f"daskgateway-{cluster}")
            if stream.closed() and stream.error:
                raise StreamClosedError(stream.error)
        except StreamClosedError as error:
            convert_stream_closed_error(self, error)
        except ssl.SSLError as error:
            raise CommClosedError(f"TLS handshake with {address} failed: {error}") from error
        return TLS(stream, f"tls://{get_stream_address(stream)}", f"gateway://{address}", deserialize)


class GatewayBackend(Backend):  # type: ignore[misc]  # distributed is untyped here
    """What distributed asks of a protocol. Addresses arrive without their scheme."""

    def get_connector(self) -> GatewayConnector:
        return GatewayConnector()

    def get_listener(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise NotImplementedError("Nothing listens at a gateway:// address: schedulers listen with tls://")

    def get_address_host(self, loc: str) -> str:
        return parse_gateway_address(loc)[0]

    def get_address_host_port(self, loc: str) -> tuple[str, int]:
        host, port, _ = parse_gateway_address(loc)
        return host, port

    def resolve_address(self, loc: str) -> str:
        host, port, cluster = parse_gateway_address(loc)
        return f"{join_host_port(ensure_ip(host), port)}/{cluster}"

    def get_local_address_for(self, loc: str) -> str:
        host, port, cluster = parse_gateway_address(loc)
        ip = ensure_ip(host)
        local = get_ipv6(ip) if ":" in ip else get_ip(ip)
        return f"{join_host_port(local, port)}/{cluster}"


backends["gateway"] = GatewayBackend()
