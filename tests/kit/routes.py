"""Waiting for Traefik, which learns of a cluster's routes a moment after the cluster runs."""

import asyncio

import httpx


async def is_routed(address: str) -> None:
    """Wait until a cluster's page is known, whoever may see it."""
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client, asyncio.timeout(60):
        while (await client.get(address)).status_code == 404:  # noqa: ASYNC110  # nobody announces it
            await asyncio.sleep(0.01)
