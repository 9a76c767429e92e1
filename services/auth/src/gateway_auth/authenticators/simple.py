"""One shared password, or none: for a trial, a class room, or behind something else that authenticates."""

import hmac

from gateway_auth.authenticators.base import UserRequest
from gateway_auth.authenticators.basic import MalformedCredentials, parse_basic
from gateway_auth.outcomes import Accepted, Refused
from gateway_common.principal import Principal


class SimpleAuthenticator:
    """Takes any user name, with the shared password where one is set.

    Parameters
    ----------
    password
        Compared in constant time. Empty: every password will do.
    reusable_for
        Seconds that the answer may be cached.
    """

    def __init__(self, password: str = "", *, reusable_for: float = 60.0) -> None:
        self._accepted_passwords = _encodings(password) if password else ()
        self._reusable_for = reusable_for

    name = "simple"
    reads_whole_request = False
    login = None

    @property
    def challenges(self) -> tuple[str, ...]:
        """Basic without parameters, as released clients have always been told."""
        return ("Basic",)

    async def start(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to close."""

    async def authenticate(self, request: UserRequest) -> Accepted | Refused:
        """Read the Basic credentials and compare the password."""
        header = request.headers.get("authorization")
        if not header:
            return Refused(self.challenges, "no credentials")
        try:
            credentials = parse_basic(header)
        except MalformedCredentials as error:
            return Refused(self.challenges, f"malformed credentials: {error}", attempted=True)
        if not self._is_right(credentials.password):
            return Refused(self.challenges, "wrong password", attempted=True, user=credentials.user)
        return Accepted(Principal(credentials.user), reusable_for=self._reusable_for)

    def _is_right(self, password: bytes) -> bool:
        if not self._accepted_passwords:
            return True
        # every encoding is compared before any answer, so that the time says nothing about which one matched
        matches = [hmac.compare_digest(password, accepted) for accepted in self._accepted_passwords]
        return any(matches)


def _encodings(password: str) -> tuple[bytes, ...]:
    """The password's bytes in each encoding that a client may use."""
    utf8 = password.encode()
    try:
        return (utf8, password.encode("latin-1"))
    except UnicodeEncodeError:
        return (utf8,)
