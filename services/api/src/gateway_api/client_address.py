"""Where a request comes from."""

from collections.abc import Mapping


def client_address(headers: Mapping[str, str], peer: str, proxies: int) -> str:
    """The caller's address, as far as our own proxies vouch for it.

    Each proxy adds the address that it was called from at the end of `X-Forwarded-For`: what stands before the
    last `proxies` of them is the caller's own word.
    """
    addresses = [address.strip() for address in headers.get("x-forwarded-for", "").split(",") if address.strip()]
    if not proxies or not addresses:
        return peer
    return addresses[-min(proxies, len(addresses))][:64]
