"""Trouble on demand: errors, latency, watches that break, events that come twice or not at all.

For tests and for people who want to see what the gateway does about it. Rules are added and taken away while the server
runs; without rules nothing here costs anything.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from gateway_local.apiserver.errors import StatusError

_REASONS = {
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    410: "Expired",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}

WatchTrouble = Literal["drop", "duplicate"]


@dataclass(kw_only=True)
class Fault:
    """One rule. It meets the requests that match all that it says, and does all that it says.

    Parameters
    ----------
    verb, resource, path
        Which requests: a verb ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"), a
        plural ("pods"), a part of the path. Empty: any.
    code
        The HTTP status to answer instead of doing anything; 0: none.
    message
        What is said with it.
    retry_after
        Seconds for the Retry-After header.
    latency
        Seconds to wait before the request is looked at.
    events
        For watches: "drop" or "duplicate" events.
    times
        How many requests (or events) it meets; None: without end.
    probability
        The chance with which it meets one that matches.
    """

    verb: str = ""
    resource: str = ""
    path: str = ""
    code: int = 0
    message: str = "injected fault"
    retry_after: int | None = None
    latency: float = 0.0
    events: WatchTrouble | None = None
    times: int | None = None
    probability: float = 1.0
    met: int = field(default=0, init=False)

    def matches(self, verb: str, resource: str, path: str) -> bool:
        return (
            self.verb in ("", verb)
            and self.resource in ("", resource)
            and self.path in path
            and (self.times is None or self.met < self.times)
        )

    def error(self) -> StatusError:
        details = {"retryAfterSeconds": self.retry_after} if self.retry_after is not None else None
        return StatusError(self.code, _REASONS.get(self.code, "InternalError"), self.message, details)


class Faults:
    """The rules in force. `seed` makes chances repeatable."""

    def __init__(self, seed: int = 0) -> None:
        self._chances = random.Random(seed)  # noqa: S311  (has to be repeatable)
        self.rules: list[Fault] = []
        self._streams: dict[Callable[[], object], str] = {}

    def add(self, fault: Fault) -> Fault:
        """Put a rule in force; the answer is the rule, for `remove` and its count `met`."""
        self.rules.append(fault)
        return fault

    def remove(self, fault: Fault) -> None:
        self.rules.remove(fault)

    def clear(self) -> None:
        """Take all rules out of force."""
        self.rules.clear()

    def meet(self, verb: str, resource: str, path: str) -> list[Fault]:
        """The rules that a request runs into."""
        return [
            rule
            for rule in self.rules
            if rule.events is None and rule.matches(verb, resource, path) and self._strikes(rule)
        ]

    def drop_watches(self, resource: str = "") -> int:
        """End the watches of a resource that are open now, or all. The answer is how many there were."""
        ends = [end for end, plural in self._streams.items() if resource in ("", plural)]
        for end in ends:
            end()
        return len(ends)

    def watch_began(self, resource: str, end: Callable[[], object]) -> None:
        """For the server: a watch that `drop_watches` can end."""
        self._streams[end] = resource

    def watch_ended(self, end: Callable[[], object]) -> None:
        self._streams.pop(end, None)

    def trouble(self, resource: str, path: str, event: bytes) -> bytes:
        """What becomes of a watch's events on their way: the lines that are really sent."""
        rules = [rule for rule in self.rules if rule.events is not None]
        if not rules:
            return event
        lines = []
        for line in event.splitlines(keepends=True):
            copies = 1
            for rule in rules:
                if rule.matches("watch", resource, path) and self._strikes(rule):
                    copies = 0 if rule.events == "drop" else copies * 2
            lines.append(line * copies)
        return b"".join(lines)

    def _strikes(self, rule: Fault) -> bool:
        if rule.probability < 1.0 and self._chances.random() >= rule.probability:
            return False
        rule.met += 1
        return True
