"""Replicas that elect a leader in virtual time, around a Lease in memory that keeps the API server's rules."""

import asyncio
import copy
import random
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from gateway_common.errors import AlreadyExists, Conflict, KubeUnavailable, NotFound
from gateway_common.resources import Resource
from gateway_controller.leader import Election, LeaseTiming, NotLeading
from gateway_controller.lease import LeaseLock


class LeaseServer:
    """What an API server does with one Lease. `acts` are the writes of leaders: when, and whose."""

    def __init__(self) -> None:
        self.lease: dict[str, Any] | None = None
        self.writes = 0
        #: Who has taken the lease last.
        self.leader = ""
        self.acts: list[tuple[float, str]] = []

    @property
    def holder(self) -> str:
        holder: str = self.lease["spec"]["holderIdentity"] if self.lease else ""
        return holder

    def get(self) -> dict[str, Any]:
        if self.lease is None:
            raise NotFound("no such lease")
        return copy.deepcopy(self.lease)

    def create(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        if self.lease is not None:
            raise AlreadyExists("there is one")
        return self._store(copy.deepcopy(dict(manifest)))

    def patch(self, patch: Mapping[str, Any]) -> dict[str, Any]:
        current = self.get()
        if current["metadata"]["resourceVersion"] != patch["metadata"]["resourceVersion"]:
            raise Conflict("the object has been modified")
        annotations = {**current["metadata"].get("annotations", {}), **patch["metadata"]["annotations"]}
        kept = {key: value for key, value in annotations.items() if value is not None}
        metadata = {**current["metadata"], "annotations": kept}
        return self._store({**current, "metadata": metadata, "spec": {**current["spec"], **patch["spec"]}})

    def _store(self, manifest: dict[str, Any]) -> dict[str, Any]:
        self.writes += 1
        manifest["metadata"]["resourceVersion"] = str(self.writes)
        self.lease = manifest
        self.leader = self.holder or self.leader
        return copy.deepcopy(manifest)


class Connection:
    """A replica's way to the server: a KubeClient as far as leases go.

    `away`: calls fail. `lost_answers`: so many calls are carried out and fail. `latency`: seconds each way.
    """

    def __init__(self, server: LeaseServer) -> None:
        self._server = server
        self.away = False
        self.lost_answers = 0
        self.latency = 0.002
        self.thawed = asyncio.Event()
        self.thawed.set()
        self.calls = 0

    async def get(self, resource: Resource, name: str, *, namespace: str) -> dict[str, Any]:
        return await self._call(self._server.get)

    async def create(self, resource: Resource, manifest: Mapping[str, Any]) -> dict[str, Any]:
        return await self._call(self._server.create, manifest)

    async def patch(self, resource: Resource, name: str, patch: Mapping[str, Any], *, namespace: str) -> dict[str, Any]:
        return await self._call(self._server.patch, patch)

    async def _call(self, act: Any, *arguments: Any) -> dict[str, Any]:
        self.calls += 1
        await self.thawed.wait()
        await asyncio.sleep(self.latency)
        if self.away:
            raise KubeUnavailable("away")
        answer: dict[str, Any] = act(*arguments)
        await asyncio.sleep(self.latency)
        await self.thawed.wait()
        if self.lost_answers:
            self.lost_answers -= 1
            raise KubeUnavailable("the answer was lost")
        return answer


class Replica:
    """A process that takes part, and writes something every 50 ms while it leads."""

    def __init__(
        self,
        server: LeaseServer,
        identity: str,
        *,
        offset: float = 0.0,
        wall_offset: float = 0.0,
        timing: LeaseTiming | None = None,
        seed: int = 0,
    ) -> None:
        self.identity = identity
        self.connection = Connection(server)
        self._server = server
        loop = asyncio.get_running_loop()
        self.election = Election(
            LeaseLock(self.connection, "gateway", "lease", {}),  # type: ignore[arg-type]
            identity,
            timing=timing,
            clock=lambda: loop.time() + offset,
            wall_clock=lambda: loop.time() + wall_offset,
            rng=random.Random(seed),
        )
        self.stopping = asyncio.Event()
        self.terms = 0
        self.notes: list[str] = []
        self.working = False
        self.work_fails: Exception | None = None
        self.task = asyncio.create_task(self.election.run(self._work, self.stopping))

    async def _work(self, note: str) -> str:
        self.terms += 1
        self.notes.append(note)
        self.working = True
        try:
            while not self.stopping.is_set():
                if self.work_fails:
                    raise self.work_fails
                self._write()
                await asyncio.sleep(0.05)
                await self.connection.thawed.wait()
            return f"by {self.identity}"
        finally:
            self.working = False

    def _write(self) -> None:
        with suppress(NotLeading):
            self.election.check()
            assert self._server.leader == self.identity, f"{self.identity} acts, {self._server.leader} leads"
            self._server.acts.append((asyncio.get_running_loop().time(), self.identity))

    def freeze(self) -> None:
        """As SIGSTOP does."""
        self.connection.thawed.clear()

    def thaw(self) -> None:
        self.connection.thawed.set()

    async def crash(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    async def stop(self) -> None:
        self.stopping.set()
        await self.task


async def leads(replica: Replica, seconds: float = 60.0) -> float:
    """Wait until a replica does its work; how long that took."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with asyncio.timeout(seconds):
        while not replica.working:  # noqa: ASYNC110  # virtual time: a look costs nothing
            await asyncio.sleep(0.01)
    return loop.time() - began


async def any_leads(replicas: list[Replica], seconds: float = 60.0) -> Replica:
    """The first replica that does its work."""
    async with asyncio.timeout(seconds):
        while not (working := [replica for replica in replicas if replica.working]):  # noqa: ASYNC110  # as above
            await asyncio.sleep(0.01)
    return working[0]
