"""The API server as a whole: storage, catalog, rules, controllers and the wire, put together."""

import asyncio
import contextlib
import socket
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import uvicorn
import yaml

from gateway_common.resources import CRDS, NAMESPACES
from gateway_local.apiserver.builtin import builtin_kinds
from gateway_local.apiserver.catalog import Catalog
from gateway_local.apiserver.crds import definitions_kind, follow_definitions
from gateway_local.apiserver.endpoints import Endpoints
from gateway_local.apiserver.faults import Faults
from gateway_local.apiserver.garbage import GarbageCollector
from gateway_local.apiserver.http import Application
from gateway_local.apiserver.objects import Objects
from gateway_local.apiserver.operations import Operations
from gateway_local.apiserver.podlogs import LogSource
from gateway_local.apiserver.storage import HISTORY, Storage
from gateway_local.apiserver.terminating import Terminator
from gateway_local.apiserver.traefik_crds import traefik_definitions

Manifest = dict[str, Any]

_FIRST_NAMESPACES = ("default", "kube-system")


class ApiServer:
    """An embedded Kubernetes API server, on the event loop of whoever starts it.

    Parameters
    ----------
    tokens
        The bearer tokens that are accepted. Empty: any request is, with a token or without.
    definitions
        CustomResourceDefinitions to begin with, beside Traefik's.
    history
        Changes of each resource that watches can go back to.
    """

    def __init__(
        self, *, tokens: Iterable[str] = (), definitions: Iterable[Manifest] = (), history: int = HISTORY
    ) -> None:
        self._tokens = tuple(tokens)
        self.storage = Storage(history)
        self.catalog = Catalog([*builtin_kinds(), definitions_kind()])
        follow_definitions(self.catalog, self.storage)
        self.operations = Operations(self.storage)
        self._controllers = (
            GarbageCollector(self.catalog, self.storage, self.operations),
            Terminator(self.catalog, self.storage, self.operations),
        )
        self.objects = Objects(self.catalog, self.storage, self.operations)
        self.faults = Faults()
        self.requests: Counter[tuple[str, str]] = Counter()
        self.endpoints = Endpoints(self.storage, self.operations)
        self.application = Application(self.catalog, self.endpoints, self.faults, self._tokens, self.requests)
        self.url = ""
        self._server: _Server | None = None
        self._tasks: list[asyncio.Task[None]] = []
        for name in _FIRST_NAMESPACES:
            self.objects.create(NAMESPACES, {"metadata": {"name": name}})
        for definition in (*traefik_definitions(), *definitions):
            self.objects.create(CRDS, definition)

    def register_log_source(self, source: LogSource) -> None:
        """Say where the logs of pods are."""
        self.endpoints.log_source = source

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen; port 0 takes a free one. Raises `OSError` when the port is taken."""
        listener = _listen(host, port)
        server = _Server(
            uvicorn.Config(
                self.application,
                http="httptools",
                lifespan="off",
                log_config=None,
                access_log=False,
                timeout_keep_alive=3600,
                timeout_graceful_shutdown=2,
            )
        )
        self.url = f"http://{host}:{listener.getsockname()[1]}"
        self._server = server
        self._tasks = [asyncio.create_task(controller.run()) for controller in self._controllers]
        self._tasks.append(asyncio.create_task(server.serve(sockets=[listener]), name="kubernetes API server"))
        await server.listening.wait()

    async def stop(self) -> None:
        """End all watches and connections, and listen no longer."""
        if self._server is None:
            return
        *controllers, serving = self._tasks
        for task in controllers:
            task.cancel()
        self.storage.close()
        self._server.should_exit = True
        self._server = None
        await asyncio.gather(serving, *controllers, return_exceptions=True)

    def kubeconfig(self, path: Path, namespace: str = "default") -> Path:
        """Write a kubeconfig for this server, readable by its owner only; the answer is its path."""
        user = {"token": self._tokens[0]} if self._tokens else {}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "local", "cluster": {"server": self.url}}],
            "users": [{"name": "local", "user": user}],
            "contexts": [{"name": "local", "context": {"cluster": "local", "user": "local", "namespace": namespace}}],
            "current-context": "local",
        }
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(document))
        return path


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket. It names TCP: asyncio sets TCP_NODELAY only then, and without it each answer waits 40 ms."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    listener.listen(2048)
    return listener


class _Server(uvicorn.Server):
    """A uvicorn that leaves signals to its owner and says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the business of the process, of which this is a part."""
        yield
