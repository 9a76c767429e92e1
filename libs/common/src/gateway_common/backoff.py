"""How long to wait before trying again. Decides and does nothing: sleeping is the caller's business."""

import random
from dataclasses import dataclass, field

from gateway_common.errors import KubeError, KubeUnavailable, TooManyRequests
from gateway_common.kube_errors import RequestNotSent

#: Times that one request is sent before its error is the caller's.
MAX_ATTEMPTS = 4
#: Seconds. A server that asks for a longer pause gets it from the caller, not from a request that hangs.
LONGEST_RETRY_AFTER = 10.0

_FIRST_RETRY = 0.1
_LONGEST_RETRY = 2.0


def system_random() -> random.Random:
    """Randomness for jitter, which no secret rests on."""
    return random.Random()  # noqa: S311  # spreads load, guards nothing


@dataclass(slots=True)
class Backoff:
    """Growing pauses: `first` seconds, doubled each time up to `longest`, each shortened by up to a half.

    The jitter keeps clients that failed together from coming back together.
    """

    first: float
    longest: float
    rng: random.Random = field(default_factory=system_random)
    failures: int = 0

    def next(self) -> float:
        """The pause after one more failure, in seconds."""
        # 2.0**failures would overflow after a week of failures.
        pause = min(self.longest, self.first * 2.0 ** min(self.failures, 32))
        self.failures += 1
        return pause * self.rng.uniform(0.5, 1.0)

    def reset(self) -> None:
        self.failures = 0


def retry_delay(error: KubeError, attempt: int, *, idempotent: bool, rng: random.Random) -> float | None:
    """Seconds to wait before a request is repeated, or None if it shall not be.

    `attempt` counts from 1. What the server has refused with 429 or has never seen is repeated always; what it
    may have carried out, only if doing so twice does no harm.
    """
    if attempt >= MAX_ATTEMPTS:
        return None
    if isinstance(error, TooManyRequests):
        if error.retry_after > LONGEST_RETRY_AFTER:
            return None
        return error.retry_after + rng.uniform(0.0, _FIRST_RETRY)
    if isinstance(error, RequestNotSent) or (idempotent and isinstance(error, KubeUnavailable)):
        return Backoff(_FIRST_RETRY, _LONGEST_RETRY, rng, failures=attempt - 1).next()
    return None
