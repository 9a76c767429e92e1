"""Conditions of an object's status. No I/O."""

from collections.abc import Iterable
from dataclasses import dataclass

from gateway_common.clock import to_rfc3339
from gateway_common.resources import Manifest


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be said about a condition. `status` is "True", "False" or "Unknown"."""

    status: str
    reason: str
    message: str


def find(conditions: Iterable[Manifest], type_: str) -> Manifest | None:
    """The condition of a type, if it was ever said."""
    return next((condition for condition in conditions if condition["type"] == type_), None)


def with_verdict(
    conditions: Iterable[Manifest],
    type_: str,
    verdict: Verdict | None,
    now: float,
    *,
    updated_in: str = "",
    is_news: bool = False,
) -> list[Manifest]:
    """The conditions with one of them set, or without it (None).

    What says the same as before stays as it is, times included, unless it `is_news`. `updated_in` names a field for
    the time of the last change of whatever it says.
    """
    conditions = list(conditions)
    before = find(conditions, type_)
    others = [condition for condition in conditions if condition is not before]
    if verdict is None:
        return others
    said = {"type": type_, "status": verdict.status, "reason": verdict.reason, "message": verdict.message}
    if before is not None and said.items() <= before.items() and not is_news:
        return conditions
    since = before["lastTransitionTime"] if before and before["status"] == verdict.status else to_rfc3339(now)
    times = {"lastTransitionTime": since, **({updated_in: to_rfc3339(now)} if updated_in else {})}
    return [*others, {**said, **times}]


def without_zeros(**counts: int) -> Manifest:
    """Counts as Go's `omitempty` writes them."""
    return {name: count for name, count in counts.items() if count}
