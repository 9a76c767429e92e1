"""The Basic scheme (RFC 7617): reading credentials, whatever a client made of them."""

import binascii
from base64 import b64decode
from dataclasses import dataclass, field


class MalformedCredentials(ValueError):
    """An Authorization header that is not Basic credentials. The text holds no part of it."""


@dataclass(frozen=True, slots=True)
class BasicCredentials:
    """A user's name, and the password as it was sent: its encoding is the client's choice."""

    user: str
    password: bytes = field(repr=False)


def parse_basic(header: str) -> BasicCredentials:
    """The credentials in an Authorization header; raises MalformedCredentials."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        raise MalformedCredentials("not the Basic scheme")
    try:
        decoded = b64decode(encoded.strip(" "), validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedCredentials("not base64") from error
    user, colon, password = decoded.partition(b":")
    if not colon:
        raise MalformedCredentials("no colon between name and password")
    return BasicCredentials(_decode(user), password)


def claimed_user(header: str) -> str:
    """Whose credentials these would be if they were good; empty where that can't be seen."""
    try:
        return parse_basic(header).user
    except MalformedCredentials:
        return ""


def _decode(data: bytes) -> str:
    # RFC 7617, 2.1 leaves the encoding open. The clients of the gateway have always sent Latin-1, browsers
    # and curl send UTF-8, and a Latin-1 name that happens to be valid UTF-8 is rare enough.
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")
