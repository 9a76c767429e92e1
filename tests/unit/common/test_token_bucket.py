import pytest

from gateway_common.token_bucket import TokenBucket


class Watch:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_passes_at_once_and_what_follows_waits_its_turn() -> None:
    bucket = TokenBucket(rate=10, burst=3, clock=Watch())

    delays = [bucket.reserve() for _ in range(5)]

    assert delays == pytest.approx([0, 0, 0, 0.1, 0.2])


def test_tokens_come_back_with_time_but_never_above_the_burst() -> None:
    clock = Watch()
    bucket = TokenBucket(rate=10, burst=2, clock=clock)
    for _ in range(4):
        bucket.reserve()

    clock.now += 3600
    delays = [bucket.reserve() for _ in range(3)]

    assert delays == pytest.approx([0, 0, 0.1])


async def test_taking_from_a_full_bucket_does_not_wait() -> None:
    await TokenBucket(rate=0.001, burst=1).take()
