"""The values: defaults that are those of the services, and errors that name the key."""

from collections.abc import Iterator
from typing import Any

import helm_python
import pytest
import yaml

from gateway_common.configuration.known_keys import chart_defaults
from tests.kit.chart import CHART, Manifest, notes, operators_values, render

#: Where a default of ours is another, and why.
CHANGED = {
    "gateway.image.tag": "images of this release",
    "controller.image.tag": "images of this release",
    "gateway.backend.image.tag": "users' Dask stays: docs/installing.md",
    "traefik.image.tag": "3.3 is not maintained any more",
    "controller.k8sApiRateLimit": "docs/decisions/2026-11-24-one-configuration.md",
}


def leaves(tree: Manifest, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, (*path, name))
        else:
            yield ".".join((*path, name)), value


def test_the_defaults_are_those_that_the_services_know() -> None:
    written = yaml.safe_load((CHART / "values.yaml").read_text())
    known = chart_defaults()
    del known["enabled"]
    assert written == known


def test_every_key_of_the_chart_that_it_replaces_is_there_with_its_default() -> None:
    ours = dict(leaves(yaml.safe_load((CHART / "values.yaml").read_text())))
    before = dict(leaves(operators_values("default")))
    assert {name for name, value in before.items() if name not in ours or ours[name] != value} == CHANGED.keys()


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"gatway": {}}, "gatway"),
        ({"gateway": {"replica": 2}}, "replica"),
        ({"gateway": {"auth": {"jupyterhub": {"apitoken": "x"}}}}, "apitoken"),
        ({"gateway": {"backend": {"worker": {"memory": {"requests": "1G"}}}}}, "requests"),
        ({"gateway": {"replicas": "two"}}, "gateway/replicas"),
        ({"gateway": {"auth": {"type": "ldap"}}}, "gateway/auth/type"),
        ({"gateway": {"groups": {"blue": {"limit": {}}}}}, "limit"),
        ({"traefik": {"service": {"ports": {"web": {"port": 80000}}}}}, "traefik/service/ports/web/port"),
        ({"controller": {"nodeSelector": {"a": 1}}}, "controller/nodeSelector/a"),
        ({"fullnameOverride": "My_Gateway"}, "fullnameOverride"),
        ({"nameOverride": "a.b"}, "nameOverride"),
        ({"networkPolicies": {"blockedAddresses": ["169.254.169.254"]}}, "networkPolicies/blockedAddresses/0"),
    ],
)
def test_a_typo_is_an_error_that_names_the_key(values: Manifest, named: str) -> None:
    with pytest.raises(helm_python.HelmError, match=named):
        render(values)


@pytest.mark.parametrize(
    "values",
    [
        {"enabled": True, "global": {"anything": {"at": "all"}}},
        {"gateway": {"loglevel": "debug", "backend": {"worker": {"memory": {"request": 2**31, "limit": "4 G"}}}}},
        {"gateway": {"backend": {"environment": {"A": {"valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}}}}},
        {"gateway": {"extraConfig": "c.Backend.x = 1", "resources": None, "backend": {"namespace": None}}},
        {"gateway": {"groups": {"blue": {"backend": {"worker": {"cores": {"request": 0.5}}}, "limits": {}}}}},
        {"gateway": {"backend": {"worker": {"cores": {"limit": "0.5"}}, "workerGroups": {"gpu": {"threads": 1}}}}},
        {"gateway": {"options": [{"name": "x", "type": "integer", "default": 1}]}},
    ],
)
def test_what_services_understand_the_schema_lets_through(values: Manifest) -> None:
    assert render(values)


CPU: Manifest = {"resources": {"requests": {"cpu": "100m"}}}


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"gateway": {"auth": {"type": "custom"}}}, "gateway.auth.custom.class"),
        ({"gateway": {"auth": {"types": ["simple", "oidc"]}}}, "gateway.auth.oidc.issuer"),
        ({"gateway": {"auth": {"type": "kerberos"}}}, "gateway.auth.kerberos: set keytabFromSecretName"),
        (
            {"gateway": {"auth": {"type": "jupyterhub", "jupyterhub": {"apiTokenFromSecretName": ""}}}},
            "gateway.auth.jupyterhub: set apiToken",
        ),
        ({"proxy": {"kind": "gatewayAPI"}}, "proxy.gatewayAPI.gateway: set it"),
        ({"proxy": {"kind": "gatewayAPI", "gatewayAPI": {"gateway": "a"}}}, "proxy.gatewayAPI.dashboardFilters"),
        ({"traefik": {"installTraefik": False, "tls": {"secretName": "x"}}}, "use traefik.existing"),
        ({"traefik": {"tls": {"certManager": {"issuerName": "x"}}}}, "traefik.tls.certManager.hosts"),
        ({"traefik": {**CPU, "autoscaling": {"enabled": True, "maxReplicas": 1}}}, "traefik.autoscaling: minReplicas"),
        ({"traefik": {**CPU, "autoscaling": {"enabled": True, "minReplicas": 0}}}, "minReplicas: at least 1"),
        ({"traefik": {"autoscaling": {"enabled": True}}}, "set traefik.resources.requests.cpu"),
        ({"controller": {"replicas": 2, "leaderElection": False}}, "controller.leaderElection"),
        ({"traefik": {"image": {"tag": None}}}, "traefik.image.tag: set it"),
    ],
)
def test_what_can_not_work_is_said_in_words(values: Manifest, text: str) -> None:
    with pytest.raises(helm_python.HelmError, match=text):
        render(values)


@pytest.mark.parametrize("amounts", ["requests", "limits"])
def test_an_autoscaler_needs_a_request_which_a_limit_is_too(amounts: str) -> None:
    values = {"gateway": {"resources": {amounts: {"cpu": "1"}}, "autoscaling": {"enabled": True}}}
    assert any(manifest["kind"] == "HorizontalPodAutoscaler" for manifest in render(values))


@pytest.mark.parametrize(
    ("tag", "is_warned_of"), [("v3.2", True), ("2.11.4", True), ("3.3.0", False), ("v3.7", False), ("latest", False)]
)
def test_helm_warns_of_a_traefik_that_is_too_old(tag: str, is_warned_of: bool) -> None:
    assert ("for Traefik 3.3 and newer" in notes({"traefik": {"image": {"tag": tag}}})) is is_warned_of


def test_lists_may_be_null() -> None:
    gateway_api = {"gateway": "a", "hosts": None, "dashboardFilters": [{"type": "ExtensionRef"}]}
    values = {
        "proxy": {"kind": "gatewayAPI", "gatewayAPI": gateway_api},
        "networkPolicies": {"apiFrom": None, "dashboardsFrom": None, "blockedAddresses": None},
        "gateway": {"extraVolumes": None, "env": None},
    }
    assert render(values)
    assert "<the address of your Gateway>" in notes(values)


def test_helm_finds_nothing_to_complain_about() -> None:
    found = helm_python.lint(CHART, {}, strict=True)
    assert [entry["error"] for entry in found["messages"]] == ["icon is recommended"]
    assert found["errors"] == []


@pytest.mark.parametrize(
    ("gateway", "open_to_all"),
    [
        ({}, True),
        ({"auth": {"simple": {"password": "secret"}}}, False),
        ({"auth": {"type": "jupyterhub"}}, False),
        ({"extraConfig": {"auth": "c.DaskGateway.authenticator_class = Ours"}}, False),
    ],
)
def test_helm_warns_where_any_password_will_do(gateway: Manifest, open_to_all: bool) -> None:
    assert ("any password will do" in notes({"gateway": gateway})) is open_to_all


@pytest.mark.parametrize(
    ("values", "address"),
    [
        ({}, "http://traefik-dg-dask-gateway.gw\n"),
        ({"gateway": {"prefix": "/dask/"}}, "http://traefik-dg-dask-gateway.gw/dask\n"),
        ({"traefik": {"service": {"ports": {"web": {"port": 8080}}}}}, "http://traefik-dg-dask-gateway.gw:8080\n"),
        ({"traefik": {"tls": {"secretName": "cert"}}}, "https://traefik-dg-dask-gateway.gw\n"),
        ({"gateway": {"publicUrl": "https://hub.example.org/dask"}}, "https://hub.example.org/dask\n"),
        ({"traefik": {"installTraefik": False, "existing": {"host": "a.example.org"}}}, "http://a.example.org\n"),
    ],
)
def test_helm_says_in_the_end_where_the_gateway_is(values: Manifest, address: str) -> None:
    assert f"    {address}" in notes(values)
