from typing import Any

import httpx
import orjson
import pytest

from gateway_common import errors
from gateway_common.kube_errors import RequestNotSent, error_from_answer, error_from_status, error_from_transport


def status(code: int, reason: str = "", **details: Any) -> dict[str, Any]:
    return {"kind": "Status", "code": code, "reason": reason, "message": f"says {reason}", "details": details}


@pytest.mark.parametrize(
    ("code", "reason", "expected"),
    [
        (400, "BadRequest", errors.Invalid),
        (401, "Unauthorized", errors.Unauthorized),
        (403, "Forbidden", errors.Forbidden),
        (404, "NotFound", errors.NotFound),
        (405, "MethodNotAllowed", errors.Invalid),
        (409, "AlreadyExists", errors.AlreadyExists),
        (409, "Conflict", errors.Conflict),
        (410, "Expired", errors.Expired),
        (415, "UnsupportedMediaType", errors.Invalid),
        (422, "Invalid", errors.Invalid),
        (429, "TooManyRequests", errors.TooManyRequests),
        (500, "InternalError", errors.KubeUnavailable),
        (503, "ServiceUnavailable", errors.KubeUnavailable),
        (504, "Timeout", errors.KubeUnavailable),
    ],
)
def test_each_status_is_one_of_our_errors_and_keeps_its_message(
    code: int, reason: str, expected: type[errors.KubeError]
) -> None:
    error = error_from_answer(code, orjson.dumps(status(code, reason)), {})

    assert type(error) is expected
    assert str(error) == f"says {reason}"


def test_an_answer_that_is_no_status_keeps_its_text() -> None:
    error = error_from_answer(404, b"404 page not found\n", {})

    assert isinstance(error, errors.NotFound)
    assert str(error) == "404 page not found"


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[]", b'"text"', b'{"kind":"Pod"}'])
def test_an_error_with_a_strange_body_is_still_an_error(content: bytes) -> None:
    assert isinstance(error_from_answer(502, content, {}), errors.KubeUnavailable)


@pytest.mark.parametrize(
    ("header", "detail", "expected"),
    [("3", 5, 3.0), (None, 5, 5.0), (None, None, 1.0), ("Wed, 21 Oct 2026 07:28:00 GMT", None, 1.0), ("-4", None, 0)],
)
def test_the_pause_comes_from_the_header_then_from_the_status(
    header: str | None, detail: int | None, expected: float
) -> None:
    headers = {"retry-after": header} if header else {}
    body = orjson.dumps(status(429, "TooManyRequests", retryAfterSeconds=detail))

    error = error_from_answer(429, body, headers)

    assert isinstance(error, errors.TooManyRequests)
    assert error.retry_after == expected


def test_a_version_from_the_servers_future_means_list_again() -> None:
    error = error_from_status(status(504, "Timeout", causes=[{"reason": "ResourceVersionTooLarge"}]))

    assert isinstance(error, errors.Expired)


@pytest.mark.parametrize("kind", [httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout])
def test_without_a_connection_nothing_was_sent(kind: type[httpx.TransportError]) -> None:
    assert isinstance(error_from_transport(kind("no")), RequestNotSent)


@pytest.mark.parametrize("kind", [httpx.ReadTimeout, httpx.ReadError, httpx.RemoteProtocolError, httpx.WriteError])
def test_a_connection_that_broke_may_have_carried_the_request(kind: type[httpx.TransportError]) -> None:
    error = error_from_transport(kind("broke"))

    assert isinstance(error, errors.KubeUnavailable)
    assert not isinstance(error, RequestNotSent)


def test_a_transport_error_without_text_is_named() -> None:
    assert "ReadTimeout" in str(error_from_transport(httpx.ReadTimeout("")))
