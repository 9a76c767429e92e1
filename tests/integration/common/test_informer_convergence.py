"""Whatever happens to streams and requests, an informer ends up with what the server has, and said so."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest

from gateway_common.configuration.groups import KubeSettings
from gateway_common.errors import KubeError
from gateway_common.informer import Informer, ObjectKey, WatchTiming
from gateway_common.kube import KubeClient
from gateway_common.object_store import identify
from gateway_common.resources import CONFIGMAPS
from gateway_local.apiserver.faults import Fault
from gateway_local.apiserver.server import ApiServer
from tests.kit.waiting import until

NAMES = [f"c{number}" for number in range(8)]
TIMING = WatchTiming(shortest_stream=1, longest_stream=2, healthy=0.1, first_pause=0.005, longest_pause=0.05)


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    """Forgets so soon that most interrupted watches can't go on where they were."""
    server = ApiServer(history=5)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def client(server: ApiServer) -> AsyncIterator[KubeClient]:
    client = await KubeClient.connect(KubeSettings(url=server.url))
    yield client
    await client.close()


class Writer:
    """Creates, changes and deletes at random, and absorbs every answer, as services do; late ones too."""

    def __init__(self, client: KubeClient, informer: Informer[int], rng: random.Random) -> None:
        self._client = client
        self._informer = informer
        self._rng = rng
        self._answers: list[dict[str, Any]] = []

    async def write(self) -> None:
        name = self._rng.choice(NAMES)
        with suppress(KubeError):
            match self._rng.randrange(3):
                case 0:
                    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}
                    self._answers.append(await self._client.create(CONFIGMAPS, manifest, namespace="default"))
                case 1:
                    change = {"data": {"value": str(self._rng.random())}}
                    self._answers.append(await self._client.patch(CONFIGMAPS, name, change, namespace="default"))
                case 2:
                    await self._client.delete(CONFIGMAPS, name, namespace="default")
        if self._answers:
            self._informer.absorb(self._rng.choice(self._answers[-3:]))


@pytest.mark.parametrize("seed", [1, 2])
async def test_it_converges_through_lost_watches_expired_versions_and_refusals(
    server: ApiServer, client: KubeClient, seed: int
) -> None:
    rng = random.Random(seed)
    told: dict[ObjectKey, int | None] = {}
    told_in_vain: list[ObjectKey] = []

    def on_change(key: ObjectKey, version: int | None) -> None:
        if told.get(key) == version:
            told_in_vain.append(key)
        told[key] = version

    informer = Informer(
        client,
        CONFIGMAPS,
        namespaces=["default"],
        transform=lambda manifest: identify(manifest)[1],
        on_change=on_change,
        timing=TIMING,
        rng=rng,
    )
    running = asyncio.create_task(informer.run())
    await informer.wait_synced()
    writer = Writer(client, informer, rng)
    trouble = [
        server.faults.add(Fault(verb=verb, code=code, probability=0.2))
        for verb, code in [("watch", 410), ("watch", 403), ("list", 500), ("watch", 503), ("list", 410)]
    ]

    for step in range(200):
        await writer.write()
        if step % 10 == 0:
            server.faults.drop_watches()
    for fault in trouble:
        server.faults.remove(fault)

    listed = await client.list(CONFIGMAPS, namespace="default")
    expected = dict(identify(manifest) for manifest in listed.items)
    await until(lambda: {key: version for key, version in told.items() if version is not None} == expected)
    assert {key: informer.get(key) for key in expected} == expected
    assert len(informer.values()) == len(expected)
    assert told_in_vain == []
    running.cancel()
    await asyncio.wait([running])
