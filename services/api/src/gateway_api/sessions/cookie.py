"""The session cookie: reading it from a request, writing it to an answer. No I/O."""

import math

COOKIE_NAME = "dask-gateway-session"


def session_token(cookies: str | None) -> str | None:
    """The session token in a Cookie header, if there is one."""
    if not cookies or COOKIE_NAME not in cookies:
        return None
    for pair in cookies.split(";"):
        name, _, value = pair.partition("=")
        if name.strip() == COOKIE_NAME:
            return value.strip().strip('"')
    return None


def set_cookie(token: str, *, max_age: float, path: str, secure: bool) -> str:
    """The Set-Cookie header that makes `token` the session for `max_age` seconds.

    No script can read it, no other site's form or image sends it, and `secure` keeps it off plain HTTP.
    """
    attributes = f"Max-Age={math.floor(max_age)}; Path={path or '/'}; HttpOnly; SameSite=Lax"
    return f"{COOKIE_NAME}={token}; {attributes}" + ("; Secure" if secure else "")
