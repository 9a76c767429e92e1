"""``Gateway``: what a gateway lets its users do, one method an operation.

Each operation is written once, as a coroutine. A method hands its coroutine to distributed's ``sync``, which returns it
to asynchronous callers and runs it in a background event loop for all others.
"""

import asyncio
import sys
import warnings
from collections.abc import Callable, Iterable
from importlib.metadata import version
from time import monotonic
from typing import TYPE_CHECKING, Any

from distributed.utils import LoopRunner, SyncMethodMixin
from tornado.ioloop import IOLoop

from dask_gateway.addresses import resolve_addresses
from dask_gateway.auth import GatewayAuth, get_auth
from dask_gateway.config import configured_mapping, notebook_image
from dask_gateway.errors import GatewayClusterError, GatewayResponseError, GatewayServerError, GatewayWarning
from dask_gateway.options import Options
from dask_gateway.paths import CLUSTERS, CLUSTERS_2, cluster_path, list_path
from dask_gateway.report import ClusterReport, ClusterStatus
from dask_gateway.transport import Transport

if TYPE_CHECKING:
    from dask_gateway.cluster import GatewayCluster

_POLL_PAUSE = 0.5  # seconds between two waiting requests, which the server itself holds for up to 20 s
_SILENCE = 5.0  # seconds between two looks at what a pending cluster waits for
_AS_USUAL = "SchedulerStarting"  # a reason to wait that needs no words
_OUTAGE_TOLERATED = 60.0  # seconds: a gateway that is being restarted must not cost a user the cluster they wait for


class Gateway(SyncMethodMixin):  # type: ignore[misc]  # distributed is untyped here
    """A client of a Dask Gateway.

    address          URL of the gateway; by default ``gateway.address`` of the configuration
    proxy_address    where schedulers are reached: a port on the gateway's host, or "host:port"; default the gateway
    public_address   URL that dashboard links start with; by default ``address``
    auth             how to authenticate: a GatewayAuth, a class of one, or a name, see ``auth.get_auth``
    asynchronous     whether methods return awaitables, for use in an event loop
    loop             the event loop to use; by default the running one if asynchronous, else one in the background
    """

    def __init__(
        self,
        address: str | None = None,
        proxy_address: str | int | None = None,
        public_address: str | None = None,
        auth: str | Callable[..., GatewayAuth] | GatewayAuth | None = None,
        asynchronous: bool = False,
        loop: IOLoop | None = None,
    ) -> None:
        self._addresses = resolve_addresses(address, proxy_address, public_address)
        self.auth = get_auth(auth)
        self._transport = Transport(self.address, self.auth)
        self._asynchronous = asynchronous
        self._loop_runner = LoopRunner(loop=loop, asynchronous=asynchronous)
        self._loop_runner.start()

    @property
    def address(self) -> str:
        """URL of the gateway."""
        return self._addresses.api

    @property
    def proxy_address(self) -> str:
        """``gateway://host:port`` that schedulers are reached through."""
        return self._addresses.proxy

    @property
    def public_address(self) -> str:
        """URL, or path, that dashboard links start with."""
        return self._addresses.public

    @property
    def loop(self) -> IOLoop:
        """The event loop in use."""
        loop: IOLoop = self._loop_runner.loop
        return loop

    # Clusters

    def list_clusters(
        self,
        status: ClusterStatus | str | Iterable[ClusterStatus | str] | None = None,
        all_users: bool = False,
        user: str | None = None,
        **kwargs: Any,
    ) -> Any:
        """The user's clusters, a list of ClusterReport.

        status: one status or several, by name or as ClusterStatus; by default the ones that are pending or running.
        all_users: those of everybody, for administrators.
        user: those of this user, for administrators.
        """
        return self.sync(self._list_clusters, status, all_users, user, **kwargs)

    async def _list_clusters(
        self, status: Any, all_users: bool = False, user: str | None = None
    ) -> list[ClusterReport]:
        if all_users and user is not None:
            raise ValueError("Either all_users or user can be given, not both")
        path = list_path(status, "*" if all_users else user)
        clusters = await self._transport.request("GET", path)
        return [ClusterReport.from_json(self._addresses, cluster) for cluster in clusters.values()]

    def get_cluster(self, cluster_name: str, **kwargs: Any) -> Any:
        """A ClusterReport about one cluster; ``ValueError`` when there is no such cluster."""
        return self.sync(self._get_cluster, cluster_name, **kwargs)

    async def _get_cluster(self, cluster_name: str, wait: bool = False) -> ClusterReport:
        query = "?wait" if wait else ""
        cluster = await self._transport.request("GET", cluster_path(cluster_name) + query)
        return ClusterReport.from_json(self._addresses, cluster)

    def submit(self, cluster_options: Options | None = None, **kwargs: Any) -> Any:
        """Ask for a new cluster and return its name without waiting for it to start; see :meth:`connect`.

        cluster_options: as :meth:`cluster_options` gives; without them the configuration's defaults apply.
        kwargs: single options, which win.
        """
        return self.sync(self._submit, cluster_options, kwargs)

    async def _submit(self, cluster_options: Options | None, overrides: dict[str, Any]) -> str:
        if cluster_options is not None and not isinstance(cluster_options, Options):
            kind = type(cluster_options).__name__
            raise TypeError(f"cluster_options must be an `Options`, got {kind!r}")
        chosen = configured_mapping("cluster.options") if cluster_options is None else dict(cluster_options)
        body: dict[str, Any] = {"cluster_options": {**chosen, **overrides}}
        if image := notebook_image():
            body["notebook_image"] = image
        answer = await self._transport.request("POST", CLUSTERS, body)
        name: str = answer["name"]
        return name

    async def _wait_for_start(self, cluster_name: str) -> ClusterReport:
        """Wait until the cluster runs, for as long as the gateway says that it is pending.

        An answer 409 or 422 ends the wait with the gateway's own words, which say more than a status can.
        """
        telling = asyncio.ensure_future(self._tell_what_is_waited_for(cluster_name))
        try:
            return await self._wait_until_running(cluster_name)
        finally:
            telling.cancel()

    async def _wait_until_running(self, cluster_name: str) -> ClusterReport:
        last_answer = monotonic()
        while True:
            try:
                report = await self._get_cluster(cluster_name, wait=True)
            except TimeoutError:
                pass  # something on the way cut a waiting request short
            except (ConnectionError, GatewayResponseError) as error:
                if not _is_outage(error) or monotonic() - last_answer > _OUTAGE_TOLERATED:
                    raise
            else:
                last_answer = monotonic()
                if report.status is ClusterStatus.RUNNING and report.security is None:
                    raise GatewayClusterError(
                        f"Cluster {cluster_name!r} can't be reached: it is being stopped, or its credentials are gone. "
                        "Stop it, and start another"
                    )
                if report.status is ClusterStatus.RUNNING:
                    return report
                if report.status is ClusterStatus.FAILED:
                    raise GatewayClusterError(await self._explain_failure(cluster_name))
                if report.status is ClusterStatus.STOPPED:
                    raise GatewayClusterError(f"Cluster {cluster_name!r} is already stopped")
            await asyncio.sleep(_POLL_PAUSE)

    async def _tell_what_is_waited_for(self, cluster_name: str) -> None:
        """Warn of each new reason why a cluster is still pending, as long as the gateway has such reasons."""
        told = {None, _AS_USUAL}
        while True:
            await asyncio.sleep(_SILENCE)
            report = await self._describe(cluster_name)
            if report and report.status is ClusterStatus.PENDING and report.reason not in told:
                told.add(report.reason)
                warnings.warn(GatewayWarning(f"Cluster {cluster_name} is pending: {report.message}"), stacklevel=2)

    async def _explain_failure(self, cluster_name: str) -> str:
        report = await self._describe(cluster_name)
        if report and report.message:
            return f"Cluster {cluster_name!r} failed: {report.message}"
        return f"Cluster {cluster_name!r} failed to start, see logs for more information"

    async def _describe(self, cluster_name: str) -> ClusterReport | None:
        """A report with a reason; None from a gateway that has none to give, or not now."""
        try:
            cluster = await self._transport.request("GET", cluster_path(cluster_name, CLUSTERS_2))
        except (ValueError, OSError, GatewayClusterError, GatewayServerError, GatewayResponseError):
            return None
        return ClusterReport.from_json(self._addresses, cluster)

    def connect(self, cluster_name: str, shutdown_on_close: bool = False) -> "GatewayCluster":
        """Connect to a cluster that was submitted before, waiting for its start.

        shutdown_on_close: whether closing the returned GatewayCluster stops the cluster.
        """
        return _cluster_class().from_name(cluster_name, shutdown_on_close=shutdown_on_close, **self._same_gateway())

    def new_cluster(
        self, cluster_options: Options | None = None, shutdown_on_close: bool = True, **kwargs: Any
    ) -> "GatewayCluster":
        """Start a cluster, and wait until it runs: :meth:`submit` and :meth:`connect` in one.

        shutdown_on_close: whether closing the returned GatewayCluster stops the cluster.
        """
        return _cluster_class()(
            cluster_options=cluster_options, shutdown_on_close=shutdown_on_close, **self._same_gateway(), **kwargs
        )

    def stop_cluster(self, cluster_name: str, **kwargs: Any) -> Any:
        """Stop a cluster. It is no error when it has stopped before."""
        return self.sync(self._stop_cluster, cluster_name, **kwargs)

    async def _stop_cluster(self, cluster_name: str) -> None:
        await self._transport.request("DELETE", cluster_path(cluster_name))

    def scale_cluster(self, cluster_name: str, n: int, group: str | None = None, **kwargs: Any) -> Any:
        """Scale a cluster to ``n`` workers; this ends adaptive scaling.

        group: the workers of this group, as the gateway's operator named it; adaptive scaling, which is for the
            workers outside of groups, goes on.
        """
        return self.sync(self._scale_cluster, cluster_name, n, group, **kwargs)

    async def _scale_cluster(self, cluster_name: str, n: int, group: str | None = None) -> None:
        if group is None:
            await self._command(cluster_name, "scale", {"count": n})
        else:
            # the first version of the API knows no groups
            path = f"{cluster_path(cluster_name, CLUSTERS_2)}/scale"
            await self._command_at(path, {"count": n, "group": group})

    def adapt_cluster(
        self,
        cluster_name: str,
        minimum: int | None = None,
        maximum: int | None = None,
        active: bool = True,
        **kwargs: Any,
    ) -> Any:
        """Let a cluster's load decide how many workers it has, between two bounds (None: no bound).

        active: False ends adaptive scaling and keeps the workers there are.
        """
        body = {"minimum": minimum, "maximum": maximum, "active": active}
        return self.sync(self._command, cluster_name, "adapt", body, **kwargs)

    async def _command(self, cluster_name: str, command: str, body: dict[str, Any]) -> None:
        await self._command_at(f"{cluster_path(cluster_name)}/{command}", body)

    async def _command_at(self, path: str, body: dict[str, Any]) -> None:
        answer = await self._transport.request("POST", path, body) or {}
        if not answer.get("ok", True) and answer.get("msg"):
            warnings.warn(GatewayWarning(answer["msg"]), stacklevel=2)

    # The gateway itself

    def cluster_options(self, use_local_defaults: bool = True, **kwargs: Any) -> Any:
        """The options that this gateway offers, with their defaults.

        use_local_defaults: whether the configuration's ``gateway.cluster.options`` replace the gateway's defaults.
        """
        return self.sync(self._cluster_options, use_local_defaults, **kwargs)

    async def _cluster_options(self, use_local_defaults: bool) -> Options:
        answer = await self._transport.request("GET", "/api/v1/options")
        options = Options.from_json(answer["cluster_options"])
        if use_local_defaults:
            options.update(configured_mapping("cluster.options"))
        return options

    def get_versions(self, **kwargs: Any) -> Any:
        """Versions of both ends: ``{"server": {"version": ...}, "client": {"version": ...}}``."""
        return self.sync(self._get_versions, **kwargs)

    async def _get_versions(self) -> dict[str, Any]:
        server = await self._transport.request("GET", "/api/version")
        return {"server": server, "client": {"version": version("dask-gateway")}}

    # Life of this object

    def close(self) -> Any:
        """Close the connections to the gateway. Clusters are not touched."""
        if self.asynchronous:
            return self._close()
        if self._loop_is_running():
            self.sync(self._close)
        self._loop_runner.stop()
        return None

    def _loop_is_running(self) -> bool:
        try:
            _ = self.loop
        except RuntimeError:  # distributed's way to say that it is not
            return False
        return True

    async def _close(self) -> None:
        await self._transport.close()

    def _same_gateway(self) -> dict[str, Any]:
        """Arguments that make a GatewayCluster use this gateway, in this event loop."""
        return {
            "address": self.address,
            "proxy_address": self.proxy_address,
            "public_address": self.public_address,
            "auth": self.auth,
            "asynchronous": self._asynchronous,
            "loop": self.loop,
        }

    async def __aenter__(self) -> "Gateway":
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._close()

    def __enter__(self) -> "Gateway":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __del__(self) -> None:
        if not hasattr(self, "_loop_runner") or self._asynchronous or sys.is_finalizing():
            return
        # Collected by the thread of its own event loop, nothing may wait for that loop.
        if not self.asynchronous:
            self.close()

    def __repr__(self) -> str:
        return f"Gateway<{self.address}>"


def _cluster_class() -> "type[GatewayCluster]":
    from dask_gateway.cluster import GatewayCluster  # noqa: PLC0415 (it imports this module)

    return GatewayCluster


def _is_outage(error: Exception) -> bool:
    """Whether the gateway itself, rather than the proxy before it, may have said nothing yet."""
    return not isinstance(error, GatewayResponseError) or error.status in {404, 502, 503, 504}
