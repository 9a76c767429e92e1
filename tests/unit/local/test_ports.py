"""Ports that are given to programs which listen a while later."""

import os
import subprocess
import sys

import pytest

from gateway_local import ports


def test_two_processes_are_never_given_the_same_port(monkeypatch: pytest.MonkeyPatch) -> None:
    first = 10_000 + os.getpid() % 1000 * 8
    few = range(first, first + 8)  # below those that are given to anybody else meanwhile, another run's among them
    monkeypatch.setattr(ports, "_PORTS", few)
    own = [ports.free_port() for _ in range(3)]
    program = (
        "from gateway_local import ports\n"
        f"ports._PORTS = range({few.start}, {few.stop})\n"
        "print([ports.free_port() for _ in range(4)])\n"
    )
    of_another = subprocess.check_output([sys.executable, "-c", program], text=True)
    assert len({*own, *map(int, of_another.strip("[]\n").split(","))}) == 7
    assert ports.free_port() in few, "the other process has ended, and its ports are free again"
