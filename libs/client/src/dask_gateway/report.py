"""What a gateway says about one cluster."""

import enum
import ssl
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from distributed.security import Security

from dask_gateway.addresses import GatewayAddresses


class ClusterStatus(enum.IntEnum):
    """Where a cluster is in its life. The order is that of life: a cluster never goes back."""

    PENDING = 1
    RUNNING = 2
    STOPPING = 3
    STOPPED = 4
    FAILED = 5

    @classmethod
    def from_name(cls, name: str) -> "ClusterStatus":
        """The status called ``name``, in any case; ``ValueError`` when there is none."""
        try:
            return cls[name.upper()]
        except KeyError:
            raise ValueError(f"{name!r} is not a valid {cls.__name__}") from None


class GatewaySecurity(Security):  # type: ignore[misc]  # distributed is untyped here
    """TLS credentials of one cluster, held in memory.

    The key pair is the cluster's own: its certificate is the only authority, and the client shows the same certificate
    to the scheduler.
    """

    def __init__(self, tls_key: str, tls_cert: str) -> None:
        self.tls_key = tls_key
        self.tls_cert = tls_cert

    def __repr__(self) -> str:
        return "GatewaySecurity<...>"

    def get_connection_args(self, role: str) -> dict[str, Any]:
        """Arguments of a connection as ``role``, which is the same for all of them."""
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cadata=self.tls_cert)
        # The certificate names no host that a client could know; trusting nothing but this one certificate is stricter.
        context.check_hostname = False
        # ssl loads a key from a file only, so it is on disk for as long as that takes.
        with tempfile.TemporaryDirectory() as folder:
            pem = Path(folder, "dask.pem")
            pem.touch(mode=0o600)
            pem.write_text(f"{self.tls_key}\n{self.tls_cert}")
            context.load_cert_chain(pem)
        return {"ssl_context": context, "require_encryption": True}


@dataclass(slots=True, repr=False)
class ClusterReport:
    """A cluster's state when the gateway was asked.

    name                the cluster's unique name
    options             the options it was started with
    status              where it is in its life
    scheduler_address   ``gateway://host:port/name``, or None when it isn't running
    dashboard_link      URL of its dashboard, or None when it isn't running
    start_time          when it was created, local time
    stop_time           when it ended, local time, or None
    tls_cert, tls_key   credentials to reach it, PEM, or None when it isn't running
    user                whose it is, where the gateway was asked for clusters of others
    reason, message     why it is in its state, in a word and in words for people, likewise
    """

    name: str
    options: dict[str, Any]
    status: ClusterStatus
    scheduler_address: str | None
    dashboard_link: str | None
    start_time: datetime
    stop_time: datetime | None
    tls_cert: str | None = None
    tls_key: str | None = None
    user: str | None = None
    reason: str | None = None
    message: str | None = None

    def __repr__(self) -> str:
        return f"ClusterReport<name={self.name}, status={self.status.name}>"

    @property
    def security(self) -> GatewaySecurity | None:
        """Credentials to connect with, or None when the cluster isn't running."""
        if self.tls_key is None or self.tls_cert is None:
            return None
        return GatewaySecurity(tls_key=self.tls_key, tls_cert=self.tls_cert)

    @classmethod
    def from_json(cls, addresses: GatewayAddresses, message: Mapping[str, Any]) -> "ClusterReport":
        """Read a cluster as the gateway sends it; keys that this version doesn't know are ignored."""
        status = ClusterStatus.from_name(message["status"])
        running = status is ClusterStatus.RUNNING
        route = message.get("dashboard_route")
        return cls(
            name=message["name"],
            options=message.get("options") or {},
            status=status,
            scheduler_address=f"{addresses.proxy}/{message['name']}" if running else None,
            dashboard_link=f"{addresses.public}{route}" if route else None,
            start_time=_local_time(message["start_time"]),
            stop_time=_local_time(message["stop_time"]) if message.get("stop_time") is not None else None,
            tls_cert=message.get("tls_cert"),
            tls_key=message.get("tls_key"),
            user=message.get("user"),
            reason=message.get("reason"),
            message=message.get("message"),
        )


def _local_time(milliseconds: float) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000)  # naive on purpose: people compare it with datetime.now()
