"""Rules that need nothing around them."""

import logging

import pytest

from gateway_api.access_log import classify_level, log_request
from gateway_api.clusters.service import cap_range, explain, parse_statuses
from gateway_api.cookies import SESSION_COOKIE, cookie_value, set_cookie
from gateway_api.errors import InvalidRequest
from gateway_common.quota import Excess, Kind, Owner, Room, Scope


@pytest.mark.parametrize(
    ("asked", "limit", "capped"),
    [
        ((None, None), None, (None, None)),
        ((2, 9), None, (2, 9)),
        ((None, None), 4, (0, 4)),
        ((1, 4), 4, (1, 4)),
        ((1, 9), 4, (1, 4)),
        ((None, 9), 0, (0, 0)),
        ((6, None), 4, (4, 4)),
    ],
)
def test_bounds_are_capped_at_the_limit(
    asked: tuple[int | None, int | None], limit: int | None, capped: tuple[int | None, int | None]
) -> None:
    minimum, maximum, notice = cap_range(*asked, limit)

    assert (minimum, maximum) == capped
    too_wide = limit is not None and any(bound is not None and bound > limit for bound in asked)
    assert (notice is not None) is too_wide


@pytest.mark.parametrize(
    ("asked", "own", "room", "capped"),
    [
        ((2, 9), None, 4, (2, 4)),
        ((2, 9), 6, 4, (2, 4)),
        ((2, 9), 4, 6, (2, 4)),
        ((None, 3), None, 4, (None, 3)),
        # what is free just now must not bind a cluster that names no maximum
        ((None, None), None, 0, (None, None)),
        ((1, None), 8, 4, (1, 8)),
        ((6, None), None, 4, (4, None)),
    ],
)
def test_bounds_are_capped_at_what_there_is_room_for(
    asked: tuple[int | None, int | None], own: int | None, room: int, capped: tuple[int | None, int | None]
) -> None:
    minimum, maximum, notice = cap_range(*asked, own, room)

    assert (minimum, maximum) == capped
    too_wide = any(bound is not None and bound > min(room, own or room) for bound in asked)
    assert (notice is not None) is too_wide


WORKERS = Excess(Scope(Owner.USER, "alice"), Kind.WORKERS, used=3, asked=1, allowed=5)


@pytest.mark.parametrize(
    ("room", "own", "text"),
    [
        (Room(None), 4, ""),
        (Room(2, WORKERS), 2, ""),
        (Room(2, WORKERS), None, " 3 of 5 workers are yours already."),
        (Room(2, WORKERS), 3, " 3 of 5 workers are yours already."),
    ],
)
def test_the_limit_that_counts_is_explained_unless_it_is_the_clusters_own(
    room: Room, own: int | None, text: str
) -> None:
    assert explain(room, own, to_owner=True) == text


def test_states_are_a_comma_list_of_any_case_and_live_ones_by_default() -> None:
    assert parse_statuses(None) == {"PENDING", "RUNNING"}
    assert parse_statuses("Stopped,FAILED,failed") == {"STOPPED", "FAILED"}
    with pytest.raises(InvalidRequest, match="'nope' is not a valid ClusterStatus"):
        parse_statuses("running,nope")


@pytest.mark.parametrize(
    ("header", "token"),
    [
        (None, None),
        ("", None),
        ("a=b", None),
        ("dask-gateway-session=t", "t"),
        ('a=b; dask-gateway-session="t"; c=d', "t"),
        ("not-dask-gateway-session=x", None),
        ("a=dask-gateway-session", None),
        ("dask-gateway-session", ""),
    ],
)
def test_the_session_is_found_among_other_cookies(header: str | None, token: str | None) -> None:
    assert cookie_value(header, SESSION_COOKIE) == token


def test_the_cookie_is_out_of_reach_for_scripts_and_other_sites() -> None:
    plain = set_cookie("s", "t", max_age=59.9, path="", secure=False)

    assert plain == "s=t; Max-Age=59; Path=/; HttpOnly; SameSite=Lax"
    assert set_cookie("s", "t", max_age=59.9, path="", secure=True) == f"{plain}; Secure"


@pytest.mark.parametrize(
    ("status", "path", "level"),
    [
        (200, "/api/health", logging.DEBUG),
        (503, "/api/health", logging.ERROR),
        (201, "/api/v1/clusters/", logging.INFO),
        (404, "/api/v1/clusters/x", logging.WARNING),
        (500, "/", logging.ERROR),
    ],
)
def test_the_access_logs_level_fits_the_status(status: int, path: str, level: int) -> None:
    assert classify_level(status, path) == level


def test_the_access_logs_line_can_not_be_forged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        log_request(200, "GET", "/a\n200 GET /b", 0.0125)

    assert caplog.messages == ["200 GET '/a\\n200 GET /b' 12.500ms"]
