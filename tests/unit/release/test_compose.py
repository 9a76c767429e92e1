"""compose.yaml: what it says is understood by those who will read it. It is brought up where there is Docker."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway_common.configuration.loading import load_configuration
from gateway_common.manifests.installation import installation_of
from tests.kit.chart import FULLNAME, NAMESPACE, find, render
from tests.unit.release.conftest import ROOT, Run

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES = ("api", "auth", "controller")


def test_it_is_what_compose_reads(release_tool: Run) -> None:
    outcome = release_tool("check-jsonschema", "--builtin-schema", "vendor.compose-spec", "compose.yaml")
    assert outcome.returncode == 0, outcome.stdout


def test_everything_that_is_mounted_is_there() -> None:
    mounts = [volume for service in COMPOSE["services"].values() for volume in service["volumes"]]
    sources = {mount.split(":")[0] for mount in mounts}
    assert {source for source in sources if not source.startswith("./")} == set(COMPOSE["volumes"])
    assert all((ROOT / source).exists() for source in sources if source.startswith("./"))


@pytest.mark.parametrize("name", SERVICES)
def test_the_sources_of_a_service_are_mounted_and_go_first(name: str) -> None:
    service = COMPOSE["services"][name]
    mounted = {target: source for source, target, *_ in (volume.split(":") for volume in service["volumes"])}
    packages = set()
    for folder in service["environment"]["PYTHONPATH"].split(":"):
        (target,) = (target for target in mounted if folder.startswith(f"{target}/"))
        here = ROOT / mounted[target] / Path(folder).relative_to(target)
        packages |= {package.name for package in here.iterdir()}
    assert {"gateway_common", "dask_gateway_server", f"gateway_{name}"} <= packages


def test_the_services_understand_their_environment() -> None:
    environment = COMPOSE["services"]["api"]["environment"]
    (values,) = environment.pop("DASK_GATEWAY__CONFIG_FILES").split(":")
    file = ROOT / "compose" / Path(values).name
    configuration = load_configuration([file], environment).configuration
    assert configuration.namespaces == ["default"]
    assert [middleware.name for middleware in installation_of(configuration).proxy_web_middlewares] == [
        "dashboard-access@file",
        "dashboard-headers@file",
        "clusters-prefix@file",
    ]


def test_traefik_does_what_the_charts_does() -> None:
    config = find(render(), "ConfigMap", f"traefik-{FULLNAME}")["data"]["gateway.yaml"]
    api = f"http://api-{FULLNAME}.{NAMESPACE}:8000"
    assert api in config
    here = yaml.safe_load((ROOT / "compose/traefik.yaml").read_text())
    assert here == yaml.safe_load(config.replace(api, "http://127.0.0.1:8000"))


def test_the_versions_of_images_are_those_of_the_chart() -> None:
    """Of Traefik, and of the Kubernetes releases that the workflow tests on."""
    (deployment,) = (
        m for m in render() if m["metadata"]["name"] == f"traefik-{FULLNAME}" and m["kind"] == "Deployment"
    )
    assert COMPOSE["services"]["traefik"]["image"] == deployment["spec"]["template"]["spec"]["containers"][0]["image"]
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    tested = json.dumps(workflow["jobs"]["kubernetes"]["strategy"]["matrix"])
    minor = COMPOSE["services"]["k3s"]["image"].split(":v")[1].rsplit(".", 1)[0]
    assert f"kindest/node:v{minor}." in tested
