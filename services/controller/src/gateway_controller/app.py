"""The composition root: a controller, and a tiny HTTP application that says how it is."""

import asyncio
import logging
import signal
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway_common.configuration.model import Configuration
from gateway_common.kube import KubeClient
from gateway_controller.controller import Controller
from gateway_controller.leader import Election
from gateway_controller.lease import LeaseLock
from gateway_controller.metrics import Metrics
from gateway_controller.settings import kube_settings, lease_kube_settings, lease_place, replica_identity

#: Seconds that giving back the lease may take, on top of what the reconciles under way get.
FAREWELL = 2.0

logger = logging.getLogger(__name__)


def create_app(settings: Configuration) -> Starlette:
    """An application that runs a controller while it is up. Serves `/health`, `/ready` and `/metrics`.

    When it goes down, what is under way is finished within `controller.shutdown_timeout` and another replica may take
    over at once. `app.state.exit_code` is what the process should end with.
    """

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncGenerator[None, None]:
        async with AsyncExitStack() as stack:
            election = await _election(settings, metrics, stack) if settings.controller.leader_election else None
            client = await KubeClient.connect(
                kube_settings(settings), on_call=metrics.count_call, permit=election.check if election else None
            )
            stack.push_async_callback(client.close)
            controller = Controller(settings, client, metrics=metrics)
            task = asyncio.create_task(controller.run(election.run if election else None), name="controller")
            task.add_done_callback(lambda task: _end_process(app, task))
            app.state.controller, app.state.task = controller, task
            yield
            controller.stop()
            with suppress(TimeoutError):
                async with asyncio.timeout(settings.controller.shutdown_timeout + FAREWELL):
                    await asyncio.wait((task,))
            task.cancel()
            await asyncio.wait((task,))

    async def show_metrics(request: Request) -> Response:
        content, media_type = metrics.encode(request.headers.get("accept", ""))
        return Response(content, media_type=media_type)

    metrics = Metrics()
    routes = [Route("/health", _health), Route("/ready", _ready), Route("/metrics", show_metrics)]
    app = Starlette(routes=routes, lifespan=lifespan)
    app.state.exit_code = 0
    return app


async def _election(settings: Configuration, metrics: Metrics, stack: AsyncExitStack) -> Election:
    """With a client of its own: renewals wait for nothing, and must not need the lease that they are about."""
    client = await KubeClient.connect(lease_kube_settings(settings), on_call=metrics.count_call)
    stack.push_async_callback(client.close)
    namespace, name = lease_place(settings)
    return Election(LeaseLock(client, namespace, name, settings.common_labels), replica_identity(settings))


async def _health(request: Request) -> JSONResponse:
    """Whether the process does its work; if not, it is best started anew."""
    alive = not request.app.state.task.done()
    return JSONResponse({"status": "pass" if alive else "fail"}, 200 if alive else 503)


async def _ready(request: Request) -> JSONResponse:
    """Whether it has seen all clusters and pods: it leads, or could take over at once."""
    ready = request.app.state.controller.is_ready
    return JSONResponse({"status": "pass" if ready else "fail"}, 200 if ready else 503)


def _end_process(app: Starlette, task: asyncio.Task[None]) -> None:
    """A controller that ended by itself has a defect: a fresh process, started by whoever watches it, is the cure."""
    if app.state.controller.is_stopping and (task.cancelled() or task.exception() is None):
        return
    logger.critical("The controller has ended", exc_info=None if task.cancelled() else task.exception())
    app.state.exit_code = 1
    signal.raise_signal(signal.SIGTERM)
