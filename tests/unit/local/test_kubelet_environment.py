"""A container's variables and command line."""

import base64
from pathlib import Path
from typing import Any

import pytest

from gateway_local.kubelet.environment import (
    ContainerConfigError,
    PodContext,
    command_line,
    container_environment,
    expand,
    field_value,
    service_links,
)
from gateway_local.kubelet.images import Image

POD: dict[str, Any] = {
    "metadata": {
        "name": "worker-1",
        "namespace": "dask",
        "uid": "u-1",
        "labels": {"app": "dask", "gateway.dask.org/cluster": "abc"},
        "annotations": {"note": "hello"},
    },
    "spec": {
        "nodeName": "local",
        "containers": [{"name": "main", "resources": {"limits": {"cpu": "1500m", "memory": "2Gi"}}}],
    },
}
BARE = Image(Path("/opt"))
CONTEXT = PodContext(POD, "127.20.0.2", "127.20.0.1")
OBJECTS: dict[tuple[str, str], dict[str, Any]] = {
    ("Secret", "token"): {"kind": "Secret", "data": {"key": base64.b64encode(b"sesame").decode()}},
    ("ConfigMap", "settings"): {"kind": "ConfigMap", "data": {"COLOR": "red", "SIZE": "9"}},
}


def lookup(kind: str, name: str) -> dict[str, Any] | None:
    return OBJECTS.get((kind, name))


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("plain", "plain"),
        ("$(A)", "1"),
        ("<$(A)$(B)>", "<12>"),
        ("$(UNKNOWN)", "$(UNKNOWN)"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("$$$$", "$$"),
        ("$A ${A}", "$A ${A}"),
        ("$(A", "$(A"),
        ("end$", "end$"),
        ("$()", "$()"),
    ],
)
def test_references_are_expanded_as_kubernetes_does(text: str, expanded: str) -> None:
    assert expand(text, {"A": "1", "B": "2"}) == expanded


def test_arguments_alone_are_the_command() -> None:
    assert command_line({"args": ["dask", "worker"]}, BARE, str.upper) == ["DASK", "WORKER"]
    assert command_line({"command": ["dask"], "args": ["worker"]}, BARE, str) == ["dask", "worker"]


@pytest.mark.parametrize(
    ("container", "argv"),
    [
        ({}, ["tini", "--", "dask", "--help"]),
        ({"args": ["worker"]}, ["tini", "--", "dask", "worker"]),
        ({"command": ["sh"]}, ["sh"]),
        ({"command": ["sh"], "args": ["-c", "true"]}, ["sh", "-c", "true"]),
    ],
)
def test_commands_and_arguments_take_the_places_of_the_image_s(container: dict[str, Any], argv: list[str]) -> None:
    image = Image(Path("/opt"), entrypoint=("tini", "--", "dask"), command=("--help",))
    assert command_line(container, image, str) == argv


def test_a_container_without_a_command_has_nothing_to_run() -> None:
    with pytest.raises(ContainerConfigError, match="no command specified"):
        command_line({}, BARE, str)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.name", "worker-1"),
        ("metadata.namespace", "dask"),
        ("metadata.uid", "u-1"),
        ("metadata.labels['gateway.dask.org/cluster']", "abc"),
        ("metadata.labels['absent']", ""),
        ("metadata.annotations['note']", "hello"),
        ("metadata.labels", 'app="dask"\ngateway.dask.org/cluster="abc"'),
        ("spec.nodeName", "local"),
        ("status.podIP", "127.20.0.2"),
        ("status.hostIP", "127.20.0.1"),
    ],
)
def test_fields_of_the_pod_are_known_to_its_containers(path: str, value: str) -> None:
    assert field_value(path, CONTEXT) == value


def test_a_field_that_there_is_not_is_an_error() -> None:
    with pytest.raises(ContainerConfigError, match=r"unsupported pod field path: status\.phase"):
        field_value("status.phase", CONTEXT)


def test_variables_see_those_before_them() -> None:
    container = {
        "envFrom": [{"configMapRef": {"name": "settings"}}],
        "env": [
            {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "token", "key": "key"}}},
            {"name": "BOTH", "value": "$(COLOR)-$(TOKEN)-$(LATER)"},
            {"name": "LATER", "value": "x"},
            {"name": "COLOR", "value": "blue"},
            {"name": "EMPTY"},
        ],
    }
    assert container_environment(container, CONTEXT, lookup) == {
        "COLOR": "blue",
        "SIZE": "9",
        "TOKEN": "sesame",
        "BOTH": "red-sesame-$(LATER)",
        "LATER": "x",
        "EMPTY": "",
    }


@pytest.mark.parametrize(
    ("resource", "divisor", "value"),
    [
        ("limits.cpu", "1", "2"),
        ("limits.cpu", "1m", "1500"),
        ("limits.memory", "1Mi", "2048"),
        ("requests.cpu", "", "0"),
    ],
)
def test_resources_are_told_in_units_of_the_divisor(resource: str, divisor: str, value: str) -> None:
    reference = {"resourceFieldRef": {"containerName": "main", "resource": resource, "divisor": divisor}}
    container = {"env": [{"name": "X", "valueFrom": reference}]}
    assert container_environment(container, CONTEXT, lookup) == {"X": value}


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ({"secretKeyRef": {"name": "none", "key": "k"}}, 'secret "none" not found'),
        ({"secretKeyRef": {"name": "token", "key": "k"}}, "couldn't find key k in Secret dask/token"),
        ({"configMapKeyRef": {"name": "none", "key": "k"}}, 'configmap "none" not found'),
        ({"configMapKeyRef": {"name": "settings", "key": "k"}}, "couldn't find key k in ConfigMap dask/settings"),
        ({"fileKeyRef": {}}, "unsupported source of a variable: fileKeyRef"),
    ],
)
def test_what_is_missing_is_named(source: dict[str, Any], problem: str) -> None:
    with pytest.raises(ContainerConfigError) as error:
        container_environment({"env": [{"name": "X", "valueFrom": source}]}, CONTEXT, lookup)
    assert str(error.value) == problem


def test_what_is_optional_may_be_missing() -> None:
    reference = {"name": "none", "key": "k", "optional": True}
    container = {
        "envFrom": [{"secretRef": {"name": "none", "optional": True}}],
        "env": [{"name": "X", "valueFrom": {"secretKeyRef": reference}}],
    }
    assert container_environment(container, CONTEXT, lookup) == {}


def test_services_of_the_namespace_are_told_by_variables() -> None:
    ports = [{"name": "http-api", "port": 8000, "protocol": "TCP"}, {"name": "more", "port": 9000}]
    hub = {"metadata": {"name": "proxy-public"}, "spec": {"clusterIP": "10.96.0.9", "ports": ports}}
    headless = {"metadata": {"name": "headless"}, "spec": {"clusterIP": "None", "ports": ports}}
    assert service_links([hub, headless]) == {
        "PROXY_PUBLIC_SERVICE_HOST": "10.96.0.9",
        "PROXY_PUBLIC_SERVICE_PORT": "8000",
        "PROXY_PUBLIC_SERVICE_PORT_HTTP_API": "8000",
        "PROXY_PUBLIC_SERVICE_PORT_MORE": "9000",
        "PROXY_PUBLIC_PORT": "tcp://10.96.0.9:8000",
        "PROXY_PUBLIC_PORT_8000_TCP": "tcp://10.96.0.9:8000",
        "PROXY_PUBLIC_PORT_8000_TCP_PROTO": "tcp",
        "PROXY_PUBLIC_PORT_8000_TCP_PORT": "8000",
        "PROXY_PUBLIC_PORT_8000_TCP_ADDR": "10.96.0.9",
        "PROXY_PUBLIC_PORT_9000_TCP": "tcp://10.96.0.9:9000",
        "PROXY_PUBLIC_PORT_9000_TCP_PROTO": "tcp",
        "PROXY_PUBLIC_PORT_9000_TCP_PORT": "9000",
        "PROXY_PUBLIC_PORT_9000_TCP_ADDR": "10.96.0.9",
    }
