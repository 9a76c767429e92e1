"""The API server as a whole: storage, catalog, rules, controllers and the wire, put together."""

import asyncio
import base64
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import yaml

from gateway_common.clock import Clock, system_clock
from gateway_common.resources import CRDS, NAMESPACES, Manifest
from gateway_common.traefik_crds import traefik_definitions
from gateway_local.apiserver.authentication import Authenticator, ServiceAccountTokens
from gateway_local.apiserver.authorization import Authorizer
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
from gateway_local.apiserver.serving import Listener, self_signed
from gateway_local.apiserver.storage import HISTORY, Storage
from gateway_local.apiserver.terminating import Terminator

_FIRST_NAMESPACES = ("default", "kube-system")


class ApiServer:
    """An embedded Kubernetes API server, on the event loop of whoever starts it.

    `objects` works before and without `start`; garbage collection and the end of namespaces need it, or `begin`.

    Parameters
    ----------
    tokens
        The bearer tokens of whoever may do everything. Empty: any request may, but those with the token of a service
        account, which may always do what the stored roles and bindings allow.
    definitions
        CustomResourceDefinitions to begin with.
    has_traefik
        Whether Traefik's definitions are among them.
    history
        Changes of each resource that watches can go back to.
    clock
        Dates what is created, changed and deleted.
    """

    def __init__(
        self,
        *,
        tokens: Iterable[str] = (),
        definitions: Iterable[Manifest] = (),
        has_traefik: bool = True,
        history: int = HISTORY,
        clock: Clock = system_clock,
    ) -> None:
        self._tokens = tuple(tokens)
        self.storage = Storage(history)
        self.catalog = Catalog([*builtin_kinds(), definitions_kind()])
        follow_definitions(self.catalog, self.storage)
        self.operations = Operations(self.storage, clock)
        self._controllers = (
            GarbageCollector(self.catalog, self.storage, self.operations),
            Terminator(self.catalog, self.storage, self.operations),
        )
        self.objects = Objects(self.catalog, self.storage, self.operations)
        self.faults = Faults()
        self.requests: Counter[tuple[str, str]] = Counter()
        """How many requests there were, by (verb, resource)."""
        self.endpoints = Endpoints(self.storage, self.operations)
        self.service_accounts = ServiceAccountTokens(self.storage)
        self.application = Application(
            self.catalog,
            self.endpoints,
            self.faults,
            Authenticator(self._tokens, self.service_accounts),
            Authorizer(self.storage),
            self.requests,
        )
        self.url = ""
        self.secure_url = ""
        """The same over TLS, where there are tokens: kubectl sends no token in clear text, whoever listens."""
        self.certificate = b""
        """What serves `secure_url`, in PEM: its own authority."""
        self._listeners: list[Listener] = []
        self._tasks: list[asyncio.Task[None]] = []
        for name in _FIRST_NAMESPACES:
            self.objects.create(NAMESPACES, {"metadata": {"name": name}})
        for definition in (*(traefik_definitions() if has_traefik else ()), *definitions):
            self.objects.create(CRDS, definition)

    def register_log_source(self, source: LogSource) -> None:
        """Say where the logs of pods are."""
        self.endpoints.log_source = source

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen; port 0 takes a free one. TLS has a free port of its own. `OSError` when the port is taken."""
        plain = Listener(self.application, host, port)
        self._listeners = [plain]
        self.url = plain.url
        if self._tokens:
            context, self.certificate = self_signed(host)
            secure = Listener(self.application, host, 0, context)
            self._listeners.append(secure)
            self.secure_url = secure.url
        self.begin()
        for listener in self._listeners:
            await listener.start()

    def begin(self) -> None:
        """Collect garbage and end namespaces, without listening: for callers in the same process."""
        self._tasks = [asyncio.create_task(controller.run()) for controller in self._controllers]

    async def stop(self) -> None:
        """End all watches and connections, and listen no longer."""
        for task in self._tasks:
            task.cancel()
        self.storage.close()
        await asyncio.gather(*(listener.stop() for listener in self._listeners))
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._listeners, self._tasks = [], []

    def kubeconfig(self, path: Path, namespace: str = "default") -> Path:
        """Write a kubeconfig for this server, readable by its owner only; the answer is its path."""
        cluster = {"server": self.secure_url or self.url}
        if self.certificate:
            cluster["certificate-authority-data"] = base64.b64encode(self.certificate).decode()
        user = {"token": self._tokens[0]} if self._tokens else {}
        context = {"cluster": "local", "user": "local", "namespace": namespace}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "local", "cluster": cluster}],
            "users": [{"name": "local", "user": user}],
            "contexts": [{"name": "local", "context": context}],
            "current-context": "local",
        }
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(document))
        return path
