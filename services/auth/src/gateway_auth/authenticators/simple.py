"""Passwords: one for everybody, one for each user, or none, behind something else that authenticates."""

import asyncio
import hmac
from concurrent.futures import ThreadPoolExecutor

from gateway_auth.authenticators.base import UserRequest
from gateway_auth.authenticators.basic import BasicCredentials, MalformedCredentials, parse_basic
from gateway_auth.authenticators.passwords import PasswordHashes, matches
from gateway_auth.authenticators.turns import NoTurn, Turns
from gateway_auth.outcomes import Accepted, Refused, SourceUnavailable
from gateway_auth.throttle import network_of
from gateway_common.principal import Principal

#: Passwords with a hash that wait to be checked, from one address, and for how many seconds: a hash is costly on
#: purpose, a quarter of a second at bcrypt's cost 12, and the api itself waits for 30 seconds at the most.
MOST_WAITING = 100
PATIENCE = 20.0


class SimpleAuthenticator:
    """Takes users with their own passwords, and others with the shared one where one is set.

    Parameters
    ----------
    password
        Of all users without one of their own, compared in constant time. Empty: they are refused where there are users
        with passwords of their own, else every password will do.
    hashes
        Users' own passwords.
    reusable_for
        Seconds that the answer may be cached.
    """

    name = "simple"
    reads_whole_request = False
    login = None

    def __init__(self, password: str = "", *, hashes: PasswordHashes | None = None, reusable_for: float = 60.0) -> None:
        self._accepted_passwords = _encodings(password) if password else ()
        self._hashes = hashes or PasswordHashes({})
        self._reusable_for = reusable_for
        self._turns = Turns(most=MOST_WAITING, patience=PATIENCE)
        # bcrypt lets go of Python's lock, so one thread keeps the loop free and others' processors, too
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="bcrypt")

    @property
    def challenges(self) -> tuple[str, ...]:
        """Basic without parameters, as released clients have always been told."""
        return ("Basic",)

    async def start(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """End the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def authenticate(self, request: UserRequest) -> Accepted | Refused:
        """Read the Basic credentials and compare the password."""
        header = request.headers.get("authorization")
        if not header:
            return Refused(self.challenges, "no credentials")
        try:
            credentials = parse_basic(header)
        except MalformedCredentials as error:
            # those of another scheme are no try at this one
            return Refused(self.challenges, f"malformed credentials: {error}", attempted=_is_basic(header))
        if not await self._is_right(credentials, network_of(request.client)):
            return Refused(self.challenges, "wrong password", attempted=True, user=credentials.user)
        return Accepted(Principal(credentials.user), reusable_for=self._reusable_for)

    async def _is_right(self, credentials: BasicCredentials, origin: str) -> bool:
        if not self._hashes:
            return not self._accepted_passwords or self._is_shared(credentials.password)
        own = self._hashes.find(credentials.user)
        compared = own or self._hashes.of_another(credentials.user)
        is_own = compared is not None and await self._matches(credentials.password, compared, origin)
        is_shared = self._is_shared(credentials.password)
        return is_own if own else is_shared

    async def _matches(self, password: bytes, hashed: bytes, origin: str) -> bool:
        try:
            async with self._turns.turn(origin):
                return await asyncio.get_running_loop().run_in_executor(self._thread, matches, password, hashed)
        except NoTurn:
            raise SourceUnavailable("Too many passwords are being checked: try again in a moment", PATIENCE) from None

    def _is_shared(self, password: bytes) -> bool:
        # every encoding is compared before any answer, so that the time says nothing about which one matched
        results = [hmac.compare_digest(password, accepted) for accepted in self._accepted_passwords]
        return any(results)


def _is_basic(header: str) -> bool:
    return header.partition(" ")[0].lower() == "basic"


def _encodings(password: str) -> tuple[bytes, ...]:
    """The password's bytes in each encoding that a client may use."""
    utf8 = password.encode()
    try:
        return (utf8, password.encode("latin-1"))
    except UnicodeEncodeError:
        return (utf8,)
