"""Slows those whose sign-ins fail, by user and address. Pure: the time is an argument (seconds since whenever)."""

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass

from gateway_common.configuration.auth import ThrottleSettings

#: An address as such may fail so many times as often as one user from it: many users may share it.
ADDRESS_FACTOR = 10

Key = tuple[str, ...]


@dataclass(slots=True)
class _Failures:
    count: int
    last: float
    blocked_until: float


class Throttle:
    """Remembers failed sign-ins, of a bounded number of users and addresses."""

    def __init__(self, settings: ThrottleSettings) -> None:
        self._settings = settings
        self._failures: OrderedDict[Key, _Failures] = OrderedDict()

    def __len__(self) -> int:
        return len(self._failures)

    def wait(self, user: str, address: str, now: float) -> float:
        """Seconds until this user may try again from this address; 0: now."""
        if not self._settings.enabled:
            return 0.0
        return max(0.0, *(self._blocked_until(key, now) - now for key in self._keys(user, address)))

    def failed(self, user: str, address: str, now: float) -> None:
        """Somebody showed credentials that are not good."""
        if not self._settings.enabled:
            return
        for factor, key in zip((1, ADDRESS_FACTOR), self._keys(user, address), strict=True):
            known = self._failures.pop(key, None)
            count = known.count + 1 if known and self._is_remembered(known, now) else 1
            self._failures[key] = _Failures(
                count, now, now + self._delay(count - self._settings.free_failures * factor)
            )
        while len(self._failures) > self._settings.max_entries:
            self._failures.popitem(last=False)

    def succeeded(self, user: str, address: str) -> None:
        """The user is who they say. The address as such still has its failures: it may be trying others, too."""
        self._failures.pop(self._keys(user, address)[0], None)

    def _blocked_until(self, key: Key, now: float) -> float:
        known = self._failures.get(key)
        return known.blocked_until if known and self._is_remembered(known, now) else now

    def _is_remembered(self, failures: _Failures, now: float) -> bool:
        return now - failures.last < self._settings.forget_after

    def _delay(self, beyond: int) -> float:
        """Of the failures beyond those that are free."""
        if beyond <= 0:
            return 0.0
        # the exponent is bounded, so that it can't overflow
        return min(self._settings.base_delay * 2.0 ** min(beyond - 1, 32), self._settings.max_delay)

    def _keys(self, user: str, address: str) -> tuple[Key, Key]:
        where = _network(address)
        return (user, where), (where,)


def _network(address: str) -> str:
    """Whoever has one IPv6 address has all of its /64."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is None:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return address
