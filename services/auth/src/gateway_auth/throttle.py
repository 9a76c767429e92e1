"""Slows those whose sign-ins fail, by user and address. Pure: the time is an argument (seconds since whenever)."""

import ipaddress
from collections import Counter, OrderedDict
from dataclasses import dataclass

from gateway_common.configuration.auth import ThrottleSettings

#: So many times as many users may fail from an address as one user may fail: many users may share it.
ADDRESS_FACTOR = 100

Key = tuple[str, ...]


@dataclass(slots=True)
class _Failures:
    count: int
    last: float
    blocked_until: float


class Throttle:
    """Remembers failed sign-ins, of a bounded number of users and addresses, and those that are being decided."""

    def __init__(self, settings: ThrottleSettings) -> None:
        self._settings = settings
        self._failures: OrderedDict[Key, _Failures] = OrderedDict()
        self._undecided: Counter[Key] = Counter()

    def __len__(self) -> int:
        return len(self._failures)

    def begin(self, user: str, address: str, now: float) -> float:
        """Seconds until this user may try again from this address; 0: they do now, until `end`.

        Tries that are not decided yet count like failed ones, else a hundred guesses at once would all be free.

        `user`: whatever tells who tries from others who do.
        """
        keys = self._keys(user, address)
        if self._settings.enabled and (wait := max(map(self._wait, keys, self._free, (now, now)))):
            return wait
        self._undecided.update(keys)
        return 0.0

    def end(self, user: str, address: str) -> None:
        """A try that `begin` let in is decided; `failed` or `succeeded` say how."""
        for key in self._keys(user, address):
            self._undecided[key] -= 1
            if not self._undecided[key]:
                del self._undecided[key]

    def failed(self, user: str, address: str, now: float) -> None:
        """Somebody showed credentials that are not good."""
        if not self._settings.enabled:
            return
        (own, where), (own_free, free_where) = self._keys(user, address), self._free
        # of an address, different users count: one program with an old password is not to keep others out
        if self._count(own, now, own_free) == 1:
            self._count(where, now, free_where)
        while len(self._failures) > self._settings.max_entries:
            self._failures.popitem(last=False)

    def succeeded(self, user: str, address: str) -> None:
        """The user is who they say. The address as such still has its failures: it may be trying others, too."""
        self._failures.pop(self._keys(user, address)[0], None)

    def _count(self, key: Key, now: float, free: int) -> int:
        """One more failure, and how many there are."""
        known = self._failures.pop(key, None)
        count = known.count + 1 if known and self._is_remembered(known, now) else 1
        self._failures[key] = _Failures(count, now, now + self._delay(count - free))
        return count

    def _wait(self, key: Key, free: int, now: float) -> float:
        known = self._failures.get(key)
        if known is None or not self._is_remembered(known, now):
            known = _Failures(0, now, now)
        if now < known.blocked_until:
            # a clock that was set back makes nobody wait for longer
            return min(known.blocked_until - now, self._settings.max_delay)
        # beyond those that are free, one at a time
        undecided = self._undecided[key]
        return self._delay(known.count + undecided - free) if undecided else 0.0

    def _is_remembered(self, failures: _Failures, now: float) -> bool:
        return now - failures.last < self._settings.forget_after

    def _delay(self, beyond: int) -> float:
        """Of the failures beyond those that are free."""
        if beyond <= 0:
            return 0.0
        # the exponent is bounded, so that it can't overflow
        return min(self._settings.base_delay * 2.0 ** min(beyond - 1, 32), self._settings.max_delay)

    @property
    def _free(self) -> tuple[int, int]:
        """Failures that cost nothing: those of a user at an address, and those of the address."""
        return self._settings.free_failures, self._settings.free_failures * ADDRESS_FACTOR

    def _keys(self, user: str, address: str) -> tuple[Key, Key]:
        where = network_of(address)
        return (user, where), (where,)


def network_of(address: str) -> str:
    """Whoever has one IPv6 address has all of its /64."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is None:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return address
