"""The service that a scheduler runs for its gateway: it scales, reports, and ends an unused cluster.

The gateway says how many workers there should be (or adaptive scaling does); the service tells the gateway that count
in a heartbeat, whereupon the controller starts what is missing. Workers that are too many are chosen and retired here,
because only the scheduler knows what they hold.
"""

import asyncio
import logging
from collections import Counter
from functools import partial
from typing import Any

from distributed.comm import get_address_host
from distributed.comm.addressing import unparse_host_port
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

from dask_gateway.scheduler.adaptive import Adaptive
from dask_gateway.scheduler.departure import Departures
from dask_gateway.scheduler.gateway_api import GatewayClient
from dask_gateway.scheduler.heartbeat import Heartbeat
from dask_gateway.scheduler.routes import make_application
from dask_gateway.scheduler.unused import ClientClock, IdleClock, shut_down_unused
from dask_gateway.scheduler.workers import WorkerLedger, group_of

logger = logging.getLogger("distributed.scheduler.gateway")

_QUIET_SILENCE = 3600.0  # seconds between heartbeats where nothing watches liveness by them
_SETTLING = 3.0  # seconds: several workers tend to come and go together
_RETIRE_AGAIN = 30.0  # seconds until workers whose data could not be moved are asked to leave again


class GatewaySchedulerService:
    """Everything between one scheduler and its gateway.

    adaptive_period    seconds between two looks of adaptive scaling
    heartbeat_period   seconds between heartbeats; 0: only changes are reported
    idle_timeout       seconds without work after which the cluster is stopped; 0: never
    no_client_timeout  seconds without a connected client after which it is stopped; 0: never
    """

    def __init__(
        self,
        scheduler: Any,
        gateway: GatewayClient,
        adaptive_period: float = 3.0,
        heartbeat_period: float = 15.0,
        idle_timeout: float = 0.0,
        no_client_timeout: float = 0.0,
    ) -> None:
        self.scheduler = scheduler
        self.gateway = gateway
        self.counts: dict[str, int] = {"": 0}  # by group; only of those that somebody has scaled
        self.port = 0
        self.idle_timeout = max(0.0, idle_timeout)
        self.no_client_timeout = max(0.0, no_client_timeout)
        self._reports_losses = heartbeat_period > 0
        self._heartbeat = Heartbeat(self._send_heartbeat, heartbeat_period if heartbeat_period > 0 else _QUIET_SILENCE)
        self._cluster = gateway.cluster_name.rpartition(".")[2]
        self._adaptive = Adaptive(
            scheduler, adaptive_period, lambda: self.count, self._set_count, count_others=self._count_in_groups
        )
        self._workers = WorkerLedger(on_join=self._worker_joined, on_loss=self._worker_lost)
        self._surplus_check: asyncio.TimerHandle | None = None
        self._departures = Departures(scheduler, self._workers)
        self._tasks: set[asyncio.Task[None]] = set()
        self._server = HTTPServer(make_application(self, gateway.token))

    @property
    def count(self) -> int:
        """How many workers there should be outside of groups."""
        return self.counts[""]

    def listen(self, host: str, port: int) -> None:
        """Serve at ``host:port`` (an empty host is every address, port 0 any free one), and begin to report."""
        sockets = bind_sockets(port, host)
        self._server.add_sockets(sockets)
        self.port = sockets[0].getsockname()[1]
        self.scheduler.add_plugin(self._workers)
        self._spawn(self._heartbeat.run())
        self._spawn(self._departures.begin())
        self._watch_use()

    def stop(self) -> None:
        """Stop serving and reporting. distributed calls this when the scheduler closes."""
        self._adaptive.stop()
        self._departures.give_up()
        self._server.stop()
        if self._surplus_check is not None:
            self._surplus_check.cancel()
        for task in self._tasks:
            task.cancel()

    def _watch_use(self) -> None:
        if self.idle_timeout:
            idle, complaint = IdleClock(self.scheduler), "Cluster has been idle for %.2f seconds, shutting down"
            give_up = partial(self.gateway.shutdown, "IdleTimeout")
            self._spawn(shut_down_unused(idle.idle_seconds, self.idle_timeout, give_up, complaint))
        if self.no_client_timeout:
            clients, complaint = ClientClock(self.scheduler), "Nobody was connected for %.2f seconds, shutting down"
            self.scheduler.add_plugin(clients)
            give_up = partial(self.gateway.shutdown, "NoClientTimeout")
            self._spawn(shut_down_unused(clients.unconnected_seconds, self.no_client_timeout, give_up, complaint))

    # What the gateway asks for

    def scale(self, count: int, group: str = "") -> None:
        """Have ``count`` workers from now on, whatever the load; of a group, or outside of groups."""
        if not group:
            self._adaptive.stop()
        self._set_count(count, group)

    def adapt(self, minimum: int | None, maximum: int | None, active: bool) -> None:
        """Begin or change adaptive scaling, or end it when not ``active``."""
        if active:
            self._adaptive.start(minimum, maximum)
        else:
            self._adaptive.stop()

    def _set_count(self, count: int, group: str = "") -> None:
        before = self.counts.get(group, 0)
        if count != before:
            whose = f" of group {group}" if group else ""
            logger.info("Requesting scale to %s workers%s from %s", count, whose, before)
            self.counts[group] = count
            self._heartbeat.send_now()

    # What the gateway is told

    async def _send_heartbeat(self) -> None:
        leaving = self._surplus_workers()
        reported_closed = set(self._workers.closed)
        await self.gateway.heartbeat(
            {
                "scheduler_address": self.scheduler.address,
                "dashboard_address": self._url("dashboard"),
                "api_address": self._url("gateway"),
                "count": self.count,
                "active_workers": [name for name in self._workers.active if name not in leaving],
                "closing_workers": [*self._workers.closing, *leaving],
                "closed_workers": list(reported_closed),
                "groups": {group: count for group, count in self.counts.items() if group},
            }
        )
        self._workers.closed -= reported_closed
        # Only now: the gateway must know that these workers leave on purpose before it sees them gone.
        if leaving:
            self._workers.start_closing(leaving)
            self._spawn(self._retire(leaving))

    def _surplus_workers(self) -> list[Any]:
        """Names of workers that should leave, the cheapest ones first. May be fewer than there are too many."""
        surplus = self._surplus()
        if not surplus:
            return []
        # All of them, the cheapest first: the scheduler knows neither groups nor who is closing.
        candidates = self.scheduler.workers_to_close(n=len(self.scheduler.workers), attribute="name")
        leaving = []
        for name in candidates:
            group = self._group_of(name)
            if name in self._workers.active and surplus.get(group, 0) > 0:
                surplus[group] -= 1
                leaving.append(name)
        return leaving

    def _surplus(self) -> dict[str, int]:
        """How many workers too many there are, by group; groups without any are left out."""
        active = Counter(map(self._group_of, self._workers.active))
        return {group: active[group] - count for group, count in self.counts.items() if active[group] > count}

    def _group_of(self, name: Any) -> str:
        return group_of(name, self._cluster)

    def _count_in_groups(self) -> int:
        return sum(bool(self._group_of(name)) for name in self._workers.active)

    async def _retire(self, names: list[Any]) -> None:
        """Retire workers beside the heartbeats: moving their data takes as long as it takes."""
        try:
            await self.scheduler.retire_workers(names=names, remove=True, close_workers=True)
        except Exception:
            logger.warning("Failed to retire workers %s", names, exc_info=True)
        if self._workers.keep(names):
            self._heartbeat.send_within(_RETIRE_AGAIN)

    def _url(self, service: str) -> str:
        """Address of one of the scheduler's HTTP servers, or an empty text when it isn't there."""
        if service not in self.scheduler.services:
            return ""
        host = get_address_host(self.scheduler.address)
        return f"http://{unparse_host_port(host, self.scheduler.services[service].port)}"

    # What the scheduler reports

    def _worker_joined(self) -> None:
        if len(self.counts) > 1:
            # which of them are too many is looked at once for all that join together: they may be thousands
            self._surplus_check = self._surplus_check or asyncio.get_running_loop().call_later(
                _SETTLING, self._check_surplus
            )
        elif len(self._workers.active) > self.count:
            self._heartbeat.send_within(_SETTLING)

    def _check_surplus(self) -> None:
        self._surplus_check = None
        if self._surplus():
            self._heartbeat.send_now()

    def _worker_lost(self) -> None:
        if self._reports_losses:
            self._heartbeat.send_within(_SETTLING)

    def _spawn(self, coroutine: Any) -> None:
        task = asyncio.ensure_future(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
