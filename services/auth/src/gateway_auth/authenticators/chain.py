"""Several authenticators, tried in order."""

from collections.abc import Sequence
from contextlib import AsyncExitStack

from gateway_auth.authenticators.base import Authenticator, UserRequest
from gateway_auth.outcomes import Accepted, Refused, SourceUnavailable


class Chain:
    """The first authenticator that accepts a request decides; a client may choose among the challenges of all."""

    def __init__(self, authenticators: Sequence[Authenticator]) -> None:
        if not authenticators:
            raise ValueError("A chain needs an authenticator.")
        self._authenticators = tuple(authenticators)
        self._started = AsyncExitStack()

    @property
    def name(self) -> str:
        return ", ".join(one.name for one in self._authenticators)

    @property
    def challenges(self) -> tuple[str, ...]:
        """Those of all, in order."""
        return tuple(dict.fromkeys(challenge for one in self._authenticators for challenge in one.challenges))

    @property
    def reads_whole_request(self) -> bool:
        return any(one.reads_whole_request for one in self._authenticators)

    async def start(self) -> None:
        """Start all, or none: those that had started are closed again."""
        async with AsyncExitStack() as started:
            for one in self._authenticators:
                await one.start()
                started.push_async_callback(one.close)
            self._started = started.pop_all()

    async def close(self) -> None:
        await self._started.aclose()

    async def authenticate(self, request: UserRequest) -> Accepted | Refused:
        """Ask one after the other. One that is unavailable matters only where no other accepts."""
        refusals: list[Refused] = []
        unavailable: SourceUnavailable | None = None
        for one in self._authenticators:
            try:
                outcome = await one.authenticate(request)
            except SourceUnavailable as error:
                unavailable = unavailable or error
                continue
            if isinstance(outcome, Accepted):
                return outcome
            refusals.append(outcome)
        if unavailable is not None:
            raise unavailable
        return _merged(refusals, self.challenges)


def _merged(refusals: Sequence[Refused], challenges: tuple[str, ...]) -> Refused:
    # what was tried says more than that other schemes saw nothing of theirs
    telling = [refused for refused in refusals if refused.attempted] or refusals[:1]
    # a scheme may answer a refusal in words of its own (RFC 6750, 3: error="invalid_token"); the others ask as ever
    own = [challenge for refused in telling for challenge in refused.challenges]
    schemes = {_scheme(challenge) for challenge in own}
    others = [challenge for challenge in challenges if _scheme(challenge) not in schemes]
    return Refused(
        tuple(dict.fromkeys([*own, *others])),
        "; ".join(refused.reason for refused in telling),
        attempted=any(refused.attempted for refused in telling),
        user=next((refused.user for refused in telling if refused.user), ""),
    )


def _scheme(challenge: str) -> str:
    return challenge.partition(" ")[0].lower()
