"""The audit log: one line of JSON a decision, on standard output, for machines to keep.

    {"time": "2026-11-26T12:00:00.000Z", "event": "cluster.stop", "outcome": "denied", "user": "bob", ...}

Neither tokens nor passwords go in: whoever writes an entry names each field, and none is copied from a request.
"""

import logging
import sys
from datetime import UTC, datetime
from typing import Any

import orjson

_logger = logging.getLogger("dask_gateway.audit")
#: Not for the service's own log, which people read and which has another form.
_logger.propagate = False


def configure_audit(*, enabled: bool) -> None:
    """Write entries to standard output from now on, or drop them."""
    _logger.handlers.clear()
    _logger.disabled = not enabled
    _logger.setLevel(logging.INFO)
    if enabled:
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(logging.Formatter("%(message)s"))
        _logger.addHandler(handler)


def audit(event: str, outcome: str, *, user: str = "", cluster: str = "", client: str = "", **more: Any) -> None:
    """Write one entry.

    Parameters
    ----------
    event
        What was asked for, as `subject.verb`: `cluster.create`, `session.start`, `dashboard.open`.
    outcome
        `allowed`, `denied` or `failed`.
    user, cluster, client
        Who asked, about which cluster (`namespace.name`), from which address. Empty: unknown, and left out.
    more
        What else there is to say, as JSON can say it.
    """
    if not _logger.isEnabledFor(logging.INFO) or not _logger.handlers:
        return
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    entry = {"time": now, "event": event, "outcome": outcome, "user": user, "cluster": cluster, "client": client}
    known = {name: value for name, value in {**entry, **more}.items() if value not in ("", None)}
    _logger.info("%s", orjson.dumps(known).decode())
