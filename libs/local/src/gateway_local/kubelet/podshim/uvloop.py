"""What pods get for uvloop: asyncio's own loop, to whose sockets the pod shim can give the pod's network."""

import asyncio
from asyncio import SelectorEventLoop as Loop
from asyncio import new_event_loop, run

__all__ = ["EventLoopPolicy", "Loop", "install", "new_event_loop", "run"]  # noqa: F822  # see __getattr__


def install() -> None:
    """Nothing to do: asyncio's own loop is what there is."""


def __getattr__(name: str) -> object:
    if name == "EventLoopPolicy":  # new Pythons warn of those that look at it
        return asyncio.DefaultEventLoopPolicy
    raise AttributeError(name)
