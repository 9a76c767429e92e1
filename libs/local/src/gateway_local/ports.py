"""Ports for programs that are told where to listen."""

import random
import socket

#: Below those that Linux gives to outgoing connections (ip_local_port_range): between the look at a port here and the
#: start of the program that is to listen there, none of these becomes the near end of somebody's connection.
_PORTS = range(20_000, 32_768)
_random = random.SystemRandom()
_given: set[int] = set()


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody listens at now, and that this process has not given to anybody else."""
    for port in _random.sample(_PORTS, len(_PORTS)):
        if port not in _given and _is_free(port, host):
            _given.add(port)
            return port
    raise OSError("every port is taken")


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
