"""Who is calling."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated user, as the auth service describes them."""

    name: str
    groups: tuple[str, ...] = ()
    admin: bool = False
