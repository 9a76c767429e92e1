"""Authenticator classes that operators wrote for dask-gateway (U-009): they are given what they know from aiohttp."""
