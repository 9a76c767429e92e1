import random

import pytest

from gateway_common.backoff import LONGEST_RETRY_AFTER, MAX_ATTEMPTS, Backoff, retry_delay
from gateway_common.errors import Conflict, Forbidden, KubeError, KubeUnavailable, TooManyRequests
from gateway_common.kube_errors import RequestNotSent


def delay(error: KubeError, attempt: int = 1, *, idempotent: bool = True) -> float | None:
    return retry_delay(error, attempt, idempotent=idempotent, rng=random.Random(1))


def test_pauses_double_up_to_the_longest_and_jitter_takes_at_most_half() -> None:
    backoff = Backoff(first=1.0, longest=10.0, rng=random.Random(1))

    pauses = [backoff.next() for _ in range(6)]

    for pause, full in zip(pauses, [1, 2, 4, 8, 10, 10], strict=True):
        assert full / 2 <= pause <= full


def test_a_reset_starts_from_the_shortest_pause() -> None:
    backoff = Backoff(first=1.0, longest=10.0, rng=random.Random(1))
    for _ in range(5):
        backoff.next()

    backoff.reset()

    assert backoff.next() <= 1.0


def test_years_of_failures_do_not_overflow() -> None:
    assert Backoff(first=1.0, longest=10.0, rng=random.Random(1), failures=10**6).next() <= 10.0


@pytest.mark.parametrize("idempotent", [True, False])
def test_what_was_never_sent_or_refused_for_load_is_repeated_whatever_it_is(idempotent: bool) -> None:
    assert delay(RequestNotSent("refused"), idempotent=idempotent) is not None
    assert delay(TooManyRequests("later", 2.0), idempotent=idempotent) == pytest.approx(2.05, abs=0.05)


def test_a_request_without_an_answer_is_repeated_only_if_that_does_no_harm() -> None:
    assert delay(KubeUnavailable("cut off"), idempotent=True) is not None
    assert delay(KubeUnavailable("cut off"), idempotent=False) is None


@pytest.mark.parametrize("error", [Forbidden("no"), Conflict("changed")])
def test_a_plain_refusal_is_not_repeated(error: KubeError) -> None:
    assert delay(error) is None


def test_a_pause_that_is_too_long_is_left_to_the_caller() -> None:
    assert delay(TooManyRequests("much later", LONGEST_RETRY_AFTER + 1)) is None


def test_repeating_ends() -> None:
    assert delay(RequestNotSent("refused"), MAX_ATTEMPTS) is None
