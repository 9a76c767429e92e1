"""GSSAPI's side of a sign-in: one token in, one out. Blocks, so it is called in a thread."""

import shutil
import tempfile
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from gateway_common.errors import InvalidConfig


class NotAccepted(Exception):
    """The ticket is not good here; the text is GSSAPI's, for the log."""


class KeytabMissing(Exception):
    """The service's own key can't be read."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """Who it is (`alice@REALM`), for how many seconds, and the proof that the service has its key.

    `lifetime` has the five minutes in it by which clocks may differ. `realm` is the service's.
    """

    principal: str
    lifetime: float
    realm: str
    reply: bytes


class Acceptor:
    """Accepts tickets for a service by its keytab, without any change to this process's environment.

    Tickets that were used are remembered in a file (MIT krb5's replay cache), so that one that was seen on the way is
    worthless. The keytab is read for each ticket, so that it may be replaced at any time.

    Raises InvalidConfig where gssapi is not installed.
    """

    def __init__(self, service: str, keytab: Path) -> None:
        try:
            self._gssapi: Any = import_module("gssapi")
        except ImportError as error:
            raise InvalidConfig("Kerberos needs the package gssapi: install dask-gateway-auth[kerberos]") from error
        self._service = service
        self._keytab = keytab
        self._replays = ""

    def open(self) -> None:
        """Begin to remember used tickets; raises KeytabMissing unless there is a key."""
        self._credentials()
        self._replays = tempfile.mkdtemp(prefix="dask-gateway-replays-")

    def close(self) -> None:
        """Forget the used tickets."""
        if self._replays:
            shutil.rmtree(self._replays, ignore_errors=True)

    def accept(self, token: bytes) -> Accepted:
        """Raises NotAccepted and KeytabMissing."""
        gssapi = self._gssapi
        credentials = self._credentials()
        try:
            context = gssapi.SecurityContext(creds=credentials, usage="accept")
            reply = context.step(token)
            if not context.complete:
                # HTTP gives no second turn that would surely come to this process
                raise NotAccepted("it takes more than one exchange")
            principal, lifetime = str(context.initiator_name), float(context.lifetime)
            service, _, realm = str(context.target_name).rpartition("@")
        except gssapi.exceptions.GSSError as error:
            raise NotAccepted(str(error)) from error
        if service.partition("/")[0] != self._service:
            raise NotAccepted(f"it is for another service than {self._service}")
        return Accepted(principal, lifetime, realm, reply or b"")

    def _credentials(self) -> Any:
        store = {"keytab": f"FILE:{self._keytab}"}
        if self._replays:
            store["rcache"] = f"file2:{self._replays}/used"
        if not self._keytab.is_file():
            raise KeytabMissing(f"there is no keytab {self._keytab}")
        try:
            return self._gssapi.Credentials(usage="accept", store=store)
        except self._gssapi.exceptions.GSSError as error:
            raise KeytabMissing(f"the keytab {self._keytab} can't be used: {error}") from error
