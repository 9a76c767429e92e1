"""The composition root: a controller, and a tiny HTTP application that says how it is."""

import asyncio
import logging
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from gateway_common.configuration.model import Configuration
from gateway_common.kube import KubeClient
from gateway_controller.controller import Controller
from gateway_controller.settings import kube_settings

logger = logging.getLogger(__name__)


def create_app(settings: Configuration) -> Starlette:
    """An application that runs a controller while it is up. Serves `/health` and `/ready`."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncGenerator[None, None]:
        client = await KubeClient.connect(kube_settings(settings))
        controller = Controller(settings, client)
        task = asyncio.create_task(controller.run(), name="controller")
        task.add_done_callback(_end_process)
        app.state.controller, app.state.task = controller, task
        try:
            yield
        finally:
            task.remove_done_callback(_end_process)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await client.close()

    return Starlette(routes=[Route("/health", _health), Route("/ready", _ready)], lifespan=lifespan)


async def _health(request: Request) -> JSONResponse:
    """Whether the process does its work; if not, it is best started anew."""
    alive = not request.app.state.task.done()
    return JSONResponse({"status": "pass" if alive else "fail"}, 200 if alive else 503)


async def _ready(request: Request) -> JSONResponse:
    """Whether it has seen all clusters and pods."""
    ready = request.app.state.controller.is_ready
    return JSONResponse({"status": "pass" if ready else "fail"}, 200 if ready else 503)


def _end_process(task: asyncio.Task[None]) -> None:
    """A controller that ended by itself has a defect: a fresh process, started by whoever watches it, is the cure."""
    logger.critical("The controller has ended", exc_info=None if task.cancelled() else task.exception())
    signal.raise_signal(signal.SIGTERM)
