"""A pod's network and mounts, as far as one Python process can see them.

Python imports this file by itself when it starts, because the kubelet puts its directory first on PYTHONPATH;
children (subprocess, multiprocessing by fork or spawn) inherit that. Pods have no network namespace of their own
here, only a loopback address each, so in every Python process of a pod:

- "all addresses" is the pod's address: side by side, pods listen on the same ports;
- there is no IPv6, the hostname is the pod's name, and "which address am I" answers the pod's address;
- connections to the machine come from the pod's address;
- names of services resolve from the kubelet's files, `dns/<namespace>/<service>`, one address a word, and connections
  to the address of a service go to an endpoint behind it, from `proxy/<address>:<port>`;
- files under a mount path are looked up in the directory that stands for the volume.

It must stay small (it runs at the start of every process), import nothing but the standard library, and work on
Python 3.9 and newer. Its limits: programs that are not Python, and libraries that do their own networking in C, see
the machine's network (uvloop is one: asyncio takes its place, see `uvloop.py` beside this file); `open`, the common
functions of `os` and TLS know the mounts, other C libraries don't, so the kubelet rewrites mount paths in commands and
environment, too. 127.0.0.1 is shared with the machine: what listens
there does so for all pods.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
from _socket import socket as kernel

TYPE_CHECKING = False  # typing would take longer to import than all the rest
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

ENV = "GATEWAY_LOCAL_POD_"
IP = os.environ.get(ENV + "IP", "")
HOSTNAME = os.environ.get(ENV + "HOSTNAME", "")
NAMESPACE = os.environ.get(ENV + "NAMESPACE", "")
CLUSTER = os.environ.get(ENV + "CLUSTER", "")  # the directory of dns/ and proxy/
# "mount path\tdirectory" a line, the deepest first
MOUNTS = [line.split("\t") for line in os.environ.get(ENV + "MOUNTS", "").splitlines()]
# directories that are where they are: the kubelet's, and those that Python and its packages are in
KEPT = tuple(
    filter(None, [*os.environ.get(ENV + "KEPT", "").split(os.pathsep), sys.prefix, sys.base_prefix, *sys.path])
)
IP_BIND_ADDRESS_NO_PORT = 24  # linux/in.h; the socket module names it from Python 3.11 on

read_file = open
system_getaddrinfo = socket.getaddrinfo


def cluster_addresses(host: str) -> list[str] | None:
    """What cluster DNS answers: addresses, [] when there are none, None for a name that is not its to answer."""
    name = host.rstrip(".").lower()
    if name == HOSTNAME:
        return [IP]
    if "/" in name or ":" in name or not name.strip("0123456789."):
        return None
    labels = name.split(".")
    ours = False
    for suffix in (["cluster", "local"], ["svc"]):
        if labels[-len(suffix) :] == suffix:
            del labels[-len(suffix) :]
            ours = True
    if len(labels) == 1 and not ours:
        labels.append(NAMESPACE)
    if len(labels) != 2:
        return [] if ours else None
    namespace = os.path.join(CLUSTER, "dns", labels[1])
    try:
        with read_file(os.path.join(namespace, labels[0])) as record:
            return record.read().split()
    except OSError:
        # a resolver would ask the world for svc.ns, wait, and hear the same
        return [] if ours or ("." in name and os.path.isdir(namespace)) else None


def getaddrinfo(host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0) -> list[Any]:  # noqa: A002  # its real names
    if isinstance(host, (bytes, bytearray)):
        host = host.decode("idna")
    addresses = cluster_addresses(host) if host else None
    if not host and flags & socket.AI_PASSIVE:
        addresses = [IP]
    found = [
        info
        for address in ([host] if addresses is None else addresses)
        for info in system_getaddrinfo(address, port, family, type, proto, flags)
        if info[0] != socket.AF_INET6
    ]
    if not found:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    return found


def gethostbyname(host: str) -> str:
    return getaddrinfo(host, None, socket.AF_INET)[0][4][0] if host else "0.0.0.0"  # noqa: S104  # as the original


def gethostbyname_ex(host: str) -> tuple[str, list[str], list[str]]:
    infos = getaddrinfo(host, None, socket.AF_INET, socket.SOCK_STREAM)
    return host, [], [info[4][0] for info in infos]


def pod_listens(port: int) -> bool:
    """Whether something of this pod listens on the port: only then can't it be bound once more."""
    trial = kernel(socket.AF_INET, socket.SOCK_STREAM)
    try:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        trial.bind((IP, port))
    except OSError as error:
        return error.errno == errno.EADDRINUSE
    finally:
        trial.close()
    return False


def destination(address: tuple[str, int]) -> tuple[str, int]:
    """Where a connection to this address goes from inside of the pod."""
    host, port = address
    addresses = cluster_addresses(host) if host else None
    if addresses:
        host = addresses[0]
    if host in ("", "0.0.0.0") or (host in ("localhost", "127.0.0.1") and pod_listens(port)):  # noqa: S104
        return IP, port
    if host.startswith("127."):
        return host, port
    try:
        with read_file(os.path.join(CLUSTER, "proxy", "%s:%d" % (host, port))) as endpoints:  # noqa: UP031  # quick
            choices = endpoints.read().splitlines()
    except OSError:  # not the address of a service
        return host, port
    if not choices:
        raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused: the service has no endpoints")
    endpoint, target = choices[os.urandom(1)[0] % len(choices)].split()  # at random, as kube-proxy does
    return endpoint, int(target)


class PodSocket(socket.socket):
    """The methods that `socket.socket` gets in a pod. They stay thin: every connection passes here."""

    def bind(self, address: Any) -> None:
        if self.family == socket.AF_INET and address[0] in ("", "0.0.0.0"):  # noqa: S104
            address = (IP, address[1])
        elif self.family == socket.AF_INET6:
            raise OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address: a pod has no IPv6")
        return kernel.bind(self, address)

    def _dial(self, method: Callable[[kernel, Any], Any], address: Any) -> Any:
        if self.family != socket.AF_INET:
            return method(self, address)
        address = destination(address)
        # only local peers can be reached from a loopback address
        if address[0].startswith("127.") and kernel.getsockname(self) == ("0.0.0.0", 0):  # noqa: S104
            # the port is chosen by connect, which can share one between different peers
            self.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
            kernel.bind(self, (IP, 0))
        try:
            return method(self, address)
        except OSError as error:
            if error.errno != errno.ENETUNREACH or self.type != socket.SOCK_DGRAM:
                raise
            # a pod always has a route; its datagrams may get lost. This is how programs ask for their own address
            return kernel.bind(self, (IP, 0))

    def connect(self, address: Any) -> None:
        self._dial(kernel.connect, address)

    def connect_ex(self, address: Any) -> int:
        code: int = self._dial(kernel.connect_ex, address)
        return code

    def getsockname(self) -> Any:
        address = kernel.getsockname(self)
        if self.family == socket.AF_INET and not address[0].startswith(("127.", "0.")):
            return IP, address[1]
        return address


def install_network() -> None:
    for name in ("bind", "_dial", "connect", "connect_ex", "getsockname"):
        setattr(socket.socket, name, getattr(PodSocket, name))
    socket.has_ipv6 = False
    socket.getaddrinfo = getaddrinfo
    socket.gethostbyname = gethostbyname
    socket.gethostbyname_ex = gethostbyname_ex
    socket.gethostname = lambda: HOSTNAME
    system, _, *rest = os.uname()
    names = os.uname_result((system, HOSTNAME, *rest))
    os.uname = lambda: names


def translate(path: Any) -> Any:
    """A path below a mount path, as it really is. What is real already stays, whatever is mounted above (/tmp, say)."""
    name = os.fspath(path) if isinstance(path, (str, os.PathLike)) else None
    if isinstance(name, str):
        for mount, directory in MOUNTS:
            if name == mount or name.startswith(mount + "/"):
                return path if name.startswith(KEPT) else directory + name[len(mount) :]
    return path


class Translating:
    """A function of `os` or `io` that translates its paths. Like the original, and unlike a function, no descriptor."""

    def __init__(self, function: Any) -> None:
        self.function = function
        self.__name__ = function.__name__

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        kwargs = {name: translate(value) for name, value in kwargs.items()}
        return self.function(*map(translate, args), **kwargs)


def install_mounts() -> None:
    import builtins  # noqa: PLC0415  # most pods have no mounts
    import io  # noqa: PLC0415

    builtins.open = io.open = Translating(open)
    reading = ("open", "stat", "lstat", "access", "listdir", "scandir", "readlink", "listxattr", "getxattr")
    writing = ("mkdir", "rmdir", "remove", "unlink", "rename", "replace", "chmod", "utime")
    for name in reading + writing:
        original = getattr(os, name)
        function = Translating(original)
        setattr(os, name, function)
        for abilities in (os.supports_dir_fd, os.supports_fd, os.supports_follow_symlinks, os.supports_effective_ids):
            if original in abilities:
                abilities.add(function)
    install_certificates()


def install_certificates() -> None:
    """OpenSSL opens files by itself: the paths are translated before it sees them."""
    import ssl  # noqa: PLC0415

    def translating(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            return method(*map(translate, args), **{name: translate(value) for name, value in kwargs.items()})

        return call

    for name in ("load_verify_locations", "load_cert_chain"):
        setattr(ssl.SSLContext, name, translating(getattr(ssl.SSLContext, name)))


def run_other_sitecustomize() -> None:
    """The image may have a sitecustomize of its own, which this one hides."""
    from importlib.machinery import PathFinder  # noqa: PLC0415

    here = os.path.dirname(os.path.abspath(__file__))
    spec = PathFinder.find_spec("sitecustomize", [path for path in sys.path if os.path.abspath(path) != here])
    if spec is not None and spec.loader is not None:
        module = type(sys)("sitecustomize")
        module.__file__ = spec.origin
        spec.loader.exec_module(module)


if IP:
    install_network()
    if MOUNTS:
        install_mounts()
run_other_sitecustomize()
