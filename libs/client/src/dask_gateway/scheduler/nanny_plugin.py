"""What nannies run when they are told to end: they let their worker's data be moved first.

Spot nodes, drains and evictions end a worker's pod with SIGTERM, and distributed's nanny then stops its worker at once,
with all that it holds. :mod:`dask_gateway.scheduler.departure` sends this file to every nanny as text, so it knows
nothing of ours: the worker's image may hold another version of this package, or none.
"""

import asyncio
import logging
import os
from contextlib import suppress
from typing import Any

from distributed.core import Status, send_recv
from distributed.diagnostics.plugin import NannyPlugin

logger = logging.getLogger("distributed.nanny.gateway")

OPERATION = "gateway_worker_departs"  # of the scheduler

_GRACE_PERIOD = "DASK_GATEWAY_GRACE_PERIOD"  # set in pods whose grace period is not the default one
_DEFAULT_GRACE_PERIOD = 30.0  # seconds until Kubernetes kills what it has asked to end, unless the pod says otherwise
_ENDING = 10.0  # seconds that a nanny may need to stop its worker afterwards: it waits eight for a task that runs
_CONNECTING = 3.0  # seconds: a scheduler that is gone must not delay the end
_FOLLOWING = 3.0  # seconds that a worker may need to follow its scheduler


class GracefulDeparture(NannyPlugin):  # type: ignore[misc]  # distributed is untyped here
    """Asks the scheduler to move a worker's data away before its nanny stops it."""

    name = "dask-gateway-departure"

    async def teardown(self, nanny: Any) -> None:
        """Wait for the scheduler, but neither long nor for a worker that ends by itself. Never raises."""
        process = nanny.process
        if process is None or process.status not in (Status.starting, Status.running):
            return
        # A worker that ends meanwhile tells its nanny, which would begin to end a second time, and then never be done.
        nanny.handlers["close_gracefully"] = _already_closing
        asking = asyncio.ensure_future(_ask(nanny, process, time_to_move(os.environ)))
        ending = asyncio.ensure_future(process.stopped.wait())
        try:
            await asyncio.wait((asking, ending), return_when=asyncio.FIRST_COMPLETED)
        finally:
            asking.cancel()
            ending.cancel()


def time_to_move(environment: Any) -> float:
    """Seconds for moving data, of the pod's grace period."""
    grace_period = _DEFAULT_GRACE_PERIOD
    with suppress(ValueError):
        grace_period = float(environment.get(_GRACE_PERIOD, grace_period))
    return max(grace_period - _ENDING, grace_period / 2)


def _already_closing(reason: str = "") -> None:
    """Stands in for ``Nanny.close_gracefully``, which is to keep a nanny from starting its worker again."""


async def _ask(nanny: Any, process: Any, seconds: float) -> None:
    try:
        # A worker may have joined, and be working, before its nanny knows. To stop it, the nanny waits for that anyway.
        await asyncio.wait_for(process.running.wait(), seconds)
        # distributed's own timeout leaves the handshake out
        comm = await asyncio.wait_for(nanny.rpc.connect(nanny.scheduler_addr), _CONNECTING)
        try:
            asked = send_recv(comm, op=OPERATION, address=process.worker_address, seconds=seconds)
            answer = await asyncio.wait_for(asked, seconds + _CONNECTING)
        finally:
            comm.abort()
    except Exception as error:
        answer = repr(error)
    if answer != "OK":
        logger.info("The scheduler did not take over the data of %s: %s", process.worker_address, answer)
        # A worker that ends by itself, for want of a scheduler, while its nanny stops it takes eight seconds for that.
        await asyncio.sleep(_FOLLOWING)
