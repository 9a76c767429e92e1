"""The pod shim, in processes of their own, as the kubelet starts them: by PYTHONPATH and environment alone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gateway_local.apiserver.serving import self_signed
from gateway_local.kubelet.sandbox import POD_SHIM


def run(code: str, *, path: str = "", **pod: str) -> str:
    """What the code prints in a pod's process."""
    env = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(filter(None, [str(POD_SHIM), path])),
        **{f"GATEWAY_LOCAL_POD_{name}": value for name, value in pod.items()},
    }
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, env=env, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    return done.stdout.decode().strip()


@pytest.fixture
def cluster(tmp_path: Path) -> str:
    for name, record in {"dask/one": "127.30.0.2\n127.30.0.3", "dask/none": "", "other/two": "127.30.0.4"}.items():
        path = tmp_path / "dns" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(record)
    return str(tmp_path)


@pytest.mark.parametrize(
    ("name", "addresses"),
    [
        ("one", ["127.30.0.2", "127.30.0.3"]),
        ("ONE.dask", ["127.30.0.2", "127.30.0.3"]),
        ("one.dask.svc", ["127.30.0.2", "127.30.0.3"]),
        ("one.dask.svc.cluster.local", ["127.30.0.2", "127.30.0.3"]),
        ("one.dask.svc.cluster.local.", ["127.30.0.2", "127.30.0.3"]),
        ("two.other", ["127.30.0.4"]),
        ("me", ["127.30.0.9"]),
        ("none.dask", []),
        ("absent.dask", []),
        ("absent.dask.svc", []),
        ("pod.one.dask.svc.cluster.local", []),
        ("two", None),
        ("example.com", None),
        ("one.example.com", None),
        ("127.0.0.1", None),
        ("::1", None),
        ("../dask/one", None),
    ],
)
def test_names_are_answered_as_cluster_dns_would(cluster: str, name: str, addresses: list[str] | None) -> None:
    code = f"import sitecustomize; print(sitecustomize.cluster_addresses({name!r}))"
    assert run(code, IP="127.30.0.9", HOSTNAME="me", NAMESPACE="dask", CLUSTER=cluster) == str(addresses)


def test_a_name_without_addresses_is_an_error_of_the_resolver(cluster: str) -> None:
    code = (
        "import socket\n"
        "try: socket.getaddrinfo('none.dask', 80)\n"
        "except socket.gaierror as error: print(error.errno == socket.EAI_NONAME)"
    )
    assert run(code, IP="127.30.0.9", HOSTNAME="me", NAMESPACE="dask", CLUSTER=cluster) == "True"


def test_outside_of_a_pod_nothing_changes() -> None:
    assert run("import socket; print(socket.gethostname())") == os.uname().nodename


def test_another_sitecustomize_runs_too(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.other = __file__")
    assert run("import sys; print(sys.other)", path=str(tmp_path)) == str(tmp_path / "sitecustomize.py")


def test_there_is_no_address_of_version_6() -> None:
    code = (
        "import socket\n"
        "with socket.socket(socket.AF_INET6) as s:\n"
        "    try: s.bind(('::', 0))\n"
        "    except OSError as error: print(error)"
    )
    assert "a pod has no IPv6" in run(code, IP="127.30.0.9", HOSTNAME="me")


@pytest.mark.parametrize(
    "expression",
    [
        "open('/etc/creds/token').read()",
        "open(file='/etc/creds/token').read()",
        "open(pathlib.Path('/etc/creds') / 'token').read()",
        "pathlib.Path('/etc/creds/token').read_text()",
        "os.read(os.open('/etc/creds/token', os.O_RDONLY), 9).decode()",
        "{True: 'sesame'}[os.path.exists('/etc/creds/token') and os.path.isdir('/etc/creds')]",
        "{True: 'sesame'}[os.stat(path='/etc/creds/token').st_size == os.stat(0, follow_symlinks=True).st_size + 6]",
        "{'token': 'sesame'}[os.listdir('/etc/creds')[0]]",
        "{'token': 'sesame'}[next(os.scandir('/etc/creds')).name]",
        "{'token': 'sesame'}[next(pathlib.Path('/etc/creds').iterdir()).name]",
        "shutil.copytree('/etc/creds', 'copy') and open('copy/token').read()",
        "os.replace('/etc/creds/token', '/etc/creds/new') or open('/etc/creds/new').read()",
        "{False: 'sesame'}[os.path.exists('/etc/creds-2') or os.path.exists('/etc/creds/other')]",
    ],
)
def test_files_are_found_below_their_mount_path(tmp_path: Path, expression: str) -> None:
    (tmp_path / "volume").mkdir()
    (tmp_path / "volume" / "token").write_text("sesame")
    code = f"import os, pathlib, shutil, warnings; warnings.simplefilter('ignore'); os.chdir({str(tmp_path)!r})\n"
    code += f"print({expression})"
    mounts = f"/srv\t/nowhere\n/etc/creds\t{tmp_path}/volume"
    assert run(code, IP="127.30.0.9", HOSTNAME="me", MOUNTS=mounts) == "sesame"


def test_it_costs_little_and_imports_nothing_of_ours() -> None:
    code = "import sys; print([m for m in ('asyncio', 'typing', 'random', 'gateway_local') if m in sys.modules])"
    assert run("import os; " + code, IP="127.30.0.9", HOSTNAME="me") == run(code)


def test_what_is_real_already_is_no_path_below_a_mount(tmp_path: Path) -> None:
    real, volume, kept = tmp_path / "real", tmp_path / "volume", tmp_path / "pods"
    for directory in (real, volume, kept):
        directory.mkdir()
        (directory / "file").write_text(directory.name)
    code = f"print(open({str(kept / 'file')!r}).read(), open({str(real / 'file')!r}).read())"
    mounts = f"{real}\t{volume}\n{tmp_path}\t{real}"
    assert run(code, IP="127.30.0.9", MOUNTS=mounts, KEPT=str(kept)) == "pods volume"


def test_modules_find_their_own_files_whatever_is_mounted_above_them(tmp_path: Path) -> None:
    (tmp_path / "beside.txt").write_text("here")
    (tmp_path / "module.py").write_text(
        "import importlib.resources, pathlib\nprint(pathlib.Path(__file__).with_name('beside.txt').read_text())"
    )
    mounts = f"{tmp_path}\t/nowhere"
    assert run("import module", path=str(tmp_path), IP="127.30.0.9", MOUNTS=mounts) == "here"


def test_certificates_below_a_mount_are_found_by_tls(tmp_path: Path) -> None:
    _, certificate = self_signed("127.0.0.1")
    (tmp_path / "ca.crt").write_bytes(certificate)
    code = "import ssl; print(len(ssl.create_default_context(cafile='/etc/trust/ca.crt').get_ca_certs()))"
    assert run(code, IP="127.30.0.9", MOUNTS=f"/etc/trust\t{tmp_path}") == "1"


def test_what_asks_for_uvloop_gets_a_loop_in_the_pod_s_network(tmp_path: Path) -> None:
    code = (
        "import asyncio, uvloop\n"
        "async def main():\n"
        "    server = await asyncio.start_server(lambda *_: None, '0.0.0.0', 0)\n"
        "    print(server.sockets[0].getsockname()[0])\n"
        "    server.close()\n"
        "uvloop.install()\n"
        "uvloop.run(main())\n"
        "loop = uvloop.new_event_loop()\n"
        "print(isinstance(loop, uvloop.Loop))\n"
        "loop.close()\n"
    )
    assert run(code, IP="127.30.0.9", HOSTNAME="me", CLUSTER=str(tmp_path)).split() == ["127.30.0.9", "True"]
