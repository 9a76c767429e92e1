"""Ways into the cluster's network for what can't see it: programs that are not Python, and this machine's users.

`SocksProxy` takes connections to names of services, by way of the variable HTTP_PROXY. `Gates` listens where a service
of type NodePort or LoadBalancer says that it can be reached. Both hand bytes on to a ready pod, chosen at random.
"""

import asyncio
import contextlib
import errno
import logging
import random
import socket
from collections.abc import Callable, Coroutine
from typing import Any

from gateway_common.resources import SERVICES, Manifest
from gateway_local.apiserver.errors import StatusError
from gateway_local.apiserver.objects import Objects
from gateway_local.kubelet.addresses import AddressRange
from gateway_local.kubelet.services import Key, ServiceTable

_CHUNK = 64 * 1024
_SUFFIXES = (".svc.cluster.local", ".svc")
#: SOCKS 5: the version, a command, a sort of address, an answer, and the address in it that nobody reads.
_VERSION, _CONNECT, _NAME, _UNREACHABLE, _NOWHERE = 5, 1, 3, 4, (0, 1, 0, 0, 0, 0, 0, 0)

log = logging.getLogger(__name__)
_random = random.SystemRandom()

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Door = tuple[str, int, str]
"""Where connections come in: (address, port, name of the service's port)."""


class Relays:
    """Connections that are handed on, and the sockets where they come in."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def listen(self, listening: socket.socket, handle: Callable[..., Coroutine[Any, Any, None]]) -> asyncio.Task[None]:
        """Call `handle` with the streams of each connection, until the task that is answered is cancelled."""
        return self._spawn(self._serve(listening, handle))

    async def stop(self) -> None:
        """Close everything."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _serve(self, listening: socket.socket, handle: Callable[..., Coroutine[Any, Any, None]]) -> None:
        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self._spawn(handle(reader, writer))

        server = await asyncio.start_server(connected, sock=listening)
        try:
            await asyncio.Event().wait()
        finally:
            server.close()


class SocksProxy:
    """A SOCKS 5 proxy (RFC 1928) to services by their names, for clients that leave names to their proxy."""

    def __init__(self, table: ServiceTable, relays: Relays, host: str) -> None:
        self._table = table
        listening = socket.create_server((host, 0))
        self.url = f"socks5://{host}:{listening.getsockname()[1]}"
        relays.listen(listening, self._handle)

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            _, count = await reader.readexactly(2)
            await reader.readexactly(count)  # ways to say who one is, of which we take: not at all
            writer.write(bytes([_VERSION, 0]))
            version, command, _, kind = await reader.readexactly(4)
            if (version, command, kind) != (_VERSION, _CONNECT, _NAME):
                raise LookupError("only connections to names are handed on")
            (length,) = await reader.readexactly(1)
            name = (await reader.readexactly(length)).decode("ascii")
            port = int.from_bytes(await reader.readexactly(2))
            peer = await asyncio.open_connection(*self._choose(name, port))
        except (OSError, ValueError, LookupError, asyncio.IncompleteReadError) as error:
            log.info("nobody to hand a connection on to: %s", error)
            writer.write(bytes([_VERSION, _UNREACHABLE, *_NOWHERE]))
            await _close(writer)
            return
        writer.write(bytes([_VERSION, 0, *_NOWHERE]))
        await _exchange((reader, writer), peer)

    def _choose(self, host: str, port: int) -> tuple[str, int]:
        """A backend of the service that a name means; `LookupError` when there is none."""
        for suffix in _SUFFIXES:
            host = host.removesuffix(suffix)
        name, _, namespace = host.partition(".")
        service = self._table.find((namespace, name))
        ports = service["spec"].get("ports") or [] if service else []
        found = next((p for p in ports if p["port"] == port), None)
        if found is None:
            raise LookupError(f"no service {host}:{port}")
        return _random.choice(self._table.backends((namespace, name), found.get("name") or ""))


class Gates:
    """Listens for services that are open to the outside, and says in their status where.

    Parameters
    ----------
    addresses
        The node's own is where node ports are; a service of type LoadBalancer gets a further one.
    """

    def __init__(self, objects: Objects, table: ServiceTable, relays: Relays, addresses: AddressRange) -> None:
        self._objects = objects
        self._table = table
        self._relays = relays
        self._range = addresses
        self._addresses: dict[Key, str] = {}
        self._open: dict[Key, dict[Door, asyncio.Task[None] | OSError]] = {}
        table.listen(self._changed)

    def _changed(self, key: Key) -> None:
        service = self._table.find(key)
        wanted = self._doors(key, service) if service else set()
        doors = self._open.setdefault(key, {})
        for door in doors.keys() - wanted:
            if isinstance(task := doors.pop(door), asyncio.Task):
                task.cancel()
        for door in wanted - doors.keys():
            doors[door] = self._listen(key, door)
        if service is not None and service["spec"]["type"] == "LoadBalancer":
            self._report(service, self._addresses[key], doors)
        elif address := self._addresses.pop(key, None):
            self._range.release(address)

    def _doors(self, key: Key, service: Manifest) -> set[Door]:
        spec = service["spec"]
        ports = [port for port in spec.get("ports") or [] if port.get("protocol", "TCP") == "TCP"]
        node = self._range.node_address
        doors = {(node, port["nodePort"], port.get("name") or "") for port in ports if port.get("nodePort")}
        if spec["type"] == "LoadBalancer":
            if key not in self._addresses:
                self._addresses[key] = self._range.allocate()
            doors |= {(self._addresses[key], port["port"], port.get("name") or "") for port in ports}
        return doors

    def _listen(self, key: Key, door: Door) -> asyncio.Task[None] | OSError:
        address, port, name = door
        try:
            listening = socket.create_server((address, port))
        except OSError as error:  # ports below 1024 may be root's alone
            log.warning("service %s/%s can't be reached at %s:%d: %s", *key, address, port, error.strerror)
            return error

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                peer = await asyncio.open_connection(*_random.choice(self._table.backends(key, name)))
            except (OSError, IndexError):
                await _close(writer)
                return
            await _exchange((reader, writer), peer)

        return self._relays.listen(listening, handle)

    def _report(self, service: Manifest, address: str, doors: dict[Door, asyncio.Task[None] | OSError]) -> None:
        ports = [
            {"port": port, "protocol": "TCP"}
            | ({"error": errno.errorcode[state.errno or errno.EIO]} if isinstance(state, OSError) else {})
            for (host, port, _), state in sorted(doors.items(), key=lambda item: item[0])
            if host == address
        ]
        status = {"loadBalancer": {"ingress": [{"ip": address, "ipMode": "VIP", "ports": ports}]}}
        if (service.get("status") or {}).get("loadBalancer") == status["loadBalancer"]:
            return
        metadata = service["metadata"]
        with contextlib.suppress(StatusError):  # it is gone: the next thing to be told
            self._objects.patch(SERVICES, metadata["namespace"], metadata["name"], {"status": status}, "status")


async def _exchange(left: Streams, right: Streams) -> None:
    """Hand bytes on in both directions until both have ended."""
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_pump(left[0], right[1]))
            tasks.create_task(_pump(right[0], left[1]))
    finally:
        for _, writer in (left, right):
            await _close(writer)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError):
        writer.write_eof()


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
