"""Where a gateway is: its API, its schedulers' proxy, and its public URL.

Each comes from an argument, else from the configuration, else from the API's address.
"""

from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from dask_gateway.config import configured

_DEFAULT_PORTS = {"http": 80, "https": 443}
_SCHEDULER_PROXY_PORT = 8786


@dataclass(frozen=True)
class GatewayAddresses:
    """The three addresses of one gateway.

    api:     URL that requests are sent to, without a trailing slash.
    proxy:   ``gateway://host:port`` that schedulers are reached through.
    public:  URL, or path, that dashboard links start with, without a trailing slash.
    """

    api: str
    proxy: str
    public: str


def resolve_addresses(
    address: str | None, proxy_address: str | int | None, public_address: str | None
) -> GatewayAddresses:
    """Complete what the caller gave from the configuration; ``ValueError`` when there is no usable address."""
    api = address if address is not None else configured("address")
    if api is None:
        raise ValueError("No dask-gateway address provided or found in configuration")
    api = api.rstrip("/")
    api_parts = urlsplit(api)
    if not api_parts.scheme or not api_parts.hostname:
        raise ValueError(f"A gateway's address looks like 'https://host' or 'http://host:port', got {api!r}")

    proxy = proxy_address if proxy_address is not None else configured("proxy-address")
    public = public_address if public_address is not None else configured("public-address")
    return GatewayAddresses(
        api=api,
        proxy="gateway://" + _proxy_host_port(proxy, api_parts),
        public=api if public is None else public.rstrip("/"),
    )


def join_host_port(host: str, port: int) -> str:
    """``host:port``, with the brackets that an IPv6 literal needs."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _proxy_host_port(proxy: str | int | None, api: SplitResult) -> str:
    if proxy is None:
        return _host_port(api)
    if isinstance(proxy, str) and proxy.isdecimal():  # a port out of a template, "{PROXY_PORT}"
        proxy = int(proxy)
    if isinstance(proxy, int):
        return join_host_port(api.hostname or "", proxy)
    parts = urlsplit(proxy if "://" in proxy else f"gateway://{proxy}")
    if not parts.hostname:
        raise ValueError(f"proxy_address must be a port or 'host:port', got {proxy!r}")
    return _host_port(parts)


def _host_port(parts: SplitResult) -> str:
    port = parts.port or _DEFAULT_PORTS.get(parts.scheme, _SCHEDULER_PROXY_PORT)
    return join_host_port(parts.hostname or "", port)
