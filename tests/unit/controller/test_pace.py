"""When a status is written whose change can wait."""

from gateway_common.model import Phase
from gateway_common.object_store import ObjectKey
from gateway_controller.pace import PATIENCE, Pace


def test_a_write_that_can_wait_waits_for_what_follows_closely() -> None:
    pace, key = Pace(), ObjectKey("dask", "c0ffee")
    assert pace.pause(key, Phase.RUNNING, 10.0) == 0
    pace.touch(key, 10.0)
    assert pace.pause(key, Phase.RUNNING, 10.25) == PATIENCE[Phase.RUNNING] - 0.25
    assert pace.pause(key, Phase.PENDING, 12.0) == PATIENCE[Phase.PENDING] - 2
    assert pace.pause(key, Phase.RUNNING, 12.0) == 0
    pace.touch(key, 20.0)
    assert pace.pause(key, Phase.RUNNING, 19.0) == 0, "the clock was set back"
