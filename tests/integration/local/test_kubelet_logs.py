"""Logs of pods, asked for over HTTP as kubectl does."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from gateway_local.apiserver.server import ApiServer
from tests.kit.pods import NAMESPACE, Node, container, is_running, phase_is, pod, running_node, waiting_reason


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    server = ApiServer()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def node(server: ApiServer, tmp_path: Path) -> AsyncIterator[Node]:
    async with running_node(tmp_path, server=server) as node:
        server.register_log_source(node.kubelet.logs)
        yield node


@pytest.fixture
async def http(server: ApiServer) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"{server.url}/api/v1/namespaces/{NAMESPACE}/pods/", timeout=30) as client:
        yield client


async def test_a_log_is_read(node: Node, http: httpx.AsyncClient) -> None:
    await node.run(pod(container("sh", "-c", "echo one; echo two >&2")), phase_is("Succeeded"))
    assert (await http.get("pod/log")).text == "one\ntwo\n"
    assert (await http.get("pod/log?tailLines=1")).text == "two\n"
    stamp, text = (await http.get("pod/log?tailLines=1&timestamps=true")).text.split(" ")
    assert (stamp[-1], text) == ("Z", "two\n")


async def test_a_log_is_followed_until_the_container_ends(node: Node, http: httpx.AsyncClient) -> None:
    waiting = container("sh", "-c", "echo first; while [ ! -e go ]; do sleep 0.01; done; echo last")
    running = await node.run(pod(waiting), is_running)
    await node.wait_log("pod", "first")
    lines = []
    async with http.stream("GET", "pod/log?follow=true") as answer:
        async for line in answer.aiter_lines():
            lines.append(line)
            if line == "first":
                node.home(running).joinpath("go").touch()
    assert lines == ["first", "last"]


async def test_the_log_of_the_run_before_is_read(node: Node, http: httpx.AsyncClient) -> None:
    manifest = pod(container("sh", "-c", "echo run; exit 1"), restartPolicy="Always")
    await node.run(manifest, lambda p: waiting_reason(p) == "CrashLoopBackOff")
    assert (await http.get("pod/log?previous=true")).text == "run\n"


async def test_there_is_no_log_before_a_container_starts(node: Node, http: httpx.AsyncClient) -> None:
    await node.run(pod(container("true", image="unknown")), lambda p: waiting_reason(p) == "ImagePullBackOff")
    answer = await http.get("pod/log")
    assert answer.status_code == 400
    assert answer.json()["message"] == 'container "main" in pod "pod" is waiting to start: ImagePullBackOff'
    answer = await http.get("pod/log?previous=true")
    assert answer.json()["message"] == 'previous terminated container "main" in pod "pod" not found'
