"""Verified session tokens: checked against the auth service's public keys once, then remembered."""

import logging

from gateway_api.auth_client import AuthClient
from gateway_api.single_flight import SingleFlight
from gateway_common.clock import Clock
from gateway_common.errors import InvalidToken
from gateway_common.principal import Principal
from gateway_common.tokens import Session, SessionVerifier, UnknownKey, dashboard_audience

logger = logging.getLogger(__name__)

#: Verified tokens that are remembered, about 1 kB each.
CACHED_SESSIONS = 10_000
#: Seconds between two looks for new keys: tokens with made-up key ids must not become requests to auth.
KEYS_INTERVAL = 10.0


class SessionTokens:
    """Says whose a session token is, without asking auth."""

    def __init__(self, auth: AuthClient, *, audience: str, clock: Clock) -> None:
        self._auth = auth
        self._audience = audience
        self._clock = clock
        self._verifier: SessionVerifier | None = None
        self._fetched_at = float("-inf")
        self._fetches: SingleFlight[str, SessionVerifier] = SingleFlight()
        #: By what they are for, and token.
        self._sessions: dict[tuple[str, str], Session] = {}

    def known(self, token: str, dashboard: str = "") -> Principal | None:
        """The user of a token that was verified before and is still good. This is what most requests cost."""
        session = self._sessions.get((dashboard, token))
        if session is None:
            return None
        if session.expires_at <= self._clock():
            del self._sessions[dashboard, token]
            return None
        return session.principal

    async def verify(self, token: str, dashboard: str = "") -> Principal | None:
        """The user of a token, None if it proves nothing; raises TemporarilyUnavailable without any keys.

        `dashboard`: the cluster whose web pages the token has to be for. Without one it has to be for the REST API.
        """
        audience = dashboard_audience(self._audience, dashboard) if dashboard else self._audience
        verifier = self._verifier or await self._fetch()
        try:
            session = verifier.verify(token, self._clock(), audience=audience)
        except UnknownKey:
            if self._clock() < self._fetched_at + KEYS_INTERVAL:
                return None
            verifier = await self._fetch()
            try:
                session = verifier.verify(token, self._clock(), audience=audience)
            except InvalidToken:
                return None
        except InvalidToken as error:
            logger.debug("A session token was refused: %s", error)
            return None
        self._remember((dashboard, token), session)
        return session.principal

    async def _fetch(self) -> SessionVerifier:
        return await self._fetches.run("jwks", self._fetch_keys)

    async def _fetch_keys(self) -> SessionVerifier:
        self._fetched_at = self._clock()
        self._verifier = SessionVerifier(await self._auth.jwks(), audience=self._audience)
        return self._verifier

    def _remember(self, key: tuple[str, str], session: Session) -> None:
        if len(self._sessions) >= CACHED_SESSIONS:
            # the oldest goes first; verifying it again, if it comes back, costs a fraction of a millisecond
            del self._sessions[next(iter(self._sessions))]
        self._sessions[key] = session
