"""The manifests, whole: what is in them is what images, workers and Traefik rely on."""

from typing import Any

import pytest

from gateway_common.config import parse_cluster_config, stored_cluster_config
from gateway_common.manifests.installation import Installation, MiddlewareRef
from gateway_common.manifests.metadata import with_owner
from gateway_common.manifests.scheduler_pod import build_scheduler_pod
from gateway_common.manifests.worker_pod import build_worker_pods
from gateway_common.resources import DASKCLUSTERS
from gateway_controller.core.build.ingress_route import build_ingress_route
from gateway_controller.core.build.ingress_route_tcp import build_ingress_route_tcp
from gateway_controller.core.build.secret import Credentials, build_secret
from gateway_controller.core.build.service import build_service
from tests.kit.observed import INSTALLATION, cluster

LABELS = {"gateway.dask.org/instance": "test", "gateway.dask.org/cluster": "c0ffee"}
RESERVED = [
    {"name": "DASK_GATEWAY_API_URL", "value": "http://api.gateway:8000/api"},
    {"name": "DASK_GATEWAY_CLUSTER_NAME", "value": "dask.c0ffee"},
    {"name": "DASK_GATEWAY_API_TOKEN", "value": "/etc/dask-credentials/api-token"},
    {"name": "DASK_DISTRIBUTED__COMM__TLS__CA_FILE", "value": "/etc/dask-credentials/dask.crt"},
    {"name": "DASK_DISTRIBUTED__COMM__TLS__SCHEDULER__CERT", "value": "/etc/dask-credentials/dask.crt"},
    {"name": "DASK_DISTRIBUTED__COMM__TLS__SCHEDULER__KEY", "value": "/etc/dask-credentials/dask.pem"},
    {"name": "DASK_DISTRIBUTED__COMM__TLS__WORKER__CERT", "value": "/etc/dask-credentials/dask.crt"},
    {"name": "DASK_DISTRIBUTED__COMM__TLS__WORKER__KEY", "value": "/etc/dask-credentials/dask.pem"},
]
CONFIG = {
    "image": "image:1",
    "scheduler_cores": 1.5,
    "scheduler_memory": "1 G",
    "scheduler_memory_limit": "2 G",
    "worker_cores": 2,
    "worker_cores_limit": 3,
    "worker_memory": "512 M",
    "environment": {"COLOUR": "blue"},
}


def scheduler_pod(installation: Installation = INSTALLATION, **config: Any) -> dict[str, Any]:
    return build_scheduler_pod(installation, cluster().full_name, parse_cluster_config({**CONFIG, **config}))


def worker_pod(**config: Any) -> dict[str, Any]:
    (pod,) = build_worker_pods(INSTALLATION, cluster().full_name, parse_cluster_config({**CONFIG, **config}), [7])
    return pod


def container(pod: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = pod["spec"]["containers"][0]
    return result


def test_the_scheduler_pod_is_what_the_released_preload_expects() -> None:
    assert scheduler_pod() == {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "dask-scheduler-c0ffee",
            "namespace": "dask",
            "labels": {**LABELS, "app.kubernetes.io/component": "dask-scheduler"},
        },
        "spec": {
            "containers": [
                {
                    "name": "dask-scheduler",
                    "image": "image:1",
                    "args": [
                        *("dask", "scheduler"),
                        *("--protocol", "tls"),
                        *("--host", ""),
                        *("--port", "8786"),
                        *("--dashboard-address", ":8787"),
                        *("--dg-api-address", ":8788"),
                        *("--preload", "dask_gateway.scheduler_preload"),
                        *("--dg-heartbeat-period", "0"),
                        *("--dg-adaptive-period", "3.0"),
                        *("--dg-idle-timeout", "0.0"),
                    ],
                    "env": [{"name": "COLOUR", "value": "blue"}, *RESERVED],
                    "resources": {
                        "requests": {"cpu": "1.500", "memory": "1073741824"},
                        "limits": {"cpu": "1.500", "memory": "2147483648"},
                    },
                    "volumeMounts": [
                        {"name": "dask-credentials", "mountPath": "/etc/dask-credentials/", "readOnly": True}
                    ],
                    "ports": [
                        {"name": "scheduler", "containerPort": 8786},
                        {"name": "dashboard", "containerPort": 8787},
                        {"name": "api", "containerPort": 8788},
                    ],
                    "readinessProbe": {
                        "httpGet": {"path": "/api/health", "port": 8788},
                        "periodSeconds": 1,
                        "failureThreshold": 3,
                    },
                    "startupProbe": {
                        "httpGet": {"path": "/api/health", "port": 8788},
                        "periodSeconds": 1,
                        "failureThreshold": 600,
                    },
                    "livenessProbe": {
                        "httpGet": {"path": "/api/health", "port": 8788},
                        "periodSeconds": 10,
                        "timeoutSeconds": 10,
                        "failureThreshold": 30,
                    },
                }
            ],
            "volumes": [{"name": "dask-credentials", "secret": {"secretName": "dask-credentials-c0ffee"}}],
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
        },
    }


def test_a_worker_pod_finds_its_scheduler_by_name_and_takes_its_own_name_from_kubernetes() -> None:
    assert worker_pod() == {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "dask-worker-c0ffee-7",
            "namespace": "dask",
            "labels": {**LABELS, "app.kubernetes.io/component": "dask-worker"},
        },
        "spec": {
            "containers": [
                {
                    "name": "dask-worker",
                    "image": "image:1",
                    "args": [
                        *("dask", "worker", "tls://dask-c0ffee.dask:8786"),
                        *("--dashboard-address", ":8787"),
                        *("--name", "$(DASK_GATEWAY_WORKER_NAME)"),
                        *("--nthreads", "2"),
                        *("--memory-limit", "536870912"),
                    ],
                    "env": [
                        {"name": "DASK_DISTRIBUTED__WORKER__MULTIPROCESSING_METHOD", "value": "fork"},
                        {"name": "COLOUR", "value": "blue"},
                        *RESERVED,
                        {
                            "name": "DASK_GATEWAY_WORKER_NAME",
                            "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}},
                        },
                    ],
                    "resources": {
                        "requests": {"cpu": "2.000", "memory": "536870912"},
                        "limits": {"cpu": "3.000", "memory": "536870912"},
                    },
                    "volumeMounts": [
                        {"name": "dask-credentials", "mountPath": "/etc/dask-credentials/", "readOnly": True}
                    ],
                }
            ],
            "volumes": [{"name": "dask-credentials", "secret": {"secretName": "dask-credentials-c0ffee"}}],
            "restartPolicy": "OnFailure",
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
        },
    }


def test_workers_differ_in_nothing_but_their_name() -> None:
    config = parse_cluster_config(CONFIG)
    first, second = build_worker_pods(INSTALLATION, cluster().full_name, config, [0, 1])
    assert first["metadata"].pop("name") == "dask-worker-c0ffee-0"
    assert second["metadata"].pop("name") == "dask-worker-c0ffee-1"
    assert first == second


def test_a_command_of_the_users_replaces_the_first_words_only() -> None:
    arguments = container(scheduler_pod(scheduler_cmd=["my-scheduler"]))["args"]
    assert arguments[:3] == ["my-scheduler", "--protocol", "tls"]
    assert container(worker_pod(worker_cmd="my-worker"))["args"][:2] == ["my-worker", "tls://dask-c0ffee.dask:8786"]


def test_reserved_variables_win_over_the_users_wherever_these_come_from() -> None:
    pod = worker_pod(
        environment={"DASK_GATEWAY_API_URL": "http://elsewhere"},
        worker_extra_container_config={
            "env": [{"name": "DASK_GATEWAY_WORKER_NAME", "value": "mine"}, {"name": "SHAPE", "value": "round"}]
        },
    )
    by_name: dict[str, list[dict[str, Any]]] = {}
    for entry in container(pod)["env"]:
        by_name.setdefault(entry["name"], []).append(entry)
    assert by_name["DASK_GATEWAY_API_URL"] == [RESERVED[0]]
    assert [entry.get("value") for entry in by_name["DASK_GATEWAY_WORKER_NAME"]] == [None]
    assert by_name["SHAPE"] == [{"name": "SHAPE", "value": "round"}]


def test_the_user_may_have_workers_spawned_instead_of_forked() -> None:
    name = "DASK_DISTRIBUTED__WORKER__MULTIPROCESSING_METHOD"
    entries = container(worker_pod(environment={name: "spawn"}))["env"]
    assert [entry["value"] for entry in entries if entry["name"] == name] == ["spawn"]


@pytest.mark.parametrize(
    ("seconds", "failures", "start"), [(1, 1, 600), (10, 1, 600), (11, 2, 600), (86400, 8640, 86400)]
)
def test_a_scheduler_may_hang_for_as_long_as_the_operator_allows(seconds: float, failures: int, start: int) -> None:
    probed = container(scheduler_pod(scheduler_liveness_timeout=seconds))
    assert probed["livenessProbe"]["failureThreshold"] == failures
    assert probed["startupProbe"]["failureThreshold"] == start


def test_a_scheduler_may_hang_for_ever_where_the_operator_says_so() -> None:
    probes = {"readinessProbe", "startupProbe", "livenessProbe"}
    assert probes & container(scheduler_pod(scheduler_liveness_timeout=0)).keys() == {"readinessProbe"}


def test_a_limit_that_released_preloads_do_not_know_is_no_option_of_theirs() -> None:
    limited = container(scheduler_pod(no_client_timeout=900))
    assert {"name": "DASK_GATEWAY_NO_CLIENT_TIMEOUT", "value": "900.0"} in limited["env"]
    assert limited["args"] == container(scheduler_pod())["args"]
    mine = container(scheduler_pod(no_client_timeout=900, environment={"DASK_GATEWAY_NO_CLIENT_TIMEOUT": "0"}))
    assert mine["env"].count({"name": "DASK_GATEWAY_NO_CLIENT_TIMEOUT", "value": "900.0"}) == 1
    assert {"name": "DASK_GATEWAY_NO_CLIENT_TIMEOUT", "value": "0"} not in mine["env"]


def test_a_worker_knows_how_much_time_it_has_to_move_its_data() -> None:
    name = "DASK_GATEWAY_GRACE_PERIOD"
    patient = worker_pod(worker_extra_pod_config={"terminationGracePeriodSeconds": 120})
    assert patient["spec"]["terminationGracePeriodSeconds"] == 120
    assert [entry["value"] for entry in container(patient)["env"] if entry["name"] == name] == ["120"]
    assert name not in [entry["name"] for entry in container(worker_pod())["env"]]


def test_extra_configuration_is_merged_in_and_wins() -> None:
    pod = scheduler_pod(
        scheduler_extra_pod_config={
            "nodeSelector": {"disk": "ssd"},
            "volumes": [{"name": "data", "emptyDir": {}}],
            "automountServiceAccountToken": True,
        },
        scheduler_extra_container_config={
            "name": "renamed",
            "resources": {"limits": {"nvidia.com/gpu": "1"}},
            "volumeMounts": [{"name": "data", "mountPath": "/data"}],
        },
        image_pull_policy="Always",
        image_pull_secrets=[{"name": "registry"}],
    )
    spec = pod["spec"]
    assert [volume["name"] for volume in spec["volumes"]] == ["dask-credentials", "data"]
    assert spec["nodeSelector"] == {"disk": "ssd"}
    assert spec["automountServiceAccountToken"] is True
    assert spec["imagePullSecrets"] == [{"name": "registry"}]
    assert container(pod)["imagePullPolicy"] == "Always"
    assert container(pod)["resources"]["limits"] == {
        "cpu": "1.500",
        "memory": "2147483648",
        "nvidia.com/gpu": "1",
    }
    # whose state tells how the scheduler is
    assert container(pod)["name"] == "dask-scheduler"


def test_variables_from_secrets_are_named_and_win_over_the_users() -> None:
    config = {
        "environment": {"PASSWORD": "mine", "URL": "db://$(PASSWORD)@host"},
        "environment_secrets": {
            "PASSWORD": {"name": "database", "key": "password"},
            "TOKEN": {"name": "hub", "key": "token", "optional": True},
            "DASK_GATEWAY_API_URL": {"name": "elsewhere", "key": "url"},
            "DASK_GATEWAY_WORKER_NAME": {"name": "elsewhere", "key": "name"},
        },
        "worker_extra_container_config": {"env": [{"name": "TOKEN", "value": "mine"}]},
    }
    entries = container(worker_pod(**config))["env"]
    assert entries == [
        {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "database", "key": "password"}}},
        {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "hub", "key": "token", "optional": True}}},
        {"name": "DASK_DISTRIBUTED__WORKER__MULTIPROCESSING_METHOD", "value": "fork"},
        {"name": "URL", "value": "db://$(PASSWORD)@host"},
        *RESERVED,
        {"name": "DASK_GATEWAY_WORKER_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
    ]
    pod = scheduler_pod(environment_secrets=config["environment_secrets"])
    assert [entry["name"] for entry in container(pod)["env"]][:2] == ["PASSWORD", "TOKEN"]


@pytest.mark.parametrize("extra", [{}, {"env": None, "volumeMounts": None}, {"env": "text", "volumeMounts": {"a": 1}}])
def test_the_credentials_stay_whatever_is_stored_as_extra_configuration(extra: dict[str, Any]) -> None:
    hiding = [
        {"name": "mine", "mountPath": "/etc/dask-credentials"},
        {"name": "mine", "mountPath": "/etc//x/../dask-credentials/dask.crt"},
        {"name": "mine", "mountPath": "/etc/dask-credentials-of-another"},
    ]
    config = stored_cluster_config(
        {
            "worker_extra_container_config": {"volumeMounts": hiding, **extra},
            "worker_extra_pod_config": {"volumes": [{"name": "dask-credentials", "emptyDir": {}}, {"name": "mine"}]},
        }
    )
    (pod,) = build_worker_pods(INSTALLATION, cluster().full_name, config, [0])
    own, *others = container(pod)["volumeMounts"]
    assert own == {"name": "dask-credentials", "mountPath": "/etc/dask-credentials/", "readOnly": True}
    assert others == ([] if extra else hiding[2:])
    assert pod["spec"]["volumes"] == [
        {"name": "dask-credentials", "secret": {"secretName": "dask-credentials-c0ffee"}},
        {"name": "mine"},
    ]
    assert RESERVED[0] in container(pod)["env"]


def test_the_container_stays_where_another_is_put_in_its_place() -> None:
    config = stored_cluster_config({"scheduler_extra_pod_config": {"containers": {"name": "mine"}, "volumes": None}})
    pod = build_scheduler_pod(INSTALLATION, cluster().full_name, config)
    assert [entry["name"] for entry in pod["spec"]["containers"]] == ["dask-scheduler"]
    assert [entry["name"] for entry in pod["spec"]["volumes"]] == ["dask-credentials"]


def test_sidecars_stand_beside_the_container() -> None:
    more = [{"name": "log-shipper", "image": "shipper"}, {"name": "dask-scheduler", "image": "mine"}]
    config = stored_cluster_config({**CONFIG, "scheduler_extra_pod_config": {"containers": more}})
    pod = build_scheduler_pod(INSTALLATION, cluster().full_name, config)
    assert [entry["name"] for entry in pod["spec"]["containers"]] == ["dask-scheduler", "log-shipper"]
    assert container(pod)["image"] == "image:1"


def test_nonsense_in_a_list_is_left_for_kubernetes_to_explain() -> None:
    pod = scheduler_pod(scheduler_extra_pod_config={"volumes": ["cvmfs"]})
    assert pod["spec"]["volumes"][1:] == ["cvmfs"]


def test_extra_labels_win_over_common_ones_but_never_over_those_that_selectors_rely_on() -> None:
    installation = Installation(
        instance="test",
        api_url="http://api.gateway:8000/api",
        common_labels={"app.kubernetes.io/name": "dask-gateway", "team": "data"},
        common_annotations={"owner": "platform"},
    )
    pod = scheduler_pod(
        installation,
        scheduler_extra_pod_labels={
            "team": "science",
            "gateway.dask.org/instance": "other",
            "gateway.dask.org/cluster": "other",
            "app.kubernetes.io/component": "other",
        },
        scheduler_extra_pod_annotations={"note": "hello"},
    )
    assert pod["metadata"]["labels"] == {
        **LABELS,
        "app.kubernetes.io/name": "dask-gateway",
        "app.kubernetes.io/component": "dask-scheduler",
        "team": "science",
    }
    assert pod["metadata"]["annotations"] == {"owner": "platform", "note": "hello"}


def test_the_secret_holds_certificate_key_and_token() -> None:
    credentials = Credentials(b"certificate", b"key", "token")
    assert build_secret(INSTALLATION, cluster().full_name, credentials) == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": "dask-credentials-c0ffee",
            "namespace": "dask",
            "labels": {**LABELS, "app.kubernetes.io/component": "credentials"},
        },
        "type": "Opaque",
        "data": {"dask.crt": "Y2VydGlmaWNhdGU=", "dask.pem": "a2V5", "api-token": "dG9rZW4="},
    }


def test_credentials_do_not_show_in_logs() -> None:
    assert "key" not in repr(Credentials(b"certificate", b"key", "token"))


def test_the_service_is_headless_and_has_its_address_before_the_scheduler_is_ready() -> None:
    assert build_service(INSTALLATION, cluster().full_name) == {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "dask-c0ffee",
            "namespace": "dask",
            "labels": {**LABELS, "app.kubernetes.io/component": "dask-scheduler"},
        },
        "spec": {
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": {**LABELS, "app.kubernetes.io/component": "dask-scheduler"},
            "ports": [
                {"name": "scheduler", "port": 8786, "targetPort": 8786},
                {"name": "dashboard", "port": 8787, "targetPort": 8787},
                {"name": "api", "port": 8788, "targetPort": 8788},
            ],
        },
    }


@pytest.mark.parametrize(
    ("prefix", "path"),
    [("", "/clusters/dask.c0ffee/"), ("/services/gateway", "/services/gateway/clusters/dask.c0ffee/")],
)
def test_the_web_route_leads_from_the_public_path_to_the_dashboard(prefix: str, path: str) -> None:
    installation = Installation(
        instance="test",
        api_url="",
        proxy_prefix=prefix,
        proxy_web_entrypoint="websecure",
        proxy_web_middlewares=(MiddlewareRef("strip", "gateway"), MiddlewareRef("auth")),
    )
    route = build_ingress_route(installation, cluster().full_name)
    assert (route["apiVersion"], route["kind"]) == ("traefik.io/v1alpha1", "IngressRoute")
    assert route["metadata"]["name"] == "dask-c0ffee"
    assert route["spec"] == {
        "entryPoints": ["websecure"],
        "routes": [
            {
                "kind": "Rule",
                "match": f"PathPrefix(`{path}`)",
                "services": [{"name": "dask-c0ffee", "namespace": "dask", "port": 8787}],
                "middlewares": [{"name": "strip", "namespace": "gateway"}, {"name": "auth"}],
            }
        ],
    }


def test_routes_are_made_for_a_traefik_that_serves_others_too() -> None:
    installation = Installation(
        instance="test",
        api_url="",
        proxy_prefix="/gw",
        proxy_host="hub.example.org",
        proxy_tls=True,
        proxy_route_labels={"shard": "a"},
    )
    route = build_ingress_route(installation, cluster().full_name)
    assert route["spec"]["routes"][0]["match"] == "Host(`hub.example.org`) && PathPrefix(`/gw/clusters/dask.c0ffee/`)"
    assert route["spec"]["tls"] == {}
    tcp = build_ingress_route_tcp(installation, cluster().full_name)
    assert [made["metadata"]["labels"]["shard"] for made in (route, tcp)] == ["a", "a"]


def test_the_tcp_route_leads_from_the_server_name_to_the_scheduler() -> None:
    route = build_ingress_route_tcp(INSTALLATION, cluster().full_name)
    assert (route["apiVersion"], route["kind"]) == ("traefik.io/v1alpha1", "IngressRouteTCP")
    assert route["metadata"]["name"] == "dask-c0ffee"
    assert route["spec"] == {
        "entryPoints": ["tcp"],
        "routes": [
            {
                "match": "HostSNI(`daskgateway-dask.c0ffee`)",
                "services": [{"name": "dask-c0ffee", "namespace": "dask", "port": 8786}],
            }
        ],
        "tls": {"passthrough": True},
    }


def test_a_child_names_its_owner_and_does_not_hold_up_its_deletion() -> None:
    manifest = {"metadata": {"name": "child"}}
    assert with_owner(manifest, DASKCLUSTERS, "c0ffee", "uid") == {
        "metadata": {
            "name": "child",
            "ownerReferences": [
                {
                    "apiVersion": "gateway.dask.org/v1alpha1",
                    "kind": "DaskCluster",
                    "name": "c0ffee",
                    "uid": "uid",
                    "controller": True,
                    "blockOwnerDeletion": False,
                }
            ],
        }
    }
    assert manifest == {"metadata": {"name": "child"}}
