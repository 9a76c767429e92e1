"""What probes are told."""

import httpx
import pytest
from fastapi import FastAPI

from gateway_api.health.endpoints import router
from gateway_api.health.service import HealthService


@pytest.mark.parametrize(("serving", "status", "word"), [(True, 200, "pass"), (False, 503, "fail")])
async def test_a_process_whose_cache_has_died_asks_to_be_restarted(serving: bool, status: int, word: str) -> None:
    app = FastAPI()
    app.state.health = HealthService("1", serving=lambda: serving)
    app.router.routes.extend(router.routes)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
        answer = await client.get("/api/health")

    assert (answer.status_code, answer.json()) == (status, {"status": word})
