"""`gateway config show` and `gateway config check`."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gateway_common.configuration.cli import main

VALUES = """
gateway:
  auth:
    type: custom
    simple: {password: hunter2}
    jupyterhub: {apiToken: hunter2}
    custom: {class: site.Auth, config: {client: hunter2}}
  backend:
    environment: {REGION: eu, SITE_TOKEN: hunter2, STORAGE_KEY: hunter2}
    worker:
      memory: {request: 4G}
      extraContainerConfig:
        env: [{name: DB_PASSWORD, value: hunter2}, {name: PLAIN, value: seen}]
  groups:
    staff: {priority: 3, backend: {environment: {API_KEY: hunter2}, idleTimeout: 60}}
"""


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in [name for name in os.environ if name.startswith("DASK_GATEWAY__")]:
        monkeypatch.delenv(name)
    return monkeypatch


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "values.yaml"
    path.write_text(VALUES)
    return path


def show(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    main(["config", "show", *map(str, arguments)])
    return capsys.readouterr().out


def test_show_prints_every_setting_with_its_source(
    capsys: pytest.CaptureFixture[str], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DASK_GATEWAY__CONTROLLER__PARALLELISM", "7")
    lines = show(capsys, file).splitlines()
    assert 'auth.authenticator = "custom"  # ' + f"{file}: gateway.auth.type" in lines
    assert "controller.parallelism = 7  # environment: DASK_GATEWAY__CONTROLLER__PARALLELISM" in lines
    assert "controller.backoff_max_delay = 300  # default" in lines
    assert f"backend.worker_memory = 4294967296  # {file}: gateway.backend.worker.memory.request" in lines
    assert "backend.worker_cores = 1  # default" in lines
    assert f"groups.staff.priority = 3  # {file}: gateway.groups.staff.priority" in lines
    assert f"groups.staff.backend.idle_timeout = 60.0  # {file}: gateway.groups.staff.backend.idleTimeout" in lines
    assert "limits.user.clusters = null  # default" in lines


def test_show_never_prints_a_secret(
    capsys: pytest.CaptureFixture[str], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DASK_GATEWAY__KUBE__URL", "https://kube")
    monkeypatch.setenv("DASK_GATEWAY__KUBE__TOKEN", "hunter2")
    for arguments in ([file], ["--json", file]):
        text = show(capsys, *arguments)
        assert "hunter2" not in text
        assert "********" in text
        assert "seen" in text


def test_show_names_classes_and_functions_of_configuration_code(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code = tmp_path / "code.py"
    code.write_text(
        "from dask_gateway_server.auth import Authenticator\nclass Mine(Authenticator): ...\n"
        "c.DaskGateway.authenticator_class = Mine\nc.Backend.cluster_options = lambda user: None\n"
    )
    out = show(capsys, code)
    assert f'auth.authenticator_class = "Mine"  # {code}, line 3: c.DaskGateway.authenticator_class\n' in out
    assert f'cluster_options = "<<lambda>>"  # {code}, line 4: c.Backend.cluster_options\n' in out


def test_show_prints_json(capsys: pytest.CaptureFixture[str], file: Path) -> None:
    settings = json.loads(show(capsys, "--json", file))
    assert settings["kube.token"] == {"value": None, "source": "default"}
    assert settings["auth.simple.password"]["value"] == "********"
    assert settings["backend.environment"]["value"] == {
        "REGION": "eu",
        "SITE_TOKEN": "********",
        "STORAGE_KEY": "********",
    }


def test_check_says_ok_or_everything_that_is_wrong(capsys: pytest.CaptureFixture[str], file: Path) -> None:
    main(["config", "check", str(file)])
    assert capsys.readouterr().out == f"OK: {file}\n"
    file.write_text("gatway: {}\ncontroller: {parallelism: x}\n")
    with pytest.raises(SystemExit) as exit_:
        main(["config", "check", str(file)])
    assert exit_.value.code == (
        f"{file}: gatway: unknown key: did you mean gateway?\n"
        f"{file}: controller.parallelism: expected a whole number, got text"
    )


def test_the_files_are_those_of_the_environment_by_default(
    capsys: pytest.CaptureFixture[str], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SystemExit, match="DASK_GATEWAY__CONFIG_FILES"):
        main(["config", "check"])
    monkeypatch.setenv("DASK_GATEWAY__CONFIG_FILES", json.dumps([str(file)]))
    main(["config", "check"])
    assert capsys.readouterr().out == f"OK: {file}\n"
    assert f"# {file}: gateway.auth.type" in show(capsys)


def test_a_wrong_file_ends_the_program_with_1(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "gateway_common.configuration.cli", "config", "check", str(tmp_path / "no.yaml")]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == f"{tmp_path / 'no.yaml'}: can't be read: no such file or directory\n"


def test_code_finds_the_variables_that_the_chart_would_give_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, clean_environment: pytest.MonkeyPatch
) -> None:
    # what the command sets is taken back after the test
    for name in ("SITE_IMAGE", "SITE_REGION", "SITE_PLACE"):
        clean_environment.delenv(name, raising=False)
    clean_environment.setenv("SITE_REGION", "here")
    path = tmp_path / "values.yaml"
    values: dict[str, Any] = {
        "gateway": {
            "env": [
                {"name": "SITE_IMAGE", "value": "site:1"},
                {"name": "SITE_REGION", "value": "there"},
                {"name": "SITE_PLACE", "valueFrom": {"secretKeyRef": {"name": "site", "key": "token"}}},
            ],
            "extraConfig": 'c.KubeClusterConfig.image = f\'{os.environ["SITE_IMAGE"]}-{os.environ["SITE_REGION"]}\'',
        }
    }
    path.write_text(json.dumps(values))
    try:
        assert 'backend.image = "site:1-here"' in show(capsys, path)
        values["gateway"]["extraConfig"] += "; os.environ['SITE_PLACE']"
        path.write_text(json.dumps(values))
        with pytest.raises(SystemExit, match=r"KeyError: 'SITE_PLACE'\ngateway.env takes .* not here: SITE_PLACE"):
            main(["config", "check", str(path)])
    finally:
        os.environ.pop("SITE_IMAGE", None)
