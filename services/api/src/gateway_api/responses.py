"""JSON answers, from bytes that are ready or from values."""

from typing import Any

import orjson
from fastapi import Response

JSON = "application/json"


def json_bytes(body: bytes, status: int = 200) -> Response:
    """An answer whose body is JSON already."""
    return Response(body, status, media_type=JSON)


def json_response(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """An answer with `value` as its JSON body."""
    return Response(orjson.dumps(value), status, headers, media_type=JSON)
