"""What is used, what is allowed, and whether more fits: the arithmetic of limits, without I/O.

The api asks it for an answer to a user, the controller for the decision that counts.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from gateway_common.config import ClusterConfig
from gateway_common.configuration.limits import Amounts
from gateway_common.configuration.model import Configuration
from gateway_common.quantities import format_memory, millicores
from gateway_common.usage import Kind, Ledger, Owner, Scope, Usage

__all__ = [
    "Allowances",
    "Excess",
    "Kind",
    "Ledger",
    "Owner",
    "Room",
    "Scope",
    "Usage",
    "allowances",
    "exceeded",
    "has_limits",
    "lifetime_limit",
    "limits_on",
    "own_room",
    "room_for_workers",
    "scopes",
    "usage_of",
    "worker_usage",
]

#: The limits that count for one user: most have none, and cost nothing.
Allowances = Mapping[Scope, Amounts]
#: What a scope uses now.
Used = Callable[[Scope], Usage]


@dataclass(frozen=True, slots=True)
class Excess:
    """A limit that a request exceeds: what its scope uses, what is asked for on top, and what is allowed."""

    scope: Scope
    kind: Kind
    used: int
    asked: int
    allowed: int

    @property
    def is_hopeless(self) -> bool:
        """Whether it would not fit even if nothing else were there."""
        return self.asked > self.allowed

    def sentence(self, asking: str = "a new cluster needs at least", *, to_owner: bool = True) -> str:
        """What is used and what is allowed, for people: without a capital or a full stop, to put into a text.

        `to_owner` is false where it is told to others than the user whose clusters it is about.
        """
        allowed = _shown(self.kind, self.allowed)
        if self.is_hopeless and self.kind in (Kind.CORES, Kind.MEMORY):
            whose = _clusters_of(self.scope, to_owner)
            return f"{whose} may use {allowed} together, {asking} {_number(self.kind, self.asked)}"
        used = f"{_number(self.kind, self.used)} of {allowed}"
        if self.kind in (Kind.CLUSTERS, Kind.WORKERS):
            more = f", {asking} {self.asked} more" if self.asked > 1 else ""
            return _has(self.scope, used, to_owner) + more
        return f"{_uses(self.scope, to_owner)} {used}, {asking} {_number(self.kind, self.asked)} more"


@dataclass(frozen=True, slots=True)
class Room:
    """How many more workers fit, and which limit is the reason; None: there is none."""

    workers: int | None
    limit: Excess | None = None


def has_limits(configuration: Configuration) -> bool:
    """Whether anybody's usage is limited. What is not limited need not be counted."""
    limits = configuration.limits
    grouped = [
        amounts for group in configuration.groups.values() for amounts in (group.limits.user, group.limits.group)
    ]
    return any(_is_limited(amounts) for amounts in (limits.user, limits.total, *grouped))


def scopes(configuration: Configuration, user: str, groups: Iterable[str]) -> tuple[Scope, ...]:
    """Where the usage of a user in these groups is counted: also where there is no limit for this user."""
    known = (Scope(Owner.GROUP, name) for name in dict.fromkeys(groups) if name in configuration.groups)
    return (Scope(Owner.USER, user), *known, Scope(Owner.TOTAL))


def allowances(configuration: Configuration, user: str, groups: Iterable[str]) -> dict[Scope, Amounts]:
    """The limits that count for a user in these groups; scopes without any limit are left out."""
    limits = configuration.limits
    member_of = {name: configuration.groups[name].limits for name in groups if name in configuration.groups}
    own = _most_generous(limits.user, [group.user for group in member_of.values()])
    found = {Scope(Owner.USER, user): own}
    found |= {Scope(Owner.GROUP, name): group.group for name, group in member_of.items()}
    found[Scope(Owner.TOTAL)] = limits.total
    return {scope: amounts for scope, amounts in found.items() if _is_limited(amounts)}


def lifetime_limit(allowed: Allowances) -> float | None:
    """The shortest lifetime (seconds) of all limits; None: there is none."""
    return min((amounts.lifetime for amounts in allowed.values() if amounts.lifetime is not None), default=None)


def usage_of(config: ClusterConfig, workers: Mapping[str, int]) -> Usage:
    """What a cluster with so many workers of each group uses; those of no group are of the group ""."""
    scheduler = Usage(clusters=1, millicores=millicores(config.scheduler_cores), memory=config.scheduler_memory)
    return sum((worker_usage(config.of_group(group), count) for group, count in workers.items()), scheduler)


def worker_usage(config: ClusterConfig, count: int = 1) -> Usage:
    """What so many workers of this configuration use."""
    cores, memory = millicores(config.worker_cores), config.worker_memory
    return Usage(workers=count, millicores=count * cores, memory=count * memory)


def own_room(config: ClusterConfig, workers: Mapping[str, int], group: str = "") -> int | None:
    """How many more workers of a group a cluster's own limits leave room for, beside so many of each group.

    None: any number.
    """
    one, used = worker_usage(config.of_group(group)), usage_of(config, workers)
    room = [] if config.cluster_max_workers is None else [config.cluster_max_workers - used.workers]
    if config.cluster_max_memory is not None:
        room.append((config.cluster_max_memory - used.memory) // one.memory)
    if config.cluster_max_cores is not None and one.millicores:
        room.append((millicores(config.cluster_max_cores) - used.millicores) // one.millicores)
    return max(min(room), 0) if room else None


def exceeded(allowed: Allowances, used: Used, asked: Usage) -> list[Excess]:
    """The limits that would be exceeded by what is asked for on top of what is used.

    What nothing is asked of can't be exceeded, even if a limit was lowered below what is used.
    """
    return [
        Excess(scope, kind, amount, asked.amount(kind), limit)
        for scope, kind, limit in _limits(allowed)
        if asked.amount(kind) > 0 and (amount := used(scope).amount(kind)) + asked.amount(kind) > limit
    ]


def limits_on(allowed: Allowances, asked: Usage) -> frozenset[tuple[Scope, Kind]]:
    """The limits that count for what is asked for."""
    return frozenset((scope, kind) for scope, kind, _ in _limits(allowed) if asked.amount(kind) > 0)


def room_for_workers(allowed: Allowances, used: Used, config: ClusterConfig) -> Room:
    """How many more workers of this configuration fit now, and the limit that lets no more in."""
    one = worker_usage(config)
    tightest = Room(None)
    for scope, kind, limit in _limits(allowed):
        each = one.amount(kind)
        if each <= 0:
            continue
        amount = used(scope).amount(kind)
        count = max((limit - amount) // each, 0)
        if tightest.workers is None or count < tightest.workers:
            tightest = Room(count, Excess(scope, kind, amount, each, limit))
    return tightest


def _limits(allowed: Allowances) -> Iterable[tuple[Scope, Kind, int]]:
    for scope, amounts in allowed.items():
        if amounts.clusters is not None:
            yield scope, Kind.CLUSTERS, amounts.clusters
        if amounts.workers is not None:
            yield scope, Kind.WORKERS, amounts.workers
        if amounts.cores is not None:
            yield scope, Kind.CORES, millicores(amounts.cores)
        if amounts.memory is not None:
            yield scope, Kind.MEMORY, amounts.memory


def _is_limited(amounts: Amounts) -> bool:
    return any(getattr(amounts, name) is not None for name in Amounts.model_fields)


def _most_generous(general: Amounts, groups: Iterable[Amounts]) -> Amounts:
    """Field by field: the largest amount of any group that says something about it, else the general one."""
    values = {}
    for name in Amounts.model_fields:
        given = [value for amounts in groups if (value := getattr(amounts, name)) is not None]
        values[name] = max(given) if given else getattr(general, name)
    return general.model_copy(update=values)


def _number(kind: Kind, amount: int) -> str:
    match kind:
        case Kind.CORES:
            return f"{amount / 1000:.15g}"
        case Kind.MEMORY:
            return format_memory(amount)
        case Kind.CLUSTERS | Kind.WORKERS:
            return str(amount)


def _shown(kind: Kind, amount: int) -> str:
    """With its unit."""
    number = _number(kind, amount)
    match kind:
        case Kind.CORES:
            return f"{number} CPU" if amount == 1000 else f"{number} CPUs"
        case Kind.MEMORY:
            return f"{number} of memory"
        case Kind.CLUSTERS | Kind.WORKERS:
            return f"{number} {kind}"


def _clusters_of(scope: Scope, to_owner: bool) -> str:
    match scope.owner:
        case Owner.USER:
            return "your clusters" if to_owner else f"clusters of user {scope.name}"
        case Owner.GROUP:
            return f"clusters of group {scope.name}"
        case Owner.TOTAL:
            return "all users' clusters"


def _uses(scope: Scope, to_owner: bool) -> str:
    match scope.owner:
        case Owner.USER:
            return f"{_clusters_of(scope, to_owner)} use"
        case Owner.GROUP:
            return f"group {scope.name} uses"
        case Owner.TOTAL:
            return "all users together use"


def _has(scope: Scope, used: str, to_owner: bool) -> str:
    match scope.owner:
        case Owner.USER:
            return f"{used} are yours already" if to_owner else f"user {scope.name} has {used} already"
        case Owner.GROUP:
            return f"group {scope.name} has {used} already"
        case Owner.TOTAL:
            return f"all users together have {used} already"
