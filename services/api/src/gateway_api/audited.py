"""What users do to clusters, in the audit log."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from fastapi import Request

from gateway_api.callers import ClusterToken, user_request
from gateway_api.errors import RequestRefused
from gateway_common.audit import audit
from gateway_common.errors import GatewayError
from gateway_common.principal import Principal

#: A refusal may quote what was sent.
LONGEST_REASON = 1000


@dataclass(slots=True)
class Entry:
    """What is known in the end only."""

    cluster: str = ""


@contextmanager
def audited(request: Request, event: str, caller: Principal | ClusterToken, cluster: str = "") -> Iterator[Entry]:
    """Write how what is done within came out: one line."""
    user = caller.name if isinstance(caller, Principal) else ""
    client = user_request(request).client
    entry = Entry(cluster)
    outcome, reason = "failed", ""
    try:
        yield entry
        outcome = "allowed"
    except RequestRefused as error:
        outcome, reason = "denied", str(error)
        raise
    except GatewayError as error:
        reason = str(error)
        raise
    finally:
        audit(event, outcome, user=user, cluster=entry.cluster[:320], client=client, reason=reason[:LONGEST_REASON])
