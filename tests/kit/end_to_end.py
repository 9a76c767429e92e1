"""The end-to-end tests, as one runs them on an installation: programs of their own, told by variables alone."""

import asyncio
import os
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


async def run(module: str, *arguments: str | Path, **variables: str) -> str:
    """Run a Python module at the root of the repository; raises AssertionError with what it says if it fails."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, *arguments),
        cwd=ROOT,
        env={**os.environ, **variables},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    assert process.returncode == 0, output.decode()
    return output.decode()
