"""The dashboard, loaded after the scheduler has started instead of before.

A scheduler imports Bokeh for its dashboard before it listens, which is about half of its start (0.4 of 0.9 s, measured
with distributed 2026.8.0), and nobody can look at a dashboard before there is a cluster. distributed has no setting for
this. But it imports preloads first, so that a preload can put a stand-in in the place of
``distributed.dashboard.scheduler``, whose ``connect`` does its work later, with the import in a thread of its own.
"""

import asyncio
import importlib
import importlib.util
import logging
import sys
from types import ModuleType
from typing import Any

import distributed.dashboard
from distributed.core import Status
from tornado import web

logger = logging.getLogger("distributed.scheduler.gateway")

_MODULE = "distributed.dashboard.scheduler"
_LOOK_AGAIN = 0.05  # seconds
_loading: set["asyncio.Task[None]"] = set()  # the event loop itself holds tasks weakly


class DeferredDashboard(ModuleType):
    """Stands in for ``distributed.dashboard.scheduler`` until something but :meth:`connect` is asked of it."""

    def connect(self, application: Any, http_server: Any, scheduler: Any, prefix: str = "") -> None:
        """Add the dashboard to the scheduler's HTTP application once the scheduler runs."""
        task = asyncio.get_running_loop().create_task(_connect_later(application, http_server, scheduler, prefix))
        _loading.add(task)
        task.add_done_callback(_loading.discard)

    def __getattr__(self, name: str) -> Any:
        return getattr(_load(), name)


def defer_dashboard() -> None:
    """Have the next scheduler of this process load its dashboard late, where there is one to load."""
    if _MODULE not in sys.modules and importlib.util.find_spec("bokeh") is not None:
        _install(DeferredDashboard(_MODULE))


def _install(module: ModuleType) -> None:
    sys.modules[_MODULE] = module
    distributed.dashboard.scheduler = module


def _load() -> ModuleType:
    """The real module, in its place."""
    if isinstance(sys.modules.get(_MODULE), DeferredDashboard):
        del sys.modules[_MODULE]
    return importlib.import_module(_MODULE)


async def _connect_later(application: Any, http_server: Any, scheduler: Any, prefix: str) -> None:
    waiting = web.Application([(".*", StartingHandler)])
    application.add_application(waiting)
    while scheduler.status is not Status.running:
        if scheduler.status in (Status.closing, Status.closed, Status.failed):
            return
        await asyncio.sleep(_LOOK_AGAIN)
    await asyncio.sleep(_LOOK_AGAIN)  # the first heartbeat goes first
    try:
        module = await asyncio.to_thread(_load)
        if scheduler.status is Status.running:
            module.connect(application, http_server, scheduler, prefix=prefix)
    except Exception:
        logger.warning("This scheduler has no dashboard", exc_info=True)
    finally:
        application.applications.remove(waiting)


class StartingHandler(web.RequestHandler):
    """Answers for the dashboard while it is being loaded: browsers ask again in a second."""

    def prepare(self) -> None:
        """Answer every method and path alike."""
        self.set_status(503)
        self.set_header("Retry-After", "1")
        self.set_header("Refresh", "1")
        self.finish("The dashboard is starting")
