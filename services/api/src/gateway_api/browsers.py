"""Browsers, which send credentials on behalf of whichever page asks.

Pages of users' clusters are as good as pages of strangers, and they are on the gateway's own host. So the REST API
lends a browser nothing that it would send by itself: neither a session cookie nor a challenge that the browser would
answer from memory. Credentials that a page's script was given and sends itself, as the Swagger UI does, are fine.

`Sec-` headers can't be set by a page's script (Fetch Metadata Request Headers, 2); browsers leave them out on plain
HTTP, where the User-Agent has to tell.
"""

from collections.abc import Mapping

#: Schemes that a browser answers by itself, or by asking the user in its own words.
_NATIVE = frozenset({"basic", "digest", "negotiate", "ntlm"})


def is_browser(headers: Mapping[str, str]) -> bool:
    """Whether a browser sent it, and not a program."""
    return "sec-fetch-site" in headers or headers.get("user-agent", "").startswith("Mozilla/")


def is_navigation(method: str, headers: Mapping[str, str]) -> bool:
    """Whether the answer will be shown as a page, so that a redirect to another site gets somewhere."""
    mode = headers.get("sec-fetch-mode")
    if mode is not None:
        return method == "GET" and mode == "navigate"
    return method == "GET" and "sec-websocket-key" not in headers and "text/html" in headers.get("accept", "")


def is_from_another_site(host: str, method: str, headers: Mapping[str, str]) -> bool:
    """Whether a page elsewhere asks for something that is not to be shown as a page of its own.

    Browsers send cached passwords along with these, and the cookie rules know nothing of ports.
    """
    if is_navigation(method, headers):
        return False
    if headers.get("sec-fetch-site") == "cross-site":
        return True
    origin = headers.get("origin")
    # a websocket is not held to the same-origin policy: only its Origin says whose it is (RFC 6455, 10.2)
    return origin is not None and origin.partition("://")[2] != host


def inert(challenges: tuple[str, ...]) -> tuple[str, ...]:
    """The challenges in a form that people can read and browsers do not act on."""
    return tuple(f"x-{each}" if _scheme(each) in _NATIVE else each for each in challenges)


def native(challenges: tuple[str, ...], realm: str) -> tuple[str, ...]:
    """The challenges as browsers need them: what a user types in is for this realm only (RFC 9110, 11.5)."""
    return tuple(f'Basic realm="{realm}", charset="UTF-8"' if _scheme(each) == "basic" else each for each in challenges)


def are_for_browsers(challenges: tuple[str, ...]) -> bool:
    """Whether a browser can answer one of them by itself."""
    return any(_scheme(each) in _NATIVE for each in challenges)


def _scheme(challenge: str) -> str:
    return challenge.partition(" ")[0].lower()
