"""The Negotiate scheme (RFC 4559): a Kerberos ticket from the user, and proof of the service's key to them."""

import asyncio
import binascii
import logging
from base64 import b64decode, b64encode
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from gateway_auth.authenticators.base import UserRequest
from gateway_auth.authenticators.kerberos.acceptor import Acceptor, KeytabMissing, NotAccepted
from gateway_auth.authenticators.kerberos.principal_names import Rule, user_name
from gateway_auth.outcomes import Accepted, Refused, SourceUnavailable
from gateway_common.errors import InvalidConfig
from gateway_common.principal import Principal

logger = logging.getLogger(__name__)

SCHEME = "Negotiate"
#: Tickets with many groups in them (Active Directory's) have some 12,000 bytes at the most.
LONGEST = 65_536


class KerberosAuthenticator:
    """Takes tickets for the service.

    Parameters
    ----------
    realms
        Whose users are let in. Empty: those of the service's own realm.
    rules
        How principals become user names.
    max_age
        Seconds that a session may last, at the most; it never outlasts the ticket.
    """

    name = "kerberos"
    challenges = (SCHEME,)
    reads_whole_request = False
    login = None

    def __init__(
        self, acceptor: Acceptor, *, realms: Sequence[str], rules: Sequence[Rule], max_age: float | None = None
    ) -> None:
        self._acceptor = acceptor
        self._realms = tuple(realms)
        self._rules = tuple(rules)
        self._max_age = max_age
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="kerberos")

    async def start(self) -> None:
        """Look for the key; raises InvalidConfig."""
        try:
            await asyncio.get_running_loop().run_in_executor(self._threads, self._acceptor.open)
        except KeytabMissing as error:
            raise InvalidConfig(f"gateway.auth.kerberos.keytab: {error}") from error

    async def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        self._acceptor.close()

    async def authenticate(self, request: UserRequest) -> Accepted | Refused:
        """Check the ticket, and answer with the service's proof."""
        scheme, _, text = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != SCHEME.lower():
            return Refused(self.challenges, "no ticket")
        try:
            token = b64decode(text.strip(" "), validate=True) if len(text) <= LONGEST else b""
        except (binascii.Error, ValueError):
            token = b""
        if not token:
            return Refused(self.challenges, "not a ticket", attempted=True)
        try:
            accepted = await asyncio.get_running_loop().run_in_executor(self._threads, self._acceptor.accept, token)
        except NotAccepted as error:
            return Refused(self.challenges, f"the ticket is refused: {error}", attempted=True)
        except KeytabMissing as error:
            logger.error("Nobody can sign in by Kerberos: %s", error)
            raise SourceUnavailable("Kerberos is not set up properly") from error
        name = user_name(accepted.principal, self._rules, self._realms or (accepted.realm,))
        if not name:
            return Refused(self.challenges, "no rule and no realm fits the principal", attempted=True)
        valid_for = accepted.lifetime if self._max_age is None else min(accepted.lifetime, self._max_age)
        reply = b64encode(accepted.reply).decode()
        headers = {"WWW-Authenticate": f"{SCHEME} {reply}"} if reply else {}
        # a ticket is for one request: no reuse
        return Accepted(Principal(name), headers=headers, valid_for=valid_for)
