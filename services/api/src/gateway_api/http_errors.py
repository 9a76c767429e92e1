"""What an error means over HTTP: always `{"error": <text for people>}` (R-002).

Released clients show the text of a 404, 409, 422 and 500 to their users, and of nothing else.
"""

import logging
import math

from fastapi import FastAPI, Request, Response
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import Scope

from gateway_api.errors import (
    AuthenticationRequired,
    AuthenticatorFailed,
    BodyTooLarge,
    ClusterFailedToStart,
    ClusterNotFound,
    ClusterNotRunning,
    InvalidRequest,
    LimitReached,
    NamespaceMissing,
    PermissionDenied,
    RequestRefused,
    SchedulerTooOld,
    SchedulerUnreachable,
    TemporarilyUnavailable,
    TooManyAttempts,
)
from gateway_api.responses import json_response
from gateway_common.errors import (
    Forbidden,
    Invalid,
    InvalidConfig,
    KubeError,
    KubeUnavailable,
    TooManyRequests,
)
from gateway_common.request_id import HEADER, choose_request_id

logger = logging.getLogger(__name__)

STATUS_OF: dict[type[RequestRefused], int] = {
    InvalidRequest: 422,
    NamespaceMissing: 422,
    BodyTooLarge: 413,
    AuthenticationRequired: 401,
    TooManyAttempts: 429,
    PermissionDenied: 403,
    ClusterNotFound: 404,
    ClusterNotRunning: 409,
    ClusterFailedToStart: 409,
    LimitReached: 409,
    SchedulerTooOld: 409,
    SchedulerUnreachable: 409,
    TemporarilyUnavailable: 503,
}


def add_error_handlers(app: FastAPI) -> None:
    """Translate the errors of the rules, of Kubernetes and of the framework."""
    app.exception_handler(RequestRefused)(_refused)
    app.exception_handler(AuthenticatorFailed)(_authenticator_failed)
    app.exception_handler(InvalidConfig)(_invalid_config)
    app.exception_handler(KubeError)(_kubernetes)
    app.exception_handler(HTTPException)(_framework)


def _answer(status: int, text: str, headers: dict[str, str] | None = None) -> Response:
    return json_response({"error": text}, status, headers)


async def _refused(_: Request, error: Exception) -> Response:
    response = _answer(STATUS_OF[type(error)], str(error))  # type: ignore[index]  # registered for RequestRefused
    if isinstance(error, AuthenticationRequired):
        for challenge in error.challenges:
            response.headers.append("WWW-Authenticate", challenge)
    if isinstance(error, TemporarilyUnavailable | TooManyAttempts):
        response.headers["Retry-After"] = _seconds(error.retry_after)
    return response


async def _authenticator_failed(_: Request, error: Exception) -> Response:
    assert isinstance(error, AuthenticatorFailed)
    return _answer(error.status, str(error))


async def _invalid_config(_: Request, error: Exception) -> Response:
    return _answer(422, str(error))


async def _kubernetes(request: Request, error: Exception) -> Response:
    match error:
        case Invalid():
            return _answer(422, f"Kubernetes does not accept this cluster: {error}")
        case Forbidden():
            # a resource quota or an admission rule of the operator's: the user should know
            logger.warning("Kubernetes refuses %s %s: %s", request.method, request.url.path, error)
            return _answer(409, f"Kubernetes does not allow this: {error}")
        case TooManyRequests():
            return _answer(503, "Kubernetes is busy", {"Retry-After": _seconds(error.retry_after)})
        case KubeUnavailable():
            logger.warning("Kubernetes does not answer %s %s: %s", request.method, request.url.path, error)
            return _answer(503, "Kubernetes does not answer", {"Retry-After": "1"})
        case _:
            return unexpected(request.scope, error)


async def _framework(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _answer(error.status_code, error.detail, dict(error.headers or {}))


def unexpected(scope: Scope, error: Exception) -> Response:
    """The answer to an error that nobody foresaw: a 500 whose request id finds the traceback in the log."""
    request_id = choose_request_id(Headers(scope=scope).get(HEADER))
    logger.error("Request %s failed: %s %s", request_id, scope["method"], ascii(scope["path"]), exc_info=error)
    return json_response({"error": "Internal server error", "request_id": request_id}, 500, {HEADER: request_id})


def _seconds(value: float) -> str:
    return str(max(1, math.ceil(value)))
