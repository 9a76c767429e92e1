"""The ``dask-gateway`` command."""

import asyncio
import sys
from typing import Any

import pytest

from tests.kit.mini_gateway import MiniGateway, cluster_record


async def run(*arguments: str, address: str = "") -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "dask_gateway.cli", *arguments),
        env={"DASK_GATEWAY__ADDRESS": address} if address else {},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def test_clusters_are_listed_a_line_each(gateway_api: MiniGateway) -> None:
    gateway_api.clusters = {
        "ns.b": cluster_record("ns.b", "PENDING", start_time=1_700_000_001_000),
        "ns.a": cluster_record("ns.a"),
    }
    code, out, _ = await run("clusters", "--status", "running", "--status", "pending", address=gateway_api.url)
    lines: list[Any] = [line.split() for line in out.splitlines()]
    assert code == 0
    assert [(line[0], line[1], line[-1]) for line in lines] == [
        ("ns.a", "RUNNING", f"{gateway_api.url}/clusters/ns.a/status"),
        ("ns.b", "PENDING", "-"),
    ]
    assert gateway_api.exchanges[-1].query == {"status": "RUNNING,PENDING"}


@pytest.mark.parametrize(("arguments", "query"), [(("--all",), {"user": "*"}), (("--user", "bob"), {"user": "bob"})])
async def test_clusters_of_others_are_listed_with_their_owners(
    gateway_api: MiniGateway, arguments: tuple[str, ...], query: dict[str, str]
) -> None:
    gateway_api.clusters = {"ns.a": cluster_record("ns.a", user="bob", reason=None, message=None, workers=1)}
    code, out, _ = await run("clusters", *arguments, address=gateway_api.url)
    assert code == 0
    name, status, *_, owner, link = out.split()
    assert (name, status, owner, link) == ("ns.a", "RUNNING", "bob", f"{gateway_api.url}/clusters/ns.a/status")
    assert gateway_api.exchanges[-1].query == query


async def test_a_cluster_is_stopped_by_name(gateway_api: MiniGateway) -> None:
    gateway_api.clusters = {"ns.a": cluster_record("ns.a")}
    assert await run("--address", gateway_api.url, "stop", "ns.a") == (0, "", "")
    assert gateway_api.clusters == {}


async def test_versions_of_both_ends_are_shown(gateway_api: MiniGateway) -> None:
    code, out, _ = await run("version", address=gateway_api.url)
    assert code == 0
    assert out.splitlines()[1] == "gateway 1.0"


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("", "Error: No dask-gateway address provided or found in configuration\n"),
        ("http://127.0.0.1:9", "Error: Failed to reach the gateway at http://127.0.0.1:9"),
    ],
)
async def test_an_error_is_one_line(address: str, message: str) -> None:
    code, out, err = await run("clusters", address=address)
    assert (code, out) == (1, "")
    assert err.startswith(message)
    assert err.count("\n") == 1
