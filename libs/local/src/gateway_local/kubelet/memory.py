"""How much memory a container's processes hold, and when that is more than it may have.

There are no cgroups here: what is resident is looked at now and then, so a container may go beyond its limit for a
moment, and memory that its processes share counts once for each of them.
"""

import asyncio
import os
from contextlib import suppress
from pathlib import Path

from gateway_common.resources import Manifest
from gateway_local.quantities import parse_quantity

_PAGE = os.sysconf("SC_PAGE_SIZE")
#: Seconds between two looks.
INTERVAL = 0.5


def memory_limit(container: Manifest) -> int:
    """A container's limit in bytes; 0: none."""
    limits = (container.get("resources") or {}).get("limits") or {}
    return int(parse_quantity(limits.get("memory", 0)))


def resident_bytes(pid: int) -> int:
    """What a process and all that it has started hold in memory; what has ended holds nothing."""
    total = 0
    with suppress(OSError):
        total = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
        for thread in os.listdir(f"/proc/{pid}/task"):
            # not in kernels without CONFIG_PROC_CHILDREN, where children go uncounted
            children = Path(f"/proc/{pid}/task/{thread}/children").read_text().split()
            total += sum(resident_bytes(int(child)) for child in children)
    return total


async def exceeds(pid: int, limit: int) -> None:
    """Returns when a process and all that it has started hold more than `limit` bytes."""
    while resident_bytes(pid) <= limit:  # noqa: ASYNC110  # nothing announces it
        await asyncio.sleep(INTERVAL)
