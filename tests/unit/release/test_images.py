"""The images' Dockerfile: what each of its targets is, and that what it starts is in the environment that it gets."""

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import NamedTuple

import pytest
from dockerfile_parse import DockerfileParser

from tests.kit.environments import find_environment
from tests.unit.release.conftest import ROOT, Run

DOCKERFILE = ROOT / "images/Dockerfile"
TARGETS = ("api", "auth", "controller", "server", "dask")
#: Of Debian's packages, what an image that is shipped may have.
RUNTIME_PACKAGES = {"ca-certificates", "python3", "tini", "libgssapi-krb5-2"}


class Instruction(NamedTuple):
    name: str
    value: str


def stages() -> dict[str, list[Instruction]]:
    """The instructions of each stage, those that it takes over from the stage that it is made from included."""
    found: dict[str, list[Instruction]] = {}
    current: list[Instruction] = []
    for entry in DockerfileParser(str(DOCKERFILE)).structure:
        if entry["instruction"] == "FROM":
            base, name = re.fullmatch(r"(\S+) AS (\S+)", entry["value"]).groups()
            current = found[name] = list(found.get(base, []))
        current.append(Instruction(entry["instruction"], entry["value"]))
    return found


def last(target: str, instruction: str) -> str:
    return [value for name, value in stages()[target] if name == instruction][-1]


def labels(target: str) -> dict[str, str]:
    text = " ".join(value for name, value in stages()[target] if name == "LABEL")
    return dict(re.findall(r'org\.opencontainers\.image\.(\w+)="([^"]*)"', text))


def test_the_linter_has_nothing_to_say(release_tool: Run) -> None:
    outcome = release_tool("hadolint", DOCKERFILE)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_is_nobodys_root_with_an_init_a_health_check_and_labels(target: str) -> None:
    assert last(target, "USER") == "1000:1000"
    assert json.loads(last(target, "ENTRYPOINT")) == ["tini", "-g", "--"]
    assert 'CMD ["healthy", ' in last(target, "HEALTHCHECK")
    assert set(labels(target)) == {"version", "revision", "source", "licenses", "title", "description"}
    assert labels(target)["version"] == "${VERSION}"


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_gets_no_compiler_and_its_environment_as_a_whole(target: str) -> None:
    text = " ".join(value for name, value in stages()[target] if name == "RUN")
    lists = re.findall(r"apt-get install -y --no-install-recommends ([^&]+)", text)
    assert lists
    assert {package for packages in lists for package in packages.split()} <= RUNTIME_PACKAGES
    copied = [value for name, value in stages()[target] if name == "COPY" and "--from=" in value]
    assert [value.replace("--chown=1000:1000 ", "") for value in copied] == [
        f"--from=build-{target} /opt/dask-gateway /opt/dask-gateway"
    ]


@pytest.mark.parametrize("target", TARGETS)
def test_the_versions_in_an_image_are_those_that_the_tests_run_with(target: str) -> None:
    pins = pinned(f"images/{target}")
    tested = pinned("dev") | pinned("kerberos")
    assert pins
    assert {name: version for name, version in pins.items() if name != "pip"}.items() <= tested.items()


def pinned(name: str) -> dict[str, str]:
    """Packages with their versions, by a file in requirements/."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    return dict(re.findall(r"^([\w.-]+)==([\w.]+)", text, re.MULTILINE))


@pytest.mark.parametrize("command", ["dask-gateway-api", "dask-gateway-auth", "dask-gateway-controller"])
def test_the_server_image_has_every_service(command: str) -> None:
    program = find_environment("image-server") / "bin" / command
    outcome = subprocess.run([program], env={}, capture_output=True, text=True, timeout=60, check=False)
    assert outcome.returncode == 1
    assert outcome.stderr == f"{command}: DASK_GATEWAY__INSTANCE: it must be given\n"


def test_operators_code_finds_in_the_server_image_what_it_imports() -> None:
    imports = "import aiohttp, cryptography, traitlets, urllib3, yaml, dask_gateway_server.auth"
    python = find_environment("image-server") / "bin/python"
    subprocess.run([python, "-c", imports], env={}, timeout=120, check=True)


@pytest.mark.parametrize("target", ["api", "auth", "controller"])
def test_what_a_service_image_starts_is_what_the_server_image_has_too(target: str) -> None:
    (command,) = json.loads(last(target, "CMD"))
    assert command == f"dask-gateway-{target}"
    assert pinned(f"images/{target}").items() <= pinned("images/server").items()


def test_the_users_image_starts_schedulers_and_can_be_built_upon() -> None:
    programs = find_environment("image-dask") / "bin"
    command = json.loads(last("dask", "CMD"))
    for arguments in ([*command, "--help"], ["dask", "worker", "--help"], ["pip", "--version"]):
        outcome = subprocess.run(
            [programs / arguments[0], *arguments[1:]], env={}, capture_output=True, text=True, timeout=120, check=False
        )
        assert outcome.returncode == 0, outcome.stderr
    imports = "import bokeh, numpy, dask_gateway.scheduler_preload"
    subprocess.run([programs / "python", "-c", imports], env={}, timeout=120, check=True)


class Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/health" else 503)
        self.end_headers()

    def log_request(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    """Of a service that is well at /health and nowhere else."""
    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def health_of(*addresses: str) -> int:
    # a proxy that nobody serves: it must not be asked
    environment = {"http_proxy": "http://127.0.0.1:9"}
    command = [sys.executable, ROOT / "images/healthy.py", *addresses]
    return subprocess.run(command, env=environment, check=False).returncode


def test_the_health_check_is_content_with_one_service_that_answers(port: int) -> None:
    assert health_of(f"{port}/health") == 0
    assert health_of("9/health", f"{port}/health") == 0
    assert health_of(f"{port}/other") == 1
    assert health_of("9/health") == 1


def test_the_build_takes_the_first_engine_that_is_there(tmp_path: Path) -> None:
    """What each engine is asked for; the engine itself is the caller's."""
    for engine, more in (("docker", []), ("podman", ["--format", "docker"]), ("buildah", ["--format", "docker"])):
        program = tmp_path / engine
        program.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
        program.chmod(0o755)
        outcome = subprocess.run(
            [ROOT / "images/build.sh", "ghcr.io/example", "1.2.3", "--pull"],
            cwd=ROOT,
            env={"PATH": f"{tmp_path}:/usr/bin:/bin", "ENGINE": engine, "IMAGES": "dask"},
            capture_output=True,
            text=True,
            check=True,
        )
        arguments = outcome.stdout.splitlines()
        assert arguments[:7] == [
            "build",
            "--file",
            "images/Dockerfile",
            "--target",
            "dask",
            "--tag",
            "ghcr.io/example/dask-gateway:1.2.3",
        ]
        assert "VERSION=1.2.3" in arguments
        assert arguments[-len(more) - 2 :] == [*more, "--pull", "."]
