"""What is written, and when nothing is."""

import pytest

from gateway_common.errors import Forbidden
from gateway_common.model import DaskClusterStatus, Phase
from gateway_controller.core.status import LONGEST_MESSAGE, status_patch, with_completion, with_problem
from tests.kit.observed import NOW, status


def test_a_status_that_did_not_change_is_not_written() -> None:
    assert status_patch("uid", status(), status()) is None


def test_a_changed_status_is_written_whole_to_the_very_cluster_that_was_looked_at() -> None:
    assert status_patch("uid", status(), DaskClusterStatus(credentials="secret")) == [
        {"op": "test", "path": "/metadata/uid", "value": "uid"},
        {"op": "add", "path": "/status", "value": {"phase": "Pending", "credentials": "secret"}},
    ]


def test_completion_has_its_time_and_keeps_the_reason() -> None:
    stopping = status(Phase.STOPPING, reason="SchedulerLost", message="gone")
    failed = with_completion(stopping, Phase.FAILED, NOW)
    assert failed == status(
        Phase.FAILED, reason="SchedulerLost", message="gone", completion_time="2026-11-23T12:00:00Z"
    )


def test_a_problem_is_said_in_the_phase_in_which_it_occurs() -> None:
    assert with_problem(status(), Forbidden("exceeded quota")) == status(reason="Forbidden", message="exceeded quota")


@pytest.mark.parametrize("phase", [Phase.STOPPING, Phase.STOPPED, Phase.FAILED])
def test_a_cluster_that_ends_goes_on_saying_why(phase: Phase) -> None:
    ending = status(phase, reason="SchedulerLost")
    assert with_problem(ending, Forbidden("no")) == ending


def test_a_long_answer_is_cut() -> None:
    assert len(with_problem(status(), Forbidden("x" * 5000)).message or "") == LONGEST_MESSAGE
