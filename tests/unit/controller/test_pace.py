"""When a status is written whose change can wait."""

from gateway_common.object_store import ObjectKey
from gateway_controller.pace import Pace


def test_a_write_that_can_wait_waits_for_what_follows_closely() -> None:
    pace, key = Pace(), ObjectKey("dask", "c0ffee")
    assert pace.pause(key, 1.0, 10.0) == 0
    pace.touch(key, 10.0)
    assert pace.pause(key, 0.0, 10.0) == 0, "there are things that can't wait"
    pace.touch(key, 10.0)
    assert pace.pause(key, 1.0, 10.25) == 0.75
    assert pace.pause(key, 5.0, 12.0) == 3.0
    assert pace.pause(key, 1.0, 12.0) == 0
    pace.touch(key, 20.0)
    assert pace.pause(key, 1.0, 19.0) == 0, "the clock was set back"
