"""Whatever is switched on or off: Kubernetes takes every object, and every pod of ours is restricted."""

from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from gateway_common import __version__
from gateway_common.configuration.chart_keys import SERVER_IMAGE
from gateway_common.crd import crd
from gateway_common.traefik_crds import traefik_definitions
from tests.kit.chart import CHART, FULLNAME, GATEWAY_API, Manifest, chart, find, operators_values, pods, render
from tests.kit.gateway_api import strict_schema

SCALING = {"autoscaling": {"enabled": True, "minReplicas": 3}, "resources": {"requests": {"cpu": 1}}}
VALUES: dict[str, Manifest] = {
    "nothing": {},
    "the defaults of 2026.3.0": operators_values("default"),
    "a hub here": operators_values("hub_same_namespace"),
    "a hub elsewhere": operators_values("hub_other_namespace"),
    "many hubs": operators_values("operators/many-hubs"),
    "a science": operators_values("operators/science"),
    "a platform": operators_values("operators/platform"),
    "no traefik": {"traefik": {"installTraefik": False}},
    "an existing traefik with middlewares": {
        "gateway": {"prefix": "/gw", "dashboards": {"private": False}},
        "traefik": {
            "installTraefik": False,
            "existing": {"tlsSecretName": "cert", "middlewares": [{"name": "slow", "namespace": "edge"}]},
        },
    },
    "the gateway api": {**GATEWAY_API, "gateway": {"prefix": "/gw"}},
    "tls": {"traefik": {"tls": {"secretName": "cert"}, "service": {"ports": {"tcp": {"port": 8786}}}}},
    "cert-manager": {"traefik": {"tls": {"certManager": {"issuerName": "le", "hosts": ["dask.example.org"]}}}},
    "every namespace": {"gateway": {"backend": {"namespace": "dask-{user}", "validatePods": True}}},
    "namespaces of groups": {"gateway": {"groups": {"blue": {"backend": {"namespace": "blue"}}}}},
    "no rights": {"rbac": {"enabled": False}},
    "no controller": {"controller": {"enabled": False}},
    "no extras": {
        "crds": {"enabled": False},
        "networkPolicies": {"enabled": False},
        "podDisruptionBudgets": {"enabled": False},
        "gateway": {"livenessProbe": {"enabled": False}, "readinessProbe": {"enabled": False}},
    },
    "scaling": {"gateway": {**SCALING, "auth": SCALING}, "traefik": SCALING},
    "monitoring": {"metrics": {"podMonitor": {"enabled": True}, "grafanaDashboard": {"enabled": True}}},
    "secrets of others": {
        "gateway": {
            "auth": {
                "types": ["kerberos", "oidc", "simple"],
                "signingKeysSecretName": "keys",
                "simple": {"passwordFromSecretName": "password"},
                "oidc": {"issuer": "https://id.example.org", "clientSecretFromSecretName": "oidc"},
                "kerberos": {"keytabFromSecretName": "keytab"},
            }
        }
    },
    "everything about pods": {
        part: {
            "annotations": {"a": "b"},
            "labels": {"team": "data"},
            "priorityClassName": "important",
            "topologySpreadConstraints": [
                {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {}}
            ],
            "podSecurityContext": {"runAsUser": 7},
            "containerSecurityContext": {"readOnlyRootFilesystem": False},
            "nodeSelector": {"disk": "fast"},
            "tolerations": [{"key": "a", "operator": "Exists"}],
            "affinity": {"nodeAffinity": {}},
            "imagePullSecrets": [{"name": "pull"}],
            "resources": {"requests": {"cpu": "1"}},
            "image": {"pullPolicy": "Always"},
        }
        for part in ("gateway", "controller", "traefik")
    },
}
#: Groups of kinds that are not Kubernetes' own.
OTHERS = ("traefik.io", "gateway.networking.k8s.io", "cert-manager.io", "monitoring.coreos.com")


@pytest.fixture(params=VALUES, scope="module")
def manifests(request: pytest.FixtureRequest) -> list[Manifest]:
    return render(VALUES[request.param])


def test_kubernetes_takes_every_object(manifests: list[Manifest]) -> None:
    names = [(m["kind"], m["metadata"].get("namespace"), m["metadata"]["name"]) for m in manifests]
    assert len(names) == len(set(names))
    for manifest in manifests:
        if manifest["apiVersion"].partition("/")[0] not in OTHERS:
            kubernetes_validate.validate(manifest, "1.36", strict=True)


def test_everything_is_labelled_and_named_within_limits(manifests: list[Manifest]) -> None:
    for manifest in manifests:
        metadata = manifest["metadata"]
        assert metadata["labels"]["gateway.dask.org/instance"] == FULLNAME
        assert manifest["kind"] == "CustomResourceDefinition" or len(metadata["name"]) <= 63
        assert all(len(value) <= 63 for value in metadata["labels"].values())


def test_every_pod_of_ours_is_restricted(manifests: list[Manifest]) -> None:
    """Kubernetes' Pod Security Standards, "restricted"; and nothing of a pod's file system can be changed."""
    for name, pod in pods(manifests).items():
        context = pod["securityContext"]
        assert context["runAsNonRoot"] is True, name
        assert context["runAsUser"] > 0
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["enableServiceLinks"] is False or name == f"auth-{FULLNAME}", "which looks for the hub's Service"
        assert {next(iter(volume.keys() - {"name"})) for volume in pod["volumes"]} <= {
            "secret",
            "emptyDir",
            "projected",
        }
        for container in pod["containers"]:
            own = container["securityContext"]
            assert own["allowPrivilegeEscalation"] is False
            assert own["capabilities"] == {"drop": ["ALL"]}
            assert "privileged" not in own
            assert {"livenessProbe", "readinessProbe"} <= container.keys() or name.startswith("api-")


def test_only_those_that_call_kubernetes_have_a_token(manifests: list[Manifest]) -> None:
    tokens = {name.partition("-")[0]: pod["automountServiceAccountToken"] for name, pod in pods(manifests).items()}
    assert tokens["auth"] is False
    assert all(tokens[name] for name in tokens.keys() - {"auth"})
    for manifest in manifests:
        if manifest["kind"] == "ServiceAccount":
            assert manifest["automountServiceAccountToken"] is False, "a pod says so itself"


def test_the_default_installation_is_the_one_that_was_looked_at() -> None:
    """All but definitions, which are generated, and what is in Secrets. Delete the file to have it written anew."""
    golden = CHART.parents[1] / "tests/data/chart/default.yaml"
    shown = [_shown(m) for m in render() if m["kind"] != "CustomResourceDefinition"]
    text = yaml.safe_dump_all(sorted(shown, key=lambda m: (m["kind"], m["metadata"]["name"])), width=1000)
    if not golden.exists():
        golden.write_text(text)
        pytest.fail(f"{golden} was missing; it is there now: look at it")
    assert golden.read_text() == text


def _shown(manifest: Manifest) -> Manifest:
    if manifest["kind"] == "Secret":
        manifest["data"] = dict.fromkeys(manifest["data"], "...")
    if manifest["kind"] == "Deployment":
        annotations = manifest["spec"]["template"]["metadata"].get("annotations", {})
        annotations.update({name: "..." for name in annotations if name.startswith("checksum/")})
    return manifest


def test_traefik_waits_for_the_readiness_route_only_where_a_controller_makes_it() -> None:
    def proxy(values: Manifest) -> Manifest:
        (container,) = pods(render(values))[f"traefik-{FULLNAME}"]["containers"]
        return dict(container)

    assert proxy({})["startupProbe"]["httpGet"] == {"path": "/ready", "port": "traefik"}
    assert "startupProbe" not in proxy({"controller": {"enabled": False}})


@pytest.mark.parametrize(
    ("port", "tls", "names"),
    [
        (8786, False, ["web", "tcp"]),
        (80, False, ["web"]),
        (443, False, ["web", "tcp"]),
        (443, True, ["web", "websecure"]),
        ("web", True, ["web", "websecure"]),
    ],
)
def test_schedulers_have_a_port_of_their_own_where_it_is_not_that_of_web_pages(
    port: int | str, tls: bool, names: list[str]
) -> None:
    traefik = {"service": {"ports": {"tcp": {"port": port}}}, "tls": {"secretName": "cert" if tls else None}}
    manifests = render({"traefik": traefik})
    service = find(manifests, "Service", f"traefik-{FULLNAME}")
    assert [entry["name"] for entry in service["spec"]["ports"]] == names
    (container,) = pods(manifests)[f"traefik-{FULLNAME}"]["containers"]
    assert [entry["name"] for entry in container["ports"]] == ["traefik", *names]


def test_a_change_of_what_traefik_has_in_a_file_starts_it_anew() -> None:
    def template(**gateway: Any) -> Manifest:
        return dict(find(render({"gateway": gateway}), "Deployment", f"traefik-{FULLNAME}")["spec"]["template"])

    assert template(prefix="/dask") != template()
    assert template(loglevel="DEBUG") == template()


def test_what_only_says_how_pods_are_made_starts_no_other_service_anew() -> None:
    def templates(values: Manifest) -> dict[str, Manifest]:
        return {m["metadata"]["name"]: m["spec"]["template"] for m in render(values) if m["kind"] == "Deployment"}

    def changed(values: Manifest) -> set[str]:
        before, after = templates({}), templates(values)
        return {name.removesuffix(f"-{FULLNAME}") for name in before if before[name] != after[name]}

    resources = {"resources": {"limits": {"memory": "1Gi"}}}
    assert changed({"traefik": {**resources, "replicas": 2}}) == {"traefik"}
    assert changed({"gateway": {**resources, "image": {"tag": "next"}}}) == {"api", "auth"}
    assert changed({"controller": {**resources, "tolerations": [{"operator": "Exists"}]}}) == {"controller"}
    assert changed({"networkPolicies": {"enabled": False}, "podDisruptionBudgets": {"enabled": False}}) == set()
    assert changed({"traefik": {"existing": {"host": "a.example.org"}}}) == {"api", "auth", "controller"}


@pytest.mark.parametrize("name", ["config", "tmp", "auth", "keys", "keytab"])
def test_volumes_of_the_operators_may_have_any_name(name: str) -> None:
    values = {
        "gateway": {
            "extraVolumes": [{"name": name, "emptyDir": {}}],
            "extraVolumeMounts": [{"name": name, "mountPath": "/mine"}],
            "auth": {"type": "kerberos", "kerberos": {"keytabFromSecretName": "a"}},
        }
    }
    for pod in pods(render(values)).values():
        volumes = [volume["name"] for volume in pod["volumes"]]
        assert len(volumes) == len(set(volumes))
        assert {mount["name"] for mount in pod["containers"][0]["volumeMounts"]} <= set(volumes)


def test_without_a_tag_images_are_those_of_the_release() -> None:
    nothing = {"image": {"tag": None}}
    images = {
        name: pod["containers"][0]["image"]
        for name, pod in pods(render({"gateway": nothing, "controller": nothing})).items()
    }
    for part in ("api", "auth", "controller"):
        assert images[f"{part}-{FULLNAME}"] == f"{SERVER_IMAGE}:{__version__}"


def test_the_definitions_are_those_of_the_model_and_stay_when_the_release_goes() -> None:
    made = {m["metadata"]["name"]: m for m in render() if m["kind"] == "CustomResourceDefinition"}
    known = {definition["metadata"]["name"]: definition for definition in [crd(), *traefik_definitions()]}
    assert {name: m["spec"] for name, m in made.items()} == {name: m["spec"] for name, m in known.items()}
    assert all(m["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"} for m in made.values())
    assert chart().crds == [], "Helm would install them once and never again"

    without: tuple[Manifest, ...] = ({"traefik": {"installTraefik": False}}, {"crds": {"traefik": False}})
    for values in without:
        manifests = render({**values, "crds": {**values.get("crds", {}), "keep": False}})
        (own,) = (m for m in manifests if m["kind"] == "CustomResourceDefinition")
        assert (own["metadata"]["name"], own["metadata"].get("annotations")) == (crd()["metadata"]["name"], None)
    assert not [m for m in render({"crds": {"enabled": False}}) if m["kind"] == "CustomResourceDefinition"]


@pytest.mark.parametrize("prefix", ["", "/gw"])
def test_behind_a_gateway_of_the_gateway_api_nothing_is_of_traefik(prefix: str) -> None:
    manifests = render({**GATEWAY_API, "gateway": {"prefix": prefix}})
    assert not [m for m in manifests if "traefik" in m["metadata"]["name"]]
    assert not [m for m in manifests if m["apiVersion"].startswith("traefik.io")]
    route = find(manifests, "HTTPRoute", f"api-{FULLNAME}")
    jsonschema.validate(route["spec"], strict_schema("HTTPRoute"))
    (rule,) = route["spec"]["rules"]
    assert route["spec"]["parentRefs"] == [{"name": "edge", "namespace": "infra", "sectionName": "https"}]
    assert route["spec"]["hostnames"] == ["dask.example.org"]
    assert rule["matches"] == [{"path": {"type": "PathPrefix", "value": prefix or "/"}}]
    assert bool(rule.get("filters")) is bool(prefix), "the api knows no prefix"
    assert rule["backendRefs"] == [{"name": f"api-{FULLNAME}", "port": 8000}]


def test_two_controllers_without_a_lease_never_run_side_by_side() -> None:
    strategies = {
        leads: find(render({"controller": {"leaderElection": leads}}), "Deployment", f"controller-{FULLNAME}")["spec"][
            "strategy"
        ]["type"]
        for leads in (True, False)
    }
    assert strategies == {True: "RollingUpdate", False: "Recreate"}


def test_the_entry_points_of_a_traefik_that_was_there_are_those_of_the_values() -> None:
    def entry_points(**traefik: Any) -> tuple[str, str]:
        pod = pods(render({"traefik": {"installTraefik": False, **traefik}}))[f"controller-{FULLNAME}"]
        found = {entry["name"].rpartition("__")[2]: entry.get("value", "") for entry in pod["containers"][0]["env"]}
        return found["PROXY_TCP_ENTRYPOINT"], found.get("PROXY_TLS", "false")

    assert entry_points() == ("web", "false")
    assert entry_points(service={"ports": {"tcp": {"port": 8786}}}) == ("tcp", "false"), "as 2026.3.0 has it"
    assert entry_points(existing={"tcpEntryPoint": "dask", "tlsSecretName": "cert"}) == ("dask", "true")


def test_names_that_look_like_numbers_stay_text() -> None:
    rendered = chart().render({}, name="2026", namespace="7")
    manifests = [m for name, text in rendered.items() if name.endswith(".yaml") for m in yaml.safe_load_all(text) if m]
    for manifest in manifests:
        metadata = manifest["metadata"]
        assert all(isinstance(value, str) for value in metadata["labels"].values())
        assert isinstance(metadata.get("namespace", ""), str)
