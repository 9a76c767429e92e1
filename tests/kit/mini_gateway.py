"""The REST API of a gateway as its clients see it, over real HTTP, with records that a test writes itself."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.kit.scripted_server import Exchange, ScriptedServer, scripted_server

Answer = tuple[int, Any]


def cluster_record(name: str, status: str = "RUNNING", **changes: Any) -> dict[str, Any]:
    """A cluster as the v1 API sends it."""
    running = status == "RUNNING"
    record = {
        "name": name,
        "dashboard_route": f"/clusters/{name}/status" if running else None,
        "status": status,
        "start_time": 1_700_000_000_000,
        "stop_time": None,
        "options": {},
        "tls_cert": "CERT" if running else None,
        "tls_key": "KEY" if running else None,
    }
    return {**record, **changes}


@dataclass
class MiniGateway:
    """Answers from ``clusters``, ``options`` and, before these, ``answers`` by (method, path)."""

    clusters: dict[str, dict[str, Any]] = field(default_factory=dict)
    options: list[dict[str, Any]] = field(default_factory=list)
    answers: dict[tuple[str, str], list[Answer]] = field(default_factory=dict)
    credentials: str = ""  # the Authorization header that is asked for, if any
    token: str = "secret"  # of the clusters' own schedulers
    new_cluster: dict[str, Any] = field(default_factory=lambda: cluster_record("default.new"))
    exchanges: list[Exchange] = field(default_factory=list)
    server: ScriptedServer | None = None

    @property
    def url(self) -> str:
        assert self.server
        return self.server.url

    def bodies(self, method: str, path: str) -> list[Any]:
        """The JSON that was sent with each such request that came through authentication."""
        found = [e for e in self.exchanges if (e.method, e.path) == (method, path)]
        return [json.loads(e.body) if e.body else None for e in found]

    async def handle(self, exchange: Exchange) -> None:
        if not self._authenticated(exchange):
            await exchange.answer(401, {"error": "Authentication required"}, www_authenticate="Basic")
            return
        self.exchanges.append(exchange)
        status, body = self._answer(exchange)
        await exchange.answer(status, body, set_cookie="session=known; HttpOnly; Path=/")

    def _authenticated(self, exchange: Exchange) -> bool:
        headers = exchange.headers
        if not self.credentials or "session=known" in headers.get("cookie", ""):
            return True
        return headers.get("authorization") in {self.credentials, f"token {self.token}"}

    def _answer(self, exchange: Exchange) -> Answer:  # noqa: PLR0911 (one a route)
        scripted = self.answers.get((exchange.method, exchange.path))
        if scripted:
            return scripted.pop(0)
        match exchange.method, exchange.path.removeprefix("/api/").split("/"):
            case "GET", ["version"]:
                return 200, {"version": "1.0"}
            case "GET", ["v1", "options"]:
                return 200, {"cluster_options": self.options}
            case "GET", ["v1" | "v2", "clusters", ""]:
                return 200, self.clusters
            case "POST", ["v1", "clusters", ""]:
                name = self.new_cluster["name"]
                self.clusters[name] = self.new_cluster
                return 201, {"name": name}
            case "GET", ["v1" | "v2", "clusters", name] if name in self.clusters:
                return 200, self.clusters[name]
            case "DELETE", ["v1", "clusters", name]:
                self.clusters.pop(name, None)
                return 204, b""
            case "POST", ["v1", "clusters", _, "heartbeat"]:
                return 200, b""
            case "POST", ["v1", "clusters", name, "scale" | "adapt"] if name in self.clusters:
                return 200, {"ok": True, "msg": None}
            case _, ["v1", "clusters", name, *_]:
                return 404, {"error": f"Cluster {name} not found"}
        return 404, {"error": "Not Found"}


@asynccontextmanager
async def mini_gateway(**state: Any) -> AsyncIterator[MiniGateway]:
    gateway = MiniGateway(**state)
    async with scripted_server(gateway.handle) as gateway.server:
        yield gateway
