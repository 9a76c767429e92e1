"""What an error means over HTTP: always a JSON object whose `error` is text for people."""

import math

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from gateway_auth.outcomes import ClassFailure, SourceUnavailable
from gateway_auth.service import NoLogin, TooManyAttempts
from gateway_auth.signer import TokenTooLarge
from gateway_auth.user_name import InvalidUserName


def add_error_handlers(app: FastAPI) -> None:
    """Translate the errors that this service raises on purpose, and those of the framework."""
    app.exception_handler(InvalidUserName)(_unprocessable)
    app.exception_handler(TokenTooLarge)(_unprocessable)
    app.exception_handler(SourceUnavailable)(_unavailable)
    app.exception_handler(ClassFailure)(_class_failure)
    app.exception_handler(TooManyAttempts)(_too_many)
    app.exception_handler(NoLogin)(_no_login)
    app.exception_handler(RequestValidationError)(_invalid_body)
    app.exception_handler(HTTPException)(_framework_error)


async def _unprocessable(_: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"error": str(error)}, status_code=422)


async def _unavailable(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, SourceUnavailable)
    return _later(503, error, error.retry_after)


async def _class_failure(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ClassFailure)
    return JSONResponse({"error": str(error), "from_class": True}, status_code=error.status)


async def _too_many(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, TooManyAttempts)
    return _later(429, error, error.retry_after)


def _later(status: int, error: Exception, seconds: float) -> JSONResponse:
    headers = {"Retry-After": str(max(1, math.ceil(seconds)))}
    return JSONResponse({"error": str(error)}, status_code=status, headers=headers)


async def _no_login(_: Request, _error: Exception) -> JSONResponse:
    return JSONResponse({"error": "Browsers can't sign in by redirect here"}, status_code=404)


async def _invalid_body(_: Request, error: RequestValidationError) -> JSONResponse:
    # only place and message: the input itself may hold credentials
    problems = (f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors())
    return JSONResponse({"error": "; ".join(problems)}, status_code=422)


async def _framework_error(_: Request, error: HTTPException) -> JSONResponse:
    # FastAPI answers 400 to a body that is no text at all: here that is one of the bodies that are not as described
    status = 422 if error.status_code == 400 else error.status_code
    return JSONResponse({"error": error.detail}, status_code=status, headers=error.headers)
