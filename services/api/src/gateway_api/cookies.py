"""The gateway's cookies: reading them from a request, writing them to an answer. No I/O."""

import math

from gateway_common.names import DASHBOARD_COOKIE

#: Who a program's user is, for the REST API.
SESSION_COOKIE = "dask-gateway-session"
#: A sign-in that has begun; there may be one in each of several tabs.
LOGIN_COOKIE = "dask-gateway-login-"


def cookie_value(cookies: str | None, name: str) -> str | None:
    """The value of a cookie, if there is one: the first, which is that of the longest path (RFC 6265, 5.4)."""
    if not cookies or name not in cookies:
        return None
    for pair in cookies.split(";"):
        key, _, value = pair.partition("=")
        if key.strip() == name:
            return value.strip().strip('"')
    return None


def set_cookie(name: str, value: str, *, max_age: float, path: str, secure: bool, domain: str = "") -> str:
    """The Set-Cookie header that keeps a cookie for `max_age` seconds; 0 removes it.

    No script can read it, no other site's form or image sends it, and `secure` keeps it off plain HTTP. `domain`: it is
    sent to the hosts below this one, too.
    """
    attributes = f"Max-Age={math.floor(max_age)}; Path={path or '/'}; HttpOnly; SameSite=Lax"
    return f"{name}={value}; {attributes}" + (f"; Domain={domain}" if domain else "") + ("; Secure" if secure else "")


def login_cookie_name(state: str) -> str:
    """Of the sign-in with this state, of which a part is no secret. Characters that no state has are left out."""
    return LOGIN_COOKIE + "".join(c for c in state[:8] if c.isascii() and (c.isalnum() or c in "-_"))


def without_ours(cookies: str) -> str:
    """A Cookie header as a user's own program may see it."""
    pairs = (pair.strip() for pair in cookies.split(";"))
    return "; ".join(pair for pair in pairs if pair and not _is_ours(pair.partition("=")[0].strip()))


def _is_ours(name: str) -> bool:
    return name in (SESSION_COOKIE, DASHBOARD_COOKIE) or name.startswith(LOGIN_COOKIE)
