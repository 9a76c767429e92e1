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


class SchedulerClient:
    """Speaks to the HTTP server that `dask_gateway.scheduler_preload` starts in every scheduler."""

    def __init__(self, *, pauses: Sequence[float] = RETRY_PAUSES, port: int = SCHEDULER_API_PORT) -> None:
        # pods are reached directly: a proxy of the environment's is for other places
        self._http = httpx.AsyncClient(timeout=TIMEOUT, trust_env=False)
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
                answer = await self._http.post(
                    self._url(host),
                    content=orjson.dumps(message),
                    headers={"Authorization": f"token {token}", "Content-Type": "application/json"},
                )
            except httpx.HTTPError as error:
                logger.warning("Scheduler %s did not answer: %s", host, error or type(error).__name__)
            else:
                if answer.is_success:
                    return True
                logger.warning("Scheduler %s answered %d", host, answer.status_code)
                if answer.is_client_error:
                    return False
            if pause is not None:
                await asyncio.sleep(pause)
        return False

    def _url(self, host: str) -> str:
        literal = f"[{host}]" if ":" in host else host
        return f"http://{literal}:{self._port}/api/comm"
