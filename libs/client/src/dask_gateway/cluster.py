"""``GatewayCluster``: one Dask cluster, from its start to its end.

An object of this class owns what connects this process to the cluster: a connection to its scheduler that reports
workers coming and going, and the ``distributed.Client`` objects made by :meth:`GatewayCluster.get_client`.
"""

import asyncio
import atexit
import logging
import sys
import warnings
import weakref
from collections.abc import Callable, Generator
from contextlib import suppress
from typing import Any, ClassVar

from distributed import Client
from distributed.utils import SyncMethodMixin
from tornado.ioloop import IOLoop

from dask_gateway.auth import GatewayAuth
from dask_gateway.cluster_display import ClusterDisplay
from dask_gateway.gateway import Gateway
from dask_gateway.options import Options
from dask_gateway.report import GatewaySecurity
from dask_gateway.worker_status import WorkerStatusWatch

logger = logging.getLogger("distributed.client")


class GatewayCluster(ClusterDisplay, SyncMethodMixin):  # type: ignore[misc]  # distributed is untyped here
    """A Dask cluster that a gateway runs. Creating the object starts the cluster.

    address, proxy_address, public_address, auth, asynchronous, loop   as in :class:`dask_gateway.Gateway`
    cluster_options     options to start with, as ``Gateway.cluster_options`` gives them
    shutdown_on_close   whether closing this object stops the cluster
    kwargs              single options, which win

    An asynchronous object starts when it is awaited or entered (``async with``).
    """

    _instances: ClassVar["weakref.WeakSet[GatewayCluster]"] = weakref.WeakSet()

    def __init__(
        self,
        address: str | None = None,
        proxy_address: str | int | None = None,
        public_address: str | None = None,
        auth: str | Callable[..., GatewayAuth] | GatewayAuth | None = None,
        cluster_options: Options | None = None,
        shutdown_on_close: bool = True,
        asynchronous: bool = False,
        loop: IOLoop | None = None,
        **kwargs: Any,
    ) -> None:
        gateway = Gateway(address, proxy_address, public_address, auth, asynchronous, loop)
        self._begin(gateway, shutdown_on_close, cluster_options=cluster_options, overrides=kwargs)

    @classmethod
    def from_name(
        cls,
        cluster_name: str,
        shutdown_on_close: bool = False,
        address: str | None = None,
        proxy_address: str | int | None = None,
        public_address: str | None = None,
        auth: str | Callable[..., GatewayAuth] | GatewayAuth | None = None,
        asynchronous: bool = False,
        loop: IOLoop | None = None,
    ) -> "GatewayCluster":
        """Connect to a cluster that was submitted before; parameters are those of the class."""
        self = cls.__new__(cls)
        gateway = Gateway(address, proxy_address, public_address, auth, asynchronous, loop)
        self._begin(gateway, shutdown_on_close, name=cluster_name)
        return self

    def _begin(
        self,
        gateway: Gateway,
        shutdown_on_close: bool,
        name: str | None = None,
        cluster_options: Options | None = None,
        overrides: dict[str, Any] | None = None,
    ) -> None:
        self.gateway = gateway
        self.name = name
        self.shutdown_on_close = shutdown_on_close
        self.status = "created" if name is None else "starting"
        self.scheduler_address: str | None = None
        self.dashboard_link: str | None = None
        self.security: GatewaySecurity | None = None
        self._submission = (cluster_options, overrides or {})
        self._workers: WorkerStatusWatch | None = None
        self._clients: weakref.WeakSet[Any] = weakref.WeakSet()
        self._start_task: asyncio.Task[None] | None = None
        self._stop_task: asyncio.Task[None] | None = None
        self._ending = asyncio.Lock()
        self._shut_down = False
        self._ended = False
        self._instances.add(self)
        if not self.asynchronous:
            self.sync(self._start)

    @property
    def loop(self) -> IOLoop:
        """The event loop in use."""
        return self.gateway.loop

    @property
    def asynchronous(self) -> bool:
        """Whether methods return awaitables here and now."""
        return bool(self.gateway.asynchronous)

    @property
    def scheduler_info(self) -> dict[str, Any]:
        """The scheduler's description of itself; its ``workers`` are kept up to date while connected."""
        return self._workers.scheduler_info if self._workers is not None else {}

    @property
    def scheduler_comm(self) -> Any:
        """A ``distributed.core.rpc`` of the scheduler, or None before the start."""
        return self._workers.scheduler if self._workers is not None else None

    # Start

    async def _start(self) -> "GatewayCluster":
        if self._start_task is None:
            self._start_task = asyncio.ensure_future(self._submit_and_connect())
        submitted_here = self.status == "created"
        try:
            await self._start_task
        except BaseException:
            # Nobody would know the name of a cluster that was submitted here and never returned.
            await self._stop(shutdown=submitted_here or self.shutdown_on_close)
            raise
        return self

    async def _submit_and_connect(self) -> None:
        if self.name is None:
            self.status = "starting"
            self.name = await self._submit()
        report = await self.gateway._wait_for_start(self.name)
        self.scheduler_address = report.scheduler_address
        self.dashboard_link = report.dashboard_link
        self.security = report.security
        self._workers = await WorkerStatusWatch.open(
            report.scheduler_address, report.security, on_change=_refresher(weakref.ref(self))
        )
        self.status = "running"

    async def _submit(self) -> str:
        submission = asyncio.ensure_future(self.gateway._submit(*self._submission))
        try:
            return await asyncio.shield(submission)
        except asyncio.CancelledError:
            # Interrupted while the request is on its way: learn the cluster's name, to be able to stop it.
            self.name = await submission
            raise

    # End

    def close(self, shutdown: bool | None = None) -> Any:
        """Close this object and the clients made by it.

        shutdown: whether to stop the cluster, too; by default as ``shutdown_on_close`` says.
        """
        if self.asynchronous:
            return self._stop(shutdown)
        if not self._ended:
            if self.gateway._loop_is_running():
                self.sync(self._stop, shutdown)
            self.gateway.close()
        return None

    def shutdown(self) -> Any:
        """Stop the cluster and close this object."""
        return self.close(shutdown=True)

    async def _stop(self, shutdown: bool | None = None) -> None:
        if self._stop_task is None:
            self._stop_task = asyncio.ensure_future(self._disconnect())
        await self._stop_task
        # One after the other: who interrupts a start and leaves the program stops it twice.
        async with self._ending:
            if self.shutdown_on_close if shutdown is None else shutdown:
                await self._shut_down_once()
            await self.gateway._close()
            # Last, so that an exit of the interpreter in the middle still waits for the stop.
            self._ended = True
            self._instances.discard(self)

    async def _shut_down_once(self) -> None:
        if self.name is None or self._shut_down:
            return
        try:
            await self.gateway._stop_cluster(self.name)
            self._shut_down = True
        except Exception:
            logger.exception("Failed to stop cluster %s", self.name)

    async def _disconnect(self) -> None:
        """Let go of everything that connects to the cluster. No error may keep the cluster from being stopped."""
        if self._start_task is not None and not self._start_task.done():
            self._start_task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await self._start_task
        self.status = "closing"
        closing = [client._close for client in self._clients]
        if self._workers is not None:
            closing.insert(0, self._workers.close)
        for close in closing:
            try:
                await close()
            except Exception:
                logger.warning("Exception raised while closing clients", exc_info=True)
        self._clients.clear()
        self.status = "closed"

    # Use

    def get_client(self, set_as_default: bool = True) -> Client:
        """A ``distributed.Client`` of this cluster, which is closed together with this object.

        set_as_default: whether computations use it when they name no other.
        """
        client = Client(
            self,
            security=self.security,
            set_as_default=set_as_default,
            asynchronous=self.asynchronous,
            loop=self.loop,
        )
        if not self.asynchronous:
            self._clients.add(client)
        return client

    def scale(self, n: int, group: str | None = None, **kwargs: Any) -> Any:
        """Scale to ``n`` workers, or workers of a group; see :meth:`dask_gateway.Gateway.scale_cluster`."""
        return self.gateway.scale_cluster(self._known_name(), n, group=group, **kwargs)

    def adapt(self, minimum: int | None = None, maximum: int | None = None, active: bool = True, **kwargs: Any) -> Any:
        """Let the load decide how many workers there are; see :meth:`dask_gateway.Gateway.adapt_cluster`."""
        return self.gateway.adapt_cluster(self._known_name(), minimum=minimum, maximum=maximum, active=active, **kwargs)

    def _known_name(self) -> str:
        if self.name is None:
            raise RuntimeError("This cluster is not started: await it, or use it in an `async with` statement")
        return self.name

    def __repr__(self) -> str:
        return f"GatewayCluster<{self.name}, status={self.status}>"

    # Context managers and the end of the object

    def __await__(self) -> Generator[Any, None, "GatewayCluster"]:
        return self._start().__await__()

    async def __aenter__(self) -> "GatewayCluster":
        return await self._start()

    async def __aexit__(self, *exc_info: object) -> None:
        await self._stop()

    def __enter__(self) -> "GatewayCluster":
        return self

    def __exit__(self, *exc_info: object) -> None:
        if not self.asynchronous:
            self.close()

    def __del__(self) -> None:
        if not hasattr(self, "_stop_task") or self.gateway._asynchronous or sys.is_finalizing():
            return
        if self.asynchronous and self.status != "closed":
            # Collected by the thread of its own event loop, where nothing may wait for that loop.
            self.loop.add_callback(self._stop)
        elif not self.asynchronous:
            self.close()


def _refresher(ref: "weakref.ref[GatewayCluster]") -> Callable[[], None]:
    """A callback that doesn't keep the cluster's object alive."""

    def refresh() -> None:
        cluster = ref()
        if cluster is not None:
            cluster._refresh_display()

    return refresh


@atexit.register
def cleanup_lingering_clusters() -> None:
    """Close the synchronous clusters that a program left open. Nothing may fail at the interpreter's exit."""
    for cluster in list(GatewayCluster._instances):
        try:
            if not cluster.asynchronous:
                cluster.close()
        except Exception as error:
            warnings.warn(f"Exception ignored when closing {cluster!r}: {error!r}", stacklevel=1)
