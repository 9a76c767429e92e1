"""What operators write in values is what the services in the pods then know."""

import shutil
from base64 import b64decode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import helm_python
import pytest
import yaml

from gateway_api.options.service import OptionsService
from gateway_common.configuration.loading import configured_files, load_configuration
from gateway_common.configuration.model import Configuration
from gateway_common.configuration.services import DashboardsGroup
from gateway_common.manifests.installation import installation_of
from gateway_common.principal import Principal
from tests.kit.chart import CHART, FULLNAME, Manifest, find, operators_values, pods, render


def services_configuration(manifests: list[Manifest], service: str, directory: Path, **secrets: str) -> Configuration:
    """What a service finds where its pod puts it."""
    pod = pods(manifests)[f"{service}-{FULLNAME}"]
    (container,) = pod["containers"]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    for mount in container["volumeMounts"]:
        secret = volumes[mount["name"]].get("secret")
        known = [
            m for m in manifests if m["kind"] == "Secret" and secret and m["metadata"]["name"] == secret["secretName"]
        ]
        place = directory / mount["mountPath"].lstrip("/")
        place.mkdir(parents=True, exist_ok=True)
        for name, text in known[0]["data"].items() if known else ():
            (place / name).write_bytes(b64decode(text))
    environment = {entry["name"]: _value(entry, secrets) for entry in container["env"]}
    files = [directory / str(file).lstrip("/") for file in configured_files(environment)]
    return load_configuration(files, environment).configuration


def _value(entry: Mapping[str, Any], secrets: Mapping[str, str]) -> str:
    if "valueFrom" not in entry:
        return str(entry["value"])
    source = entry["valueFrom"]
    return secrets[source["secretKeyRef"]["key"]] if "secretKeyRef" in source else "a-field"


async def cluster_of(configuration: Configuration, user: str, *groups: str, **options: Any) -> dict[str, Any]:
    """What a user's cluster is made of."""
    return (await OptionsService(configuration).resolve(Principal(user, groups), options)).config


async def test_many_hubs(tmp_path: Path) -> None:
    manifests = render(operators_values("operators/many-hubs"))
    api = services_configuration(manifests, "api", tmp_path / "api")
    assert (api.instance, api.prefix) == (FULLNAME, "/services/dask-gateway")
    assert api.api_url == "http://api-dg-dask-gateway.gw:8000/api"
    assert api.api.auth_url == "http://auth-dg-dask-gateway:8001"
    config = await cluster_of(api, "alice", worker_cores=3)
    assert (config["worker_cores"], config["worker_memory"], config["idle_timeout"]) == (3, 4 * 2**30, 1800)
    assert config["worker_extra_pod_labels"] == {"hub.jupyter.org/username": "alice"}
    assert config["worker_extra_container_config"] == {"securityContext": {"runAsGroup": 1000, "runAsUser": 1000}}
    assert config["scheduler_extra_pod_config"]["serviceAccountName"] == "user-sa"
    assert (config["scheduler_cores"], config["scheduler_memory_limit"]) == (0.01, 2**30)

    auth = services_configuration(
        manifests, "auth", tmp_path / "auth", **{"hub.services.dask-gateway.apiToken": "hubs-token"}
    )
    hub = auth.auth.jupyterhub
    assert auth.auth.kinds == ["jupyterhub"]
    assert hub.api_token is not None
    assert hub.api_token.get_secret_value() == "hubs-token"
    assert hub.api_url == "http://$(HUB_SERVICE_HOST):$(HUB_SERVICE_PORT)/hub/api", "Kubernetes fills that in"
    assert pods(manifests)[f"auth-{FULLNAME}"]["enableServiceLinks"] is True

    controller = installation_of(services_configuration(manifests, "controller", tmp_path / "controller"))
    assert (controller.proxy_web_entrypoint, controller.proxy_tcp_entrypoint) == ("web", "web")
    names = [middleware.name for middleware in controller.proxy_web_middlewares]
    assert names == ["dashboard-access@file", "dashboard-headers@file", "clusters-prefix@file"]
    assert find(manifests, "Service", f"traefik-{FULLNAME}")["spec"]["type"] == "ClusterIP"


async def test_a_science(tmp_path: Path) -> None:
    manifests = render(operators_values("operators/science"))
    api = services_configuration(manifests, "api", tmp_path / "api")
    assert api.api.log_level == "DEBUG"
    config = await cluster_of(api, "alice")
    assert (config["image"], config["image_pull_policy"]) == ("ghcr.io/example/analysis:1.4", "Always")
    assert (config["namespace"], config["worker_threads"], config["idle_timeout"]) == ("dask", 2, 3600)
    assert (config["cluster_max_cores"], config["cluster_max_memory"]) == (60, 240 * 2**30)
    assert config["worker_extra_pod_config"]["volumes"][0]["persistentVolumeClaim"] == {"claimName": "shared"}
    assert "5f7d0a1c" not in str(api)
    auth = services_configuration(manifests, "auth", tmp_path / "auth")
    assert auth.auth.jupyterhub.api_token is not None
    assert auth.auth.jupyterhub.api_token.get_secret_value() == "5f7d0a1c"
    for name, pod in pods(manifests).items():
        environment = {entry["name"] for entry in pod["containers"][0].get("env", ())}
        assert ("HUB_URL" in environment) is not name.startswith("traefik"), "all that run extraConfig have it"

    controller = services_configuration(manifests, "controller", tmp_path / "controller").controller
    assert controller.proxy_tcp_entrypoint == "tcp"
    service = find(manifests, "Service", f"traefik-{FULLNAME}")
    assert [(port["name"], port["port"]) for port in service["spec"]["ports"]] == [("web", 80), ("tcp", 8786)]
    assert service["spec"]["loadBalancerSourceRanges"] == ["10.0.0.0/8"]
    assert pods(manifests)[f"controller-{FULLNAME}"]["serviceAccountName"] == "ours"
    assert not [m for m in manifests if m["kind"].endswith("Role") and "controller" in m["metadata"]["name"]]


async def test_a_platform(tmp_path: Path) -> None:
    manifests = render(operators_values("operators/platform"))
    api = services_configuration(manifests, "api", tmp_path / "api")
    config = await cluster_of(api, "alice", profile="Small")
    assert (config["namespace"], config["worker_memory"]) == ("dev", 2 * 2**30)
    assert "very-secret" not in str(api)
    auth = services_configuration(manifests, "auth", tmp_path / "auth").auth
    assert auth.custom.class_name == "platform_auth.PlatformAuthenticator"
    assert auth.custom.config["jupyterhub_api_token"] == "very-secret"

    configuration = services_configuration(manifests, "controller", tmp_path / "controller")
    assert configuration.controller.log_level == "DEBUG"
    controller = installation_of(configuration)
    assert (controller.proxy_web_entrypoint, controller.proxy_tcp_entrypoint) == ("websecure", "tcp")
    assert (controller.proxy_host, controller.proxy_tls) == ("platform.example.org", True)
    middleware = controller.proxy_web_middlewares[0]
    assert (middleware.name, middleware.namespace) == (f"dashboard-access-{FULLNAME}", "gw")
    route = find(manifests, "IngressRoute", f"api-{FULLNAME}")
    assert route["metadata"]["labels"]["traefik-shard"] == "public"
    assert route["spec"]["routes"][0]["match"] == "Host(`platform.example.org`) && PathPrefix(`/gateway`)"
    assert route["spec"]["tls"] == {}


def test_secrets_are_where_only_auth_finds_them() -> None:
    secrets = {
        "simple": {"password": "secret-1", "users": {"alice": "$2b$12$" + "x" * 21 + "u" + "y" * 31}},
        "jupyterhub": {"apiToken": "secret-2"},
        "oidc": {"clientSecret": "secret-3"},
        "custom": {"config": {"key": "secret-4"}},
    }
    manifests = render({"gateway": {"auth": secrets}})
    texts = {
        (m["kind"], m["metadata"]["name"]): "".join(b64decode(text).decode() for text in m["data"].values())
        for m in manifests
        if m["kind"] == "Secret"
    }
    for secret in ("secret-1", "secret-2", "secret-3", "secret-4", "y" * 31):
        assert [name for name, text in texts.items() if secret in text] == [("Secret", f"auth-{FULLNAME}")]
        assert not [m for m in manifests if m["kind"] != "Secret" and secret in str(m)]
    for name, pod in pods(manifests).items():
        mounted = {volume["secret"]["secretName"] for volume in pod["volumes"] if "secret" in volume}
        own = {f"auth-{FULLNAME}", f"signing-keys-{FULLNAME}"}
        assert mounted & own == (own if name == f"auth-{FULLNAME}" else set())


def test_a_change_of_the_configuration_rolls_the_pods_that_read_it() -> None:
    def annotations(**auth: Any) -> dict[str, Any]:
        return {
            m["metadata"]["name"].partition("-")[0]: m["spec"]["template"]["metadata"].get("annotations")
            for m in render({"gateway": {"auth": auth, "loglevel": "DEBUG" if auth.get("login") else "INFO"}})
            if m["kind"] == "Deployment"
        }

    before, secret, shared = annotations(), annotations(simple={"password": "x"}), annotations(login="none")
    assert {name for name in before if before[name] != secret[name]} == {"auth"}
    assert {name for name in before if before[name] != shared[name]} == {"api", "auth", "controller"}
    assert annotations() == before


def test_modules_of_the_operators_can_be_imported(tmp_path: Path) -> None:
    """What stands in extensions/gateway of the chart is beside the values."""
    (container,) = pods(render())[f"api-{FULLNAME}"]["containers"]
    environment = {entry["name"]: entry.get("value") for entry in container["env"]}
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert environment["PYTHONPATH"] == mounts["dask-gateway-config"] == "/etc/dask-gateway"
    copy = tmp_path / "chart"
    shutil.copytree(CHART, copy)
    (copy / "extensions/gateway/ours.py").write_text("NAME = 1\n")
    with helm_python.Chart.load(copy) as changed:
        text = changed.render({}, name="dg", namespace="gw")["dask-gateway/templates/config/secret.yaml"]
    assert b64decode(yaml.safe_load(text)["data"]["ours.py"]) == b"NAME = 1\n"


def test_what_the_operator_says_wins_over_what_the_chart_finds_out(tmp_path: Path) -> None:
    code = """
c.KubeBackend.api_url = "http://elsewhere/api"
c.KubeController.proxy_tcp_entrypoint = "mine"
c.KubeController.proxy_web_middlewares = [*get_property("controller.proxyWebMiddlewares"), {"name": "in-code"}]
c.JupyterHubAuthenticator.jupyterhub_api_url = "http://my-hub/hub/api"
"""
    own = {"proxyWebEntrypoint": "edge", "proxyWebMiddlewares": [{"name": "in-values"}]}
    manifests = render({"gateway": {"extraConfig": code, "auth": {"type": "jupyterhub"}}, "controller": own})
    assert services_configuration(manifests, "api", tmp_path / "api").api_url == "http://elsewhere/api"
    controller = installation_of(services_configuration(manifests, "controller", tmp_path / "controller"))
    assert (controller.proxy_web_entrypoint, controller.proxy_tcp_entrypoint) == ("edge", "mine")
    names = [middleware.name for middleware in controller.proxy_web_middlewares]
    assert names == ["in-values", "in-code", "dashboard-access@file", "dashboard-headers@file", "clusters-prefix@file"]
    secrets = {"hub.services.dask-gateway.apiToken": "hubs-token"}
    hub = services_configuration(manifests, "auth", tmp_path / "auth", **secrets).auth.jupyterhub
    assert hub.api_url == "http://my-hub/hub/api"


def test_a_variable_of_the_operators_takes_the_place_of_the_charts() -> None:
    """Kubernetes takes a name once: with two, Helm 4 fails."""
    own = {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}}
    path = {"name": "PYTHONPATH", "valueFrom": {"configMapKeyRef": {"name": "paths", "key": "all"}}}
    for name, pod in pods(render({"gateway": {"env": [own, path]}})).items():
        if not name.startswith("traefik"):
            environment = pod["containers"][0]["env"]
            assert len({entry["name"] for entry in environment}) == len(environment)
            assert own in environment
            assert path in environment


def test_a_path_of_the_operators_is_added_to_that_of_extensions() -> None:
    manifests = render(
        {"gateway": {"env": [{"name": "PYTHONPATH", "value": "/opt/code"}, {"name": "A", "value": "b"}]}}
    )
    for service in ("api", "auth", "controller"):
        (container,) = pods(manifests)[f"{service}-{FULLNAME}"]["containers"]
        found = [entry["value"] for entry in container["env"] if entry["name"] == "PYTHONPATH"]
        assert found == ["/opt/code:/etc/dask-gateway"]


def test_a_controller_that_is_given_time_to_finish_is_not_killed_before() -> None:
    grace = {
        seconds: pods(render({"controller": {"shutdownTimeout": seconds}}))[f"controller-{FULLNAME}"][
            "terminationGracePeriodSeconds"
        ]
        for seconds in (1, 60)
    }
    assert grace == {1: 10, 60: 65}


@pytest.mark.parametrize("ancestors", [[], ["'self'", "https://lab.example.org"]])
def test_what_traefik_does_with_headers_of_dashboards_is_what_the_configuration_says(ancestors: list[str]) -> None:
    manifests = render({"gateway": {"dashboards": {"frameAncestors": ancestors}}})
    config = yaml.safe_load(find(manifests, "ConfigMap", f"traefik-{FULLNAME}")["data"]["gateway.yaml"])
    headers = config["http"]["middlewares"]["dashboard-headers"]["headers"]
    assert headers == {"customResponseHeaders": DashboardsGroup(frame_ancestors=ancestors).headers}
