"""What importing the package gives, and what it costs."""

import json
import subprocess
import sys

import dask
import pytest
from distributed.comm.registry import get_backend

import dask_gateway


def modules_after(statement: str) -> set[str]:
    code = f"import json, sys\n{statement}\nprint(json.dumps(sorted(sys.modules)))"
    output = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    return set(json.loads(output))


@pytest.mark.parametrize("name", dask_gateway.__all__)
def test_every_public_name_is_there_and_in_dir(name: str) -> None:
    assert getattr(dask_gateway, name) is not None
    assert name in dir(dask_gateway)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = dask_gateway.nonsense


def test_the_client_module_keeps_the_names_that_programs_import() -> None:
    from dask_gateway import client

    names = "Gateway GatewayCluster GatewayClusterError GatewayServerError GatewayWarning ClusterReport ClusterStatus"
    assert all(hasattr(client, name) for name in [*names.split(), "GatewaySecurity"])
    assert client.GatewayCluster is dask_gateway.GatewayCluster


def test_a_scheduler_loads_neither_the_client_nor_anything_that_distributed_did_not() -> None:
    without = modules_after("import distributed.cli.dask_scheduler")
    added = modules_after("import distributed.cli.dask_scheduler, dask_gateway.scheduler_preload") - without
    others = {name for name in added if not name.startswith(("dask_gateway", "__editable__"))}
    # the stand-in of scheduler/dashboard.py, and the package it is in
    assert others == {"distributed.dashboard", "distributed.dashboard.scheduler"}
    assert not {"dask_gateway.client", "dask_gateway.cluster"} & added


def test_importing_the_package_registers_its_configuration() -> None:
    assert "httpx" not in modules_after("import dask_gateway")
    assert dask.config.get("gateway.auth.type") is not None
    assert dask.config.get("gateway.http-client.proxy") is True
    assert dask.config.get("gateway.cluster.options") == {}


def test_distributed_finds_the_gateway_protocol_by_itself() -> None:
    code = "from distributed.comm.registry import get_backend; print(type(get_backend('gateway')).__name__)"
    output = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert output.strip() == "GatewayBackend"
    assert get_backend("gateway") is not None


def test_the_version_is_that_of_the_distribution() -> None:
    from importlib.metadata import version

    assert dask_gateway.__version__ == version("dask-gateway")
