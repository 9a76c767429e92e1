"""A node of its own for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.kit.pods import Node, running_node


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    async with running_node(tmp_path) as running:
        yield running
