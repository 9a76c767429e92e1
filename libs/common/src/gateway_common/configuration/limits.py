"""How much may be used, by one user, by a group, and in all."""

from typing import Annotated, Literal

from pydantic import Field

from gateway_common.config import Cores, Memory, Seconds
from gateway_common.configuration.groups import SettingsGroup
from gateway_common.setting import setting

Count = Annotated[int, Field(ge=0)]


class Amounts(SettingsGroup):
    """Limits of one kind of owner. What is not set is not limited.

    Cores and memory are what schedulers and workers request, together.
    """

    clusters: Count | None = setting(None, unit="clusters", description="Pending and running at a time.")
    workers: Count | None = setting(None, unit="workers", description="Of all clusters together.")
    cores: Cores | None = setting(None, unit="CPUs", description="That all clusters together request.")
    memory: Memory | None = setting(None, unit="bytes", description="That all clusters together request.")
    lifetime: Annotated[Seconds, Field(gt=0)] | None = setting(
        None, unit="seconds", description="After which a cluster is stopped, whatever its own configuration says."
    )


class LimitsGroup(SettingsGroup):
    """Limits for everybody, and what becomes of a cluster that exceeds one."""

    user: Amounts = Field(default=Amounts(), description="Each user.")
    total: Amounts = Field(default=Amounts(), description="All users together.")
    on_exceeded: Literal["reject", "queue"] = setting(
        "reject",
        values="gateway.limits.onExceeded",
        description="What becomes of a new cluster for which there is no room: the user is told no, or it waits.",
    )
    max_queued: int = setting(
        10,
        ge=0,
        unit="clusters",
        values="gateway.limits.maxQueued",
        description="Of one user that may wait for room at a time, so that nobody fills the queue.",
    )


class GroupLimits(SettingsGroup):
    """Limits that come with a group."""

    user: Amounts = Field(
        default=Amounts(), description="Each member, in place of the general limit; the most generous group counts."
    )
    group: Amounts = Field(default=Amounts(), description="All members together.")
