"""The `dask-gateway-auth` command as a process: it serves, it stops when told to, it says what is wrong."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from gateway_auth.main import main
from gateway_local.ports import free_port
from tests.kit.credentials import basic_credentials

COMMAND = [sys.executable, "-m", "gateway_auth.main"]
STARTUP_TIMEOUT = 30.0


def environment(**settings: str) -> dict[str, str]:
    return {**os.environ, **{f"DASK_GATEWAY__{name}": value for name, value in settings.items()}}


@contextmanager
def running(port: int, **settings: str) -> Iterator[subprocess.Popen[str]]:
    env = environment(INSTANCE="prod", AUTH__HOST="127.0.0.1", AUTH__PORT=str(port), **settings)
    with subprocess.Popen(COMMAND, env=env, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_until_healthy(client: httpx.Client, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + STARTUP_TIMEOUT
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()[1]
        try:
            if client.get("/health").status_code == 200:
                return
        except httpx.ConnectError:
            time.sleep(0.02)
    raise AssertionError("the service did not start in time")


def test_it_serves_sessions_until_sigterm() -> None:
    port = free_port()
    with running(port, AUTH__SIMPLE__PASSWORD="hunter2") as process:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            wait_until_healthy(client, process)
            right = {"headers": basic_credentials("alice", "hunter2")}
            assert client.post("/authenticate", json=right).json()["principal"]["name"] == "alice"
            assert client.post("/authenticate", json={"headers": {}}).status_code == 401
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=20)
    # uvicorn finishes in order and then dies of the signal, so that whoever waits for it knows why
    assert process.returncode in {0, -signal.SIGTERM}
    assert "Application shutdown complete" in log
    assert "hunter2" not in log
    assert "Traceback" not in log


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({}, "DASK_GATEWAY__INSTANCE: it must be given"),
        ({"INSTANCE": "prod", "AUTH__PORT": "many"}, "DASK_GATEWAY__AUTH__PORT: expected a whole number"),
        (
            {"INSTANCE": "prod", "AUTH__PASSWORD": "many"},
            "DASK_GATEWAY__AUTH__PASSWORD: unknown setting: did you mean ",
        ),
        (
            {"INSTANCE": "prod", "AUTH__SIGNING_KEYS": "many"},
            "DASK_GATEWAY__AUTH__SIGNING_KEYS: expected a list as JSON",
        ),
    ],
)
def test_wrong_settings_are_named_and_their_values_are_not_repeated(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], text: str
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(f"DASK_GATEWAY__{name}", value)
    with pytest.raises(SystemExit) as exit_:
        main()
    assert text in str(exit_.value)
    assert "many" not in str(exit_.value)


def test_a_missing_key_file_is_one_clear_line() -> None:
    env = environment(INSTANCE="prod", AUTH__SIGNING_KEYS='["/nowhere/key.pem"]')
    result = subprocess.run(COMMAND, env=env, capture_output=True, text=True, timeout=STARTUP_TIMEOUT, check=False)
    assert result.returncode == 1
    assert result.stderr == "dask-gateway-auth: /nowhere/key.pem: No such file or directory\n"
