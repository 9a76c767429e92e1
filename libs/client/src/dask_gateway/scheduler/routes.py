"""The HTTP server that the gateway's API talks to: ``POST /api/comm`` and ``GET /api/health``."""

import hmac
import json
from typing import TYPE_CHECKING, Any

from tornado import web

if TYPE_CHECKING:
    from dask_gateway.scheduler.service import GatewaySchedulerService


def make_application(service: "GatewaySchedulerService", token: str) -> web.Application:
    """The server's routes; ``token`` is what the gateway's API must show."""
    return web.Application(
        [
            ("/api/comm", CommandHandler, {"service": service, "token": token}),
            ("/api/health", HealthHandler),
        ],
        log_function=lambda handler: None,  # a probe a second is no news
    )


class HealthHandler(web.RequestHandler):
    """Says that the scheduler's event loop is alive. Needs no token."""

    async def get(self) -> None:
        """Answer 200."""
        self.finish({"status": "pass"})


class CommandHandler(web.RequestHandler):
    """Takes the gateway's commands.

    ``{"op": "scale", "count": 3}``, with ``"group": "gpu"`` where a group's workers are meant, and
    ``{"op": "adapt", "minimum": 1, ...}``.
    """

    def initialize(self, service: "GatewaySchedulerService", token: str) -> None:
        """Take the route's arguments."""
        self.service = service
        self.expected = f"token {token}".encode()

    def prepare(self) -> None:
        """Let nobody in but the gateway."""
        shown = self.request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(shown, self.expected):
            raise web.HTTPError(403, reason="Forbidden")

    async def post(self) -> None:
        """Carry out one command; 422 with a message when it makes no sense."""
        try:
            self._carry_out(parse_command(self.request.body))
        except ValueError as error:
            self.set_status(422)
            self.finish({"error": str(error)})

    def _carry_out(self, command: dict[str, Any]) -> None:
        match command["op"]:
            case "scale":
                self.service.scale(command["count"], command["group"])
            case "adapt":
                self.service.adapt(command["minimum"], command["maximum"], command["active"])


def parse_command(body: bytes) -> dict[str, Any]:
    """Read and complete a command; ``ValueError`` says what is wrong with it."""
    try:
        message = json.loads(body)
    except ValueError:
        raise ValueError("the body must be a JSON object") from None
    if not isinstance(message, dict):
        raise ValueError("the body must be a JSON object")
    match message.get("op"):
        case "scale":
            return {"op": "scale", "count": _worker_count(message, "count"), "group": _group(message)}
        case "adapt":
            bounds = {
                key: None if message.get(key) is None else _worker_count(message, key) for key in ("minimum", "maximum")
            }
            return {"op": "adapt", **bounds, "active": bool(message.get("active", True))}
    raise ValueError("op must be one of {scale, adapt}")


def _group(message: dict[str, Any]) -> str:
    group = message.get("group") or ""
    if not isinstance(group, str):
        raise ValueError(f"group must be a name, got {group!r}")
    return group


def _worker_count(message: dict[str, Any], key: str) -> int:
    count = message.get(key)
    if not isinstance(count, int) or isinstance(count, bool) or count < 0:
        raise ValueError(f"{key} must be a non-negative integer, got {count!r}")
    return count
