"""What every authenticator takes and answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from gateway_auth.logins.provider import LoginProvider
from gateway_auth.outcomes import Accepted, Refused


@dataclass(frozen=True, slots=True)
class UserRequest:
    """What a user sent to the gateway: where to, from where, and the headers by lower-case name.

    `query` is as it was sent, without the question mark.
    """

    method: str = "GET"
    path: str = "/"
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    client: str = ""


class Authenticator(Protocol):
    """One way to authenticate."""

    @property
    def name(self) -> str:
        """What `gateway.auth.type` calls it; for logs."""

    @property
    def challenges(self) -> tuple[str, ...]:
        """The WWW-Authenticate values for a request without credentials."""

    @property
    def reads_whole_request(self) -> bool:
        """Whether credentials may be elsewhere than in the Authorization header."""

    @property
    def login(self) -> LoginProvider | None:
        """Where browsers can sign in, if they can by this way."""

    async def start(self) -> None:
        """Open what it needs, before the first request; raises InvalidConfig."""

    async def close(self) -> None:
        """Close what `start` opened."""

    async def authenticate(self, request: UserRequest) -> Accepted | Refused:
        """Decide on the request's credentials. Whatever a user may send is decided upon, never raised.

        Raises SourceUnavailable, and nothing else.
        """
