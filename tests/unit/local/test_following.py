"""Controllers follow objects, whatever happens on the way."""

import asyncio
import logging
from typing import Any

import pytest

from gateway_common.resources import CONFIGMAPS
from gateway_local.apiserver.objects import Objects
from gateway_local.apiserver.server import ApiServer
from gateway_local.following import Loops
from tests.kit.waiting import until


def create(objects: Objects, name: str) -> None:
    objects.create(CONFIGMAPS, {"metadata": {"name": name, "namespace": "default"}})


async def test_all_there_is_comes_first_and_then_each_change() -> None:
    objects, loops = ApiServer().objects, Loops()
    create(objects, "before")
    seen: list[tuple[str, str]] = []
    loops.follow(objects, CONFIGMAPS, lambda change, manifest: seen.append((change, manifest["metadata"]["name"])))
    await until(lambda: seen == [("ADDED", "before")])
    create(objects, "after")
    objects.patch(CONFIGMAPS, "default", "after", {"data": {"a": "1"}})
    objects.delete(CONFIGMAPS, "default", "before")
    await until(lambda: seen[1:] == [("ADDED", "after"), ("MODIFIED", "after"), ("DELETED", "before")])
    await loops.stop()
    create(objects, "later")
    await asyncio.sleep(0)
    assert len(seen) == 4


async def test_an_object_that_can_not_be_handled_does_not_stop_the_others(caplog: pytest.LogCaptureFixture) -> None:
    objects, loops = ApiServer().objects, Loops()
    seen: list[str] = []

    def handle(change: str, manifest: dict[str, Any]) -> None:
        if manifest["metadata"]["name"] == "bad":
            raise ValueError("unexpected")
        seen.append(manifest["metadata"]["name"])

    with caplog.at_level(logging.ERROR):
        loops.follow(objects, CONFIGMAPS, handle)
        create(objects, "bad")
        create(objects, "good")
        await until(lambda: seen == ["good"])
    assert "ConfigMap ('default', 'bad') could not be handled" in caplog.text
    await loops.stop()


async def test_who_falls_behind_begins_anew_and_hears_of_what_is_gone() -> None:
    objects, loops = ApiServer(history=10).objects, Loops()
    create(objects, "lost")
    known: set[str] = set()

    def handle(change: str, manifest: dict[str, Any]) -> None:
        (known.discard if change == "DELETED" else known.add)(manifest["metadata"]["name"])

    loops.follow(objects, CONFIGMAPS, handle)
    await until(lambda: known == {"lost"})
    objects.delete(CONFIGMAPS, "default", "lost")
    create(objects, "kept")
    for number in range(50):
        objects.patch(CONFIGMAPS, "default", "kept", {"data": {"n": str(number)}})
    await until(lambda: known == {"kept"})
    await loops.stop()
