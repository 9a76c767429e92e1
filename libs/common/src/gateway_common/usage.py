"""What clusters use, counted by whose they are.

All amounts are whole numbers (CPUs in thousandths, memory in bytes), so sums that were added to and taken from for
weeks are still exact.
"""

from collections.abc import Collection, Hashable
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Owner(StrEnum):
    """Whose usage a limit counts."""

    USER = "user"
    GROUP = "group"
    TOTAL = "total"


@dataclass(frozen=True, slots=True)
class Scope:
    """One owner; the name of TOTAL is empty."""

    owner: Owner
    name: str = ""


class Kind(StrEnum):
    """What is counted."""

    CLUSTERS = "clusters"
    WORKERS = "workers"
    CORES = "cores"
    MEMORY = "memory"


@dataclass(frozen=True, slots=True)
class Usage:
    """What clusters use: `millicores` and `memory` (bytes) are what schedulers and workers request."""

    clusters: int = 0
    workers: int = 0
    millicores: int = 0
    memory: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.clusters + other.clusters,
            self.workers + other.workers,
            self.millicores + other.millicores,
            self.memory + other.memory,
        )

    def __sub__(self, other: "Usage") -> "Usage":
        return Usage(
            self.clusters - other.clusters,
            self.workers - other.workers,
            self.millicores - other.millicores,
            self.memory - other.memory,
        )

    def exceeds(self, other: "Usage") -> bool:
        """Whether there is more of anything."""
        return any(self.amount(kind) > other.amount(kind) for kind in Kind)

    def holds(self, one: "Usage") -> int:
        """How many times another is in it, by whatever there is least of."""
        times = [self.amount(kind) // one.amount(kind) for kind in Kind if one.amount(kind) > 0]
        return max(min(times, default=0), 0)

    def amount(self, kind: Kind) -> int:
        """The amount of one kind; of CORES in thousandths."""
        match kind:
            case Kind.CLUSTERS:
                return self.clusters
            case Kind.WORKERS:
                return self.workers
            case Kind.CORES:
                return self.millicores
            case Kind.MEMORY:
                return self.memory


NOTHING = Usage()


class Ledger(Generic[K]):
    """What each scope uses: totals that are kept current as entries come, change and go."""

    def __init__(self) -> None:
        self._entries: dict[K, tuple[tuple[Scope, ...], Usage]] = {}
        self._totals: dict[Scope, Usage] = {}
        self._members: dict[Scope, dict[K, None]] = {}

    def put(self, key: K, scopes: Collection[Scope], usage: Usage) -> None:
        """Book an entry, in place of what was booked for its key."""
        previous = self._entries.get(key)
        wanted = (tuple(dict.fromkeys(scopes)), usage)
        if previous == wanted:
            return
        self.remove(key)
        self._entries[key] = wanted
        for scope in wanted[0]:
            self._totals[scope] = self._totals.get(scope, NOTHING) + usage
            self._members.setdefault(scope, {})[key] = None

    def remove(self, key: K) -> None:
        """Strike out an entry, if there is one."""
        if (entry := self._entries.pop(key, None)) is None:
            return
        for scope in entry[0]:
            self._members[scope].pop(key)
            if self._members[scope]:
                self._totals[scope] -= entry[1]
            else:
                del self._members[scope], self._totals[scope]

    def booked(self, key: K) -> Usage | None:
        """What is booked for a key."""
        entry = self._entries.get(key)
        return entry[1] if entry else None

    def scopes_of(self, key: K) -> tuple[Scope, ...]:
        """Where a key's entry counts."""
        entry = self._entries.get(key)
        return entry[0] if entry else ()

    def used(self, scope: Scope) -> Usage:
        return self._totals.get(scope, NOTHING)

    def members(self, scope: Scope) -> list[K]:
        """The keys whose entries count in a scope."""
        return list(self._members.get(scope, ()))

    def __contains__(self, key: object) -> bool:
        return key in self._entries

    def __len__(self) -> int:
        return len(self._entries)
