"""What an answer of the Kubernetes API means: HTTP answers, Status objects and broken connections as KubeErrors.

Pure translation; it neither asks nor retries. Shapes and reasons: the API conventions' "Response Status Kind".
"""

from collections.abc import Mapping
from typing import Any

import httpx
import orjson

from gateway_common.errors import (
    AlreadyExists,
    Conflict,
    Expired,
    Forbidden,
    Invalid,
    KubeError,
    KubeUnavailable,
    NotFound,
    TooManyRequests,
    Unauthorized,
)

#: What a server that says 429 without Retry-After is given, in seconds; its own default.
DEFAULT_RETRY_AFTER = 1.0

_BY_CODE: dict[int, type[KubeError]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Expired,
}


class RequestNotSent(KubeUnavailable):
    """No connection came about, so the API server has seen nothing: repeating is safe for any request."""


def error_from_answer(code: int, content: bytes, headers: Mapping[str, str]) -> KubeError:
    """The error that an HTTP answer of 400 and above stands for."""
    try:
        status = orjson.loads(content)
    except orjson.JSONDecodeError:
        status = None
    if not isinstance(status, dict) or status.get("kind") != "Status":
        # A proxy, or a path that the API server does not serve: plain text.
        status = {"message": content[:200].decode(errors="replace").strip() or f"HTTP {code}"}
    return error_from_status({**status, "code": code}, headers)


def error_from_status(status: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> KubeError:
    """The error that a Status object stands for: the body of an answer, or an ERROR event in a watch."""
    code = int(status.get("code") or 500)
    reason = status.get("reason", "")
    message = str(status.get("message") or reason or f"HTTP {code}")
    details = status.get("details") or {}
    if code == 429:
        return TooManyRequests(message, _retry_after(details, headers or {}))
    if reason == "AlreadyExists":
        return AlreadyExists(message)
    if any(cause.get("reason") == "ResourceVersionTooLarge" for cause in details.get("causes") or ()):
        # We come from a future that this server has not seen (a restored backup, a lagging replica). The
        # way out is the same as out of a past that it has forgotten: list again.
        return Expired(message)
    if code >= 500:
        return KubeUnavailable(message)
    return _BY_CODE.get(code, Invalid)(message)


def error_from_transport(error: BaseException | None) -> KubeUnavailable:
    """The error for a request that got no answer, or the beginning of one."""
    message = f"the Kubernetes API did not answer: {str(error) or type(error).__name__}"
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout):
        return RequestNotSent(message)
    return KubeUnavailable(message)


def _retry_after(details: Mapping[str, Any], headers: Mapping[str, str]) -> float:
    for value in (headers.get("retry-after"), details.get("retryAfterSeconds")):
        try:
            return max(0.0, float(value))  # type: ignore[arg-type]  # None is refused like any other nonsense
        except (TypeError, ValueError):
            continue
    return DEFAULT_RETRY_AFTER
