"""Time as an argument, so that tests can set it."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

#: Seconds since the epoch.
Clock = Callable[[], float]

system_clock: Clock = time.time


def to_rfc3339(timestamp: float) -> str:
    """Seconds since the epoch as Kubernetes writes times, in whole seconds: 2026-11-23T10:00:00Z."""
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def from_rfc3339(text: str) -> float:
    """A Kubernetes time in seconds since the epoch; raises ValueError."""
    return datetime.fromisoformat(text).timestamp()
