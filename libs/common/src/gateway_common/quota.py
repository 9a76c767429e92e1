"""What is used, what is allowed, and whether more fits: the arithmetic of limits, without I/O.

The api asks it for an answer to a user, the controller for the decision that counts.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from gateway_common.config import ClusterConfig
from gateway_common.configuration.limits import Amounts
from gateway_common.configuration.model import Configuration


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


@dataclass(frozen=True, slots=True)
class Usage:
    """What clusters use: `millicores` and `memory` (bytes) are what schedulers and workers request."""

    clusters: int = 0
    workers: int = 0
    millicores: int = 0
    memory: int = 0


#: The limits that count for one user: most have none, and cost nothing.
Allowances = Mapping[Scope, Amounts]


def allowances(configuration: Configuration, user: str, groups: Iterable[str]) -> Allowances:
    """The limits that count for a user in these groups; scopes without any limit are left out."""
    raise NotImplementedError


def usage_of(config: ClusterConfig, workers: int) -> Usage:
    """What a cluster with so many workers uses."""
    raise NotImplementedError
