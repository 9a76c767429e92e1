"""The dashboard of a scheduler, which loads after the start."""

import asyncio
import importlib.abc
import logging
import sys
import threading
from collections.abc import Iterator, Sequence
from types import ModuleType

import distributed.dashboard
import pytest
from distributed import Scheduler
from tornado.httpclient import AsyncHTTPClient

from dask_gateway.scheduler.dashboard import DeferredDashboard, defer_dashboard
from tests.kit.waiting import until

pytest.importorskip("bokeh")
MODULE = "distributed.dashboard.scheduler"
real_dashboard = importlib.import_module(MODULE)


def put(module: ModuleType | None) -> None:
    if module is None:
        sys.modules.pop(MODULE, None)
    else:
        sys.modules[MODULE] = module
        distributed.dashboard.scheduler = module


@pytest.fixture(autouse=True)
def _deferred() -> Iterator[None]:
    put(None)
    defer_dashboard()
    yield
    put(real_dashboard)


async def status_of(scheduler: Scheduler, path: str) -> int:
    url = f"http://127.0.0.1:{scheduler.services['dashboard'].port}{path}"
    return (await AsyncHTTPClient().fetch(url, raise_error=False)).code


def is_loaded() -> bool:
    return not isinstance(sys.modules.get(MODULE), DeferredDashboard)


class HeldImport(importlib.abc.MetaPathFinder):
    """The dashboard's import does not begin before `go_on` is set, however slow the test is."""

    def __init__(self) -> None:
        self.go_on = threading.Event()

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        if name == MODULE:
            self.go_on.wait(60)


@pytest.fixture
def held_import() -> Iterator[HeldImport]:
    finder = HeldImport()
    sys.meta_path.insert(0, finder)
    yield finder
    finder.go_on.set()
    sys.meta_path.remove(finder)


async def test_a_scheduler_starts_first_and_has_its_dashboard_soon(held_import: HeldImport) -> None:
    async with Scheduler(host="127.0.0.1", port=0, dashboard_address="127.0.0.1:0") as scheduler:
        assert await status_of(scheduler, "/health") == 200
        assert await status_of(scheduler, "/status") == 503
        held_import.go_on.set()
        async with asyncio.timeout(60):
            while (status := await status_of(scheduler, "/status")) == 503:  # noqa: ASYNC110 (a server announces nothing)
                await asyncio.sleep(0.01)
        assert status == 200
        assert is_loaded()
        assert await status_of(scheduler, "/no-such-page") == 404


async def test_a_scheduler_that_closes_at_once_leaves_nothing_behind() -> None:
    async with Scheduler(host="127.0.0.1", port=0, dashboard_address="127.0.0.1:0"):
        pass
    from dask_gateway.scheduler import dashboard

    await until(lambda: not dashboard._loading)


async def test_a_dashboard_that_cannot_be_loaded_costs_the_dashboard_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "distributed.dashboard.components.nvml", None)
    with caplog.at_level(logging.WARNING, "distributed.scheduler.gateway"):
        async with Scheduler(host="127.0.0.1", port=0, dashboard_address="127.0.0.1:0") as scheduler:
            await until(lambda: "This scheduler has no dashboard" in caplog.text)
            assert await status_of(scheduler, "/health") == 200
            assert await status_of(scheduler, "/status") == 404


def test_anything_else_asked_of_the_stand_in_is_the_real_thing() -> None:
    from distributed.dashboard.scheduler import applications

    assert "/status" in applications
    assert is_loaded()


def test_a_dashboard_that_is_loaded_already_stays() -> None:
    put(real_dashboard)
    defer_dashboard()
    assert sys.modules[MODULE] is real_dashboard
