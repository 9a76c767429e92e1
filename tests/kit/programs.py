"""Programs of other environments, run to their end."""

import asyncio
from pathlib import Path

SCENARIOS = Path(__file__).parents[1] / "integration/gateway/scenarios.py"


async def run_scenario(python: Path | str, scenario: str, *, address: str, password: str) -> None:
    """Run one of scenarios.py with the given Python; raises AssertionError with its output if it fails."""
    arguments = ["-W", "ignore", str(SCENARIOS), "--address", address, "--password", password, scenario]
    process = await asyncio.create_subprocess_exec(
        str(python), *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), timeout=280)
    except (TimeoutError, asyncio.CancelledError):
        process.kill()
        await process.wait()
        raise
    assert process.returncode == 0, f"{scenario} failed:\n{output.decode(errors='replace')}"
