"""What comes of a look at credentials."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway_common.errors import GatewayError
from gateway_common.principal import Principal


@dataclass(frozen=True, slots=True)
class Accepted:
    """The credentials are good.

    `reusable_for`: seconds that the same Authorization header may be answered from a cache; 0 where
    credentials are good for one request only. `headers`: what the answer to the user must carry.
    `valid_for`: seconds after which this has to be asked again, and so the longest that a session may last;
    None where the credentials set no limit.
    """

    principal: Principal
    reusable_for: float = 0.0
    headers: Mapping[str, str] = field(default_factory=dict)
    valid_for: float | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """There are no credentials, or they are not good.

    `challenges`: the WWW-Authenticate values that tell the client what to send. `reason` is for the log: the
    user is not told which part was wrong, and it holds nothing of the credentials. `attempted`: there were credentials
    of this scheme. `user`: the name that they claimed, if they did.
    """

    challenges: tuple[str, ...]
    reason: str
    attempted: bool = False
    user: str = ""


class SourceUnavailable(GatewayError):
    """Whoever could say (a JupyterHub, an issuer) does not answer. `retry_after` is in seconds."""

    def __init__(self, message: str, retry_after: float = 2.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ClassFailure(SourceUnavailable):
    """An operator's class gives up in words of its own, which are for the user; `status` is the one that it chose."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
