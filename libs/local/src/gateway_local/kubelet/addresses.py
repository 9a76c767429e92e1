"""Loopback addresses for pods: a /16 for each kubelet on this machine, one address for each pod."""

import random
import socket


class NoAddressLeft(Exception):
    """All ranges, or all addresses of this range, are in use."""


class AddressRange:
    """A claimed 127.x.0.0/16. Linux accepts every address of 127.0.0.0/8 without any set-up.

    The claim is an abstract Unix socket, which the kernel takes back when its owner dies, however it dies.
    """

    def __init__(self, second: int, claim: socket.socket) -> None:
        self._second = second
        self._claim = claim
        self._used: set[str] = set()
        self._cursor = 0
        self.node_address = f"127.{second}.0.1"

    @classmethod
    def claim(cls, candidates: list[int] | None = None) -> "AddressRange":
        """A range that no other kubelet on this machine has.

        Parameters
        ----------
        candidates
            The second bytes to try, in order. Random by default, so that a range whose kubelet was killed a
            moment ago, and whose processes may still be ending, is seldom the next one.
        """
        # 127.0 is everybody's, and container runtimes put DNS on 127.0.0.11 and the like
        choices = candidates if candidates is not None else random.sample(range(16, 255), 239)
        for second in choices:
            claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            try:
                claim.bind(f"\0gateway-local-pod-addresses-127.{second}")
            except OSError:
                claim.close()
                continue
            return cls(second, claim)
        raise NoAddressLeft("every 127.x.0.0/16 of this machine is claimed by a kubelet")

    def allocate(self) -> str:
        """An address that no pod has. Addresses of ended pods are the last to be used again."""
        for _ in range(256 * 254):
            high, low = divmod(self._cursor, 254)
            self._cursor = (self._cursor + 1) % (256 * 254)
            address = f"127.{self._second}.{high}.{low + 1}"
            if address != self.node_address and address not in self._used:
                self._used.add(address)
                return address
        raise NoAddressLeft(f"all addresses of 127.{self._second}.0.0/16 are in use")

    def release(self, address: str) -> None:
        self._used.discard(address)

    def close(self) -> None:
        """Give the range back."""
        self._claim.close()
