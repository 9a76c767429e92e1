"""Ports for programs that are told where to listen."""

import socket


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens at now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
