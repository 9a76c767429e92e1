"""What every authenticator takes and answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from gateway_common.principal import Principal


@dataclass(frozen=True, slots=True)
class UserRequest:
    """What a user sent to the gateway: where to, from where, and the headers by lower-case name."""

    method: str = "GET"
    path: str = "/"
    headers: Mapping[str, str] = field(default_factory=dict)
    client: str = ""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The credentials are good.

    `reusable_for`: seconds that the same Authorization header may be answered from a cache; 0 where
    credentials are good for one request only. `headers`: what the answer to the user must carry.
    """

    principal: Principal
    reusable_for: float = 0.0
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Refused:
    """There are no credentials, or they are not good.

    `challenges`: the WWW-Authenticate values that tell the client what to send. `reason` is for the log: the
    user is not told which part was wrong.
    """

    challenges: tuple[str, ...]
    reason: str


class Authenticator(Protocol):
    """One way to authenticate."""

    @property
    def challenges(self) -> tuple[str, ...]:
        """The WWW-Authenticate values for a request without credentials."""

    async def authenticate(self, request: UserRequest) -> Accepted | Refused:
        """Decide on the request's credentials. Whatever a user may send is decided upon, never raised."""
