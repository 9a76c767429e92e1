"""A user's request as authenticator classes know it: the part of aiohttp's that says who is asking."""

from collections.abc import Iterator, Mapping, MutableMapping
from http.cookies import CookieError, SimpleCookie
from types import MappingProxyType
from typing import Any

from multidict import CIMultiDict, CIMultiDictProxy, MultiDictProxy
from yarl import URL

from gateway_auth.authenticators.base import UserRequest


class CustomRequest(MutableMapping[str, Any]):
    """Names and types are those of `aiohttp.web.Request`. As there, it is also a place to keep things by name."""

    def __init__(self, request: UserRequest, app: Any) -> None:
        self.as_received = request
        self.app = app
        self.method = request.method
        self.path = request.path
        self.query_string = request.query
        self.rel_url = URL.build(path=request.path, query_string=request.query, encoded=True)
        self.headers = CIMultiDictProxy(CIMultiDict(request.headers))
        self.remote = request.client or None
        self._state: dict[str, Any] = {}

    @property
    def query(self) -> MultiDictProxy[str]:
        """What comes after the question mark, by name."""
        return self.rel_url.query

    @property
    def cookies(self) -> Mapping[str, str]:
        """By name."""
        try:
            parsed = SimpleCookie(self.headers.get("Cookie", ""))
        except CookieError:
            parsed = SimpleCookie()
        return MappingProxyType({name: morsel.value for name, morsel in parsed.items()})

    def __getitem__(self, key: str) -> Any:
        return self._state[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._state[key] = value

    def __delitem__(self, key: str) -> None:
        del self._state[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._state)

    def __len__(self) -> int:
        return len(self._state)

    def __bool__(self) -> bool:
        return True
