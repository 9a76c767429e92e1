"""Messages to the schedulers of clusters: the one place that calls them (R-072, S-003)."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import httpx
import orjson

from gateway_common.names import SCHEDULER_API_PORT

logger = logging.getLogger(__name__)

#: Pauses between tries in seconds. A busy scheduler's event loop stalls for seconds; users wait for this call.
RETRY_PAUSES: Sequence[float] = (0.1, 0.4, 1.0, 2.0)
TIMEOUT = httpx.Timeout(5.0, connect=2.0)
#: Seconds for one try as a whole: a scheduler is its user's program, and may send a byte now and then for ever.
DEADLINE = 8.0
#: All clusters share them. Schedulers that hold some until the deadline must not keep others waiting.
LIMITS = httpx.Limits(max_connections=1000, max_keepalive_connections=20)


class SchedulerClient:
    """Speaks to the HTTP server that `dask_gateway.scheduler_preload` starts in every scheduler."""

    def __init__(self, *, pauses: Sequence[float] = RETRY_PAUSES, port: int = SCHEDULER_API_PORT) -> None:
        # pods are reached directly: a proxy of the environment's is for other places
        self._http = httpx.AsyncClient(timeout=TIMEOUT, limits=LIMITS, trust_env=False)
        self._pauses = pauses
        self._port = port

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def send(self, host: str, token: str, message: Mapping[str, Any]) -> bool:
        """Deliver `message`, trying again for a few seconds; False where the scheduler did not take it.

        Messages state what is wanted, so that one that arrives twice does no harm.
        """
        for pause in (*self._pauses, None):
            try:
                status = await self._post(host, token, message)
            except (httpx.HTTPError, TimeoutError) as error:
                logger.warning("Scheduler %s did not answer: %s", host, str(error) or type(error).__name__)
            else:
                if httpx.codes.is_success(status):
                    return True
                logger.warning("Scheduler %s answered %d", host, status)
                if httpx.codes.is_client_error(status):
                    return False
            if pause is not None:
                await asyncio.sleep(pause)
        return False

    async def _post(self, host: str, token: str, message: Mapping[str, Any]) -> int:
        """The status. No more of the answer is read: there may be more of it than fits into memory."""
        headers = {"Authorization": f"token {token}", "Content-Type": "application/json"}
        async with (
            asyncio.timeout(DEADLINE),
            self._http.stream("POST", self._url(host), content=orjson.dumps(message), headers=headers) as answer,
        ):
            return answer.status_code

    def _url(self, host: str) -> str:
        literal = f"[{host}]" if ":" in host else host
        return f"http://{literal}:{self._port}/api/comm"
