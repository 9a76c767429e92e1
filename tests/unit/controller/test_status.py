"""What is written, and when nothing is."""

import pytest

from gateway_common.model import DaskClusterStatus, Phase, SchedulerFailure, WorkersStatus
from gateway_controller.core.status import last_part, patience, status_patch, with_completion, with_failure, with_log
from tests.kit.observed import NOW, status, with_condition


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


@pytest.mark.parametrize(
    ("changed", "seconds"),
    [
        pytest.param(status(workers=WorkersStatus(desired=3)), 30, id="workers are on their way"),
        pytest.param(status(workers=WorkersStatus(desired=3, running=3)), 1, id="all run"),
        pytest.param(status(message="2 of 3 workers run; 1 can't: no node"), 1, id="other words"),
        pytest.param(status(reason="Unschedulable", message="0 of 3 workers run"), 1, id="some can't run"),
        pytest.param(status(observed_generation=7), 1, id="a new generation"),
        pytest.param(status(granted_workers=2), 0, id="a limit"),
        pytest.param(status(scheduler_address="10.0.0.2"), 0, id="an address"),
        pytest.param(status(Phase.STOPPING, reason="Deleted"), 0, id="a phase"),
    ],
)
def test_of_a_cluster_that_runs_only_how_its_workers_are_may_wait(changed: DaskClusterStatus, seconds: float) -> None:
    assert patience(status(), changed) == seconds


@pytest.mark.parametrize(
    ("changed", "seconds"),
    [
        (with_condition(status(Phase.PENDING), "SchedulerScheduled", "False", "SchedulerStarting"), 60),
        (status(Phase.PENDING, message="The scheduler can't start yet: other words"), 60),
        (status(Phase.PENDING, reason="Unschedulable"), 0),
        (status(), 0),
    ],
)
def test_of_a_cluster_that_starts_a_new_reason_is_written_at_once(changed: DaskClusterStatus, seconds: float) -> None:
    assert patience(status(Phase.PENDING), changed) == seconds


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("", ""),
        ("one\ntwo\n", "one\ntwo"),
        ("first line\nsecond\nthird", "second\nthird"),
        ("a line that is far too long", "at is far too long"),
        ("\N{EURO SIGN}" * 7, "\N{EURO SIGN}" * 6),
    ],
)
def test_of_a_log_the_last_whole_lines_are_kept(text: str, kept: str) -> None:
    assert last_part(text, 18) == kept


def test_a_failure_without_exit_code_and_log_is_not_worth_a_word() -> None:
    failed = status(Phase.STOPPING, reason="SchedulerLost")
    assert with_failure(failed, None) == failed
    assert with_log(failed, "bye").scheduler_failure == SchedulerFailure(log="bye")
    assert with_log(with_failure(failed, 3), "bye").scheduler_failure == SchedulerFailure(exit_code=3, log="bye")
