"""Users' own passwords, as bcrypt hashes."""

import hashlib
import logging
import re
import secrets
from collections.abc import Mapping
from pathlib import Path

import bcrypt

from gateway_common.configuration.auth import PASSWORD_HASH
from gateway_common.errors import InvalidConfig

logger = logging.getLogger(__name__)

_HASH = re.compile(PASSWORD_HASH)
#: bcrypt reads no more of a password; longer ones count by these, as they do for `htpasswd`.
_LONGEST = 72


class PasswordHashes:
    """Who has which hash, by the configuration and by a file, which is read again when it has changed.

    Raises InvalidConfig for a file that can't be read or is wrong when it is read first. Later the log says so, and
    what it said before holds.
    """

    def __init__(self, users: Mapping[str, str], file: Path | None = None) -> None:
        self._configured = {name: text.encode() for name, text in users.items()}
        self._file = file
        self._stamp: tuple[int, int] | None = None
        self._from_file: dict[str, bytes] = {}
        self._secret = secrets.token_bytes(32)
        if file is not None:
            self._read(file)

    def __bool__(self) -> bool:
        return bool(self._configured) or self._file is not None

    def find(self, user: str) -> bytes | None:
        """A user's hash. The file wins, since it can be changed while we run."""
        if self._file is not None:
            try:
                self._read(self._file)
            except InvalidConfig as error:
                logger.error("%s: what it said before holds", error)
        return self._from_file.get(user) or self._configured.get(user)

    def of_another(self, user: str) -> bytes | None:
        """Somebody's hash, for a user who has none; None where nobody has one.

        Comparing takes as long as the hash says, which differs. Each unknown user has one that stays, as a known one
        has, so that the time says nothing about who is known.
        """
        known = list((self._configured | self._from_file).values())
        if not known:
            return None
        chosen = hashlib.blake2b(user.encode("utf-8", "surrogatepass"), key=self._secret).digest()
        return known[int.from_bytes(chosen, "big") % len(known)]

    def _read(self, file: Path) -> None:
        try:
            status = file.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            if stamp == self._stamp:
                return
            self._stamp = stamp
            text = file.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidConfig(f"{file} can't be read: {error}") from error
        self._from_file = dict(_entry(file, number, line) for number, line in _lines(text))


def matches(password: bytes, hashed: bytes) -> bool:
    """Whether it is the password. Takes a quarter of a second of CPU at the usual cost of 12: not for an event loop."""
    return bcrypt.checkpw(password[:_LONGEST].partition(b"\0")[0], hashed)


def _lines(text: str) -> list[tuple[int, str]]:
    lines = ((number, line.strip()) for number, line in enumerate(text.splitlines(), start=1))
    return [(number, line) for number, line in lines if line and not line.startswith("#")]


def _entry(file: Path, number: int, line: str) -> tuple[str, bytes]:
    name, colon, hashed = line.partition(":")
    if not name or not colon or not _HASH.fullmatch(hashed):
        # the line itself may be a password that somebody forgot to hash
        raise InvalidConfig(f"{file}, line {number}: expected name:hash, as `htpasswd -nB` prints it")
    return name, hashed.encode()
