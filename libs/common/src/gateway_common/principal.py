"""Who is calling."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated user, as the auth service describes them."""

    name: str
    groups: tuple[str, ...] = ()
    admin: bool = False
    #: What an operator's class says of them besides, for the operator's code: JSON.
    attributes: Mapping[str, Any] = field(default_factory=dict, hash=False)
