"""The request id where an application fails in the middle of an answer."""

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from gateway_auth.request_id import RequestIdMiddleware


async def fails_half_way(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"half", "more_body": True})
    raise RuntimeError("out of paper")


async def test_half_an_answer_is_logged_and_cut_rather_than_followed_by_another(
    caplog: pytest.LogCaptureFixture,
) -> None:
    transport = httpx.ASGITransport(RequestIdMiddleware(fails_half_way))
    async with httpx.AsyncClient(transport=transport, base_url="http://auth") as client:
        with pytest.raises(RuntimeError, match="out of paper"):
            await client.get("/paper", headers={"X-Request-ID": "abc-123"})
    assert "Request abc-123 failed: GET '/paper'" in caplog.text
