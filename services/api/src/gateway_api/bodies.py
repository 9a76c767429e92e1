"""Reading a request's JSON body, with errors that say what is wrong with it."""

from typing import Any, TypeVar

import orjson
from fastapi import Request
from pydantic import BaseModel, ValidationError

from gateway_api.errors import BodyTooLarge, InvalidRequest

Model = TypeVar("Model", bound=BaseModel)


async def json_body(request: Request, model: type[Model]) -> Model:
    """The body as `model`; raises BodyTooLarge or InvalidRequest."""
    return parse_body(model, await read_body(request, request.app.state.max_body_size))


async def read_body(request: Request, limit: int) -> bytes:
    """The whole body; raises BodyTooLarge as soon as more than `limit` bytes have come."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise BodyTooLarge(f"The request's body must not be longer than {limit} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


def parse_body(model: type[Model], body: bytes) -> Model:
    """The body as `model`; raises InvalidRequest, whose text names each wrong field and what was expected."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"The request's body must be JSON: {error}") from error
    if not isinstance(value, dict):
        raise InvalidRequest("The request's body must be a JSON object")
    try:
        return model.model_validate(value, strict=True)
    except ValidationError as error:
        raise InvalidRequest("; ".join(map(_explain, error.errors(include_url=False)))) from error


def _explain(problem: Any) -> str:
    """One of pydantic's findings in words: `count: input should be a valid integer, got 'two'`."""
    field = ".".join(str(part) for part in problem["loc"])
    reason = str(problem["msg"]).removeprefix("Value error, ")
    text = f"{reason[0].lower()}{reason[1:]}"
    if not field:
        return text
    if problem["type"] == "missing":
        return f"{field}: {text}"
    shown = repr(problem["input"])
    return f"{field}: {text}, got {shown if len(shown) <= 80 else f'{shown[:80]}...'}"
