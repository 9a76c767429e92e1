"""Ports for programs that are told where to listen."""

import atexit
import random
import socket
from contextlib import ExitStack

#: Below those that Linux gives to outgoing connections (ip_local_port_range): between the look at a port here and the
#: start of the program that is to listen there, none of these becomes the near end of somebody's connection.
_PORTS = range(20_000, 32_768)
_random = random.SystemRandom()
#: What says to other processes that a port is given away; it ends with this process, however that ends.
_claims = ExitStack()
atexit.register(_claims.close)


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody listens at now, and that no running process of ours has given to anybody."""
    for port in _random.sample(_PORTS, len(_PORTS)):
        if _claim(port) and _is_free(port, host):
            return port
    raise OSError("every port is taken")


def _claim(port: int) -> bool:
    """Take a port before its program listens there: another gateway that starts now must not choose it, too."""
    claim = socket.socket(socket.AF_UNIX)
    try:
        # a name that is no file (unix(7), "abstract")
        claim.bind(f"\0dask-gateway-local/port/{port}")
    except OSError:
        claim.close()
        return False
    _claims.enter_context(claim)
    return True


def check_free(port: int, host: str = "127.0.0.1") -> None:
    """Raise OSError if somebody listens at the port."""
    with socket.socket() as probe:
        # what a server would do: connections that are winding down do not count as taken
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))


def _is_free(port: int, host: str) -> bool:
    try:
        check_free(port, host)
    except OSError:
        return False
    return True
