"""Which user names the gateway takes, whoever vouches for them."""

import unicodedata

from gateway_common.errors import GatewayError

#: As long as the longest name in Kubernetes; names end up in objects, logs and signed tokens.
MAX_LENGTH = 253

# control characters, lone surrogates, line and paragraph separators: they would break log lines and JSON
_REFUSED_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})


class InvalidUserName(GatewayError, ValueError):
    """A name that no user of the gateway can have. The text is for the user and does not repeat the name."""


def check_user_name(name: str) -> None:
    """Raise InvalidUserName unless `name` can be a user's."""
    if not name:
        raise InvalidUserName("The user name is empty.")
    if len(name) > MAX_LENGTH:
        raise InvalidUserName(f"The user name is longer than {MAX_LENGTH} characters.")
    if any(unicodedata.category(character) in _REFUSED_CATEGORIES for character in name):
        raise InvalidUserName("The user name holds a control character.")
