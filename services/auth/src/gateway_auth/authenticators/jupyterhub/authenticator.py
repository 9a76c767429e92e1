"""Tokens of a JupyterHub, checked by asking the hub."""

import re

from gateway_auth.authenticators.base import UserRequest
from gateway_auth.authenticators.jupyterhub.hub import JupyterHub
from gateway_auth.authenticators.jupyterhub.login import JupyterHubLogin
from gateway_auth.outcomes import Accepted, Refused

SCHEME = "jupyterhub"
#: Seconds that the api may answer for the hub, at the most.
REUSABLE_FOR = 60.0
#: What the hub makes, and what operators choose themselves (RFC 6750, 2.1), of a length that fits in a header.
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{1,4096}")


class JupyterHubAuthenticator:
    """Takes tokens of the hub.

    Parameters
    ----------
    max_age
        Seconds for which the hub's word counts: a revoked token is good for no longer.
    login
        Where browsers sign in, if they can.
    """

    name = "jupyterhub"
    challenges = (SCHEME,)
    reads_whole_request = False

    def __init__(self, hub: JupyterHub, *, max_age: float, login: JupyterHubLogin | None = None) -> None:
        self._hub = hub
        self._max_age = max_age
        self.login = login

    async def start(self) -> None:
        """Nothing: the hub may be started after us."""

    async def close(self) -> None:
        """Close the connections to the hub."""
        await self._hub.close()

    async def authenticate(self, request: UserRequest) -> Accepted | Refused:
        """Ask the hub about the token."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != SCHEME:
            return Refused(self.challenges, "no token of a hub")
        if not _TOKEN.fullmatch(token):
            return Refused(self.challenges, "not a token", attempted=True)
        user = await self._hub.user(token)
        if isinstance(user, str):
            return Refused(self.challenges, user, attempted=True)
        return Accepted(user, reusable_for=min(REUSABLE_FOR, self._max_age), valid_for=self._max_age)
