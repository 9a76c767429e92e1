"""Values files of existing installations, and what values can say."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway_common.configuration.known_keys import chart_defaults
from gateway_common.configuration.loading import Loaded, load_configuration
from gateway_common.configuration.model import Configuration
from gateway_common.configuration.values_file import merge_values
from gateway_common.errors import InvalidConfig

SEED = Path(__file__).parents[3] / "data" / "values"


def load(*files: Path, **environ: str) -> Loaded:
    return load_configuration(files, {f"DASK_GATEWAY__{name}": text for name, text in environ.items()}, instance="test")


@pytest.fixture
def values(tmp_path: Path) -> Callable[..., Path]:
    """Writes a values file."""

    def write(text: str, name: str = "values.yaml") -> Path:
        file = tmp_path / name
        file.write_text(text)
        return file

    return write


Write = Callable[..., Path]


def test_the_default_values_resolve_unchanged() -> None:
    configuration = load(SEED / "default.yaml").configuration
    expected = Configuration(instance="test")
    assert configuration.controller.k8s_api_rate_limit == 50
    controller = expected.controller.model_copy(update={"k8s_api_rate_limit": 50.0, "log_level": "INFO"})
    assert configuration.controller == controller
    assert configuration.prefix == ""
    assert configuration.api == expected.api.model_copy(update={"log_level": "INFO"})
    assert configuration.auth == expected.auth.model_copy(update={"log_level": "INFO"})
    # what is empty there changes nothing
    assert {name: value for name, value in configuration.backend.items() if value} == {
        "image": "ghcr.io/dask/dask-gateway:set-by-chartpress"
    }
    assert (configuration.limits, configuration.groups, configuration.options) == (expected.limits, {}, [])


def test_every_default_is_known_to_code() -> None:
    """What `get_property` finds where an operator sets nothing, but for the tags that each release has."""

    def differences(there: dict[str, Any], here: dict[str, Any], path: str = "") -> set[str]:
        found: set[str] = set()
        for key, value in there.items():
            where = f"{path}.{key}".lstrip(".")
            assert key in here, where
            if isinstance(value, dict) and value:
                found |= differences(value, here[key], where)
            elif value != here[key]:
                found.add(where)
        return found

    default = yaml.safe_load((SEED / "default.yaml").read_text())
    assert differences(default, chart_defaults()) == {
        "gateway.image.tag",
        "gateway.backend.image.tag",
        "controller.image.tag",
        "traefik.image.tag",
        "controller.k8sApiRateLimit",  # no limit of our own: the API server shares itself out
    }


def test_an_image_of_the_operators() -> None:
    loaded = load(SEED / "default.yaml", SEED / "image.yaml")
    assert loaded.configuration.backend["image"] == "quay.io/example/notebook:2026.11.1"
    assert str(loaded.sources["backend", "image"]) == f"{SEED / 'image.yaml'}: gateway.backend.image.name and tag"


def test_schedulers_that_avoid_nodes() -> None:
    configuration = load(SEED / "default.yaml", SEED / "affinity.yaml").configuration
    terms = [{"matchExpressions": [{"key": "cloud.google.com/gke-preemptible", "operator": "DoesNotExist"}]}]
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    assert configuration.backend["scheduler_extra_pod_config"] == {"affinity": {"nodeAffinity": required}}


def test_options_by_code() -> None:
    loaded = load(SEED / "default.yaml", SEED / "options.yaml")
    options = loaded.configuration.cluster_options
    assert [field["field"] for field in options.get_specification()] == ["worker_cores", "worker_memory", "image"]
    assert "gateway.extraConfig.clusteroptions" in str(loaded.sources["cluster_options",])


def test_a_jupyterhub_in_the_same_namespace() -> None:
    auth = load(SEED / "default.yaml", SEED / "hub_same_namespace.yaml").configuration.auth
    assert (auth.authenticator, auth.jupyterhub.api_token, auth.jupyterhub.api_url) == ("jupyterhub", None, None)


def test_a_jupyterhub_in_another_namespace() -> None:
    auth = load(SEED / "default.yaml", SEED / "hub_other_namespace.yaml").configuration.auth
    assert auth.authenticator == "jupyterhub"
    assert auth.jupyterhub.api_token is not None
    assert auth.jupyterhub.api_token.get_secret_value() == "5f7d0a1c"
    assert auth.jupyterhub.api_url == "https://hub.example.org:443/hub/api"


@pytest.mark.parametrize("above", [("dask-gateway",), ("basehub", "dask-gateway")])
def test_of_a_chart_that_includes_this_one_its_part_counts(values: Write, above: tuple[str, ...]) -> None:
    tree: dict[str, Any] = {"enabled": True, "gateway": {"prefix": "/services/dask-gateway", "replica": 2}}
    for name in reversed(above):
        tree = {"jupyterhub": {"hub": {"config": {}}}, "global": {}, name: tree}
    with pytest.raises(InvalidConfig) as raised:
        load(values(yaml.safe_dump(tree)))
    place = ".".join(above)
    assert str(raised.value).endswith(f"{place}.gateway.replica: unknown key: did you mean gateway.replicas?")
    file = values(yaml.safe_dump(tree).replace("replica:", "replicas:"))
    assert load(file).configuration.prefix == "/services/dask-gateway"


def test_a_file_with_keys_of_this_chart_is_one_of_this_chart(values: Write) -> None:
    with pytest.raises(InvalidConfig, match="dask-gateway: unknown key"):
        load(values("{gateway: {}, dask-gateway: {}}"))


def test_a_key_that_is_there_twice_is_named(values: Write, caplog: pytest.LogCaptureFixture) -> None:
    file = values("gateway:\n  prefix: /a\n  replicas: 2\n  prefix: /b\n")
    assert load(file).configuration.prefix == "/b"
    assert caplog.messages == [
        f"{file}, line 4: prefix is there a second time: what stands at the first counts for nothing"
    ]


def test_without_traefik() -> None:
    with_traefik, without = load(SEED / "default.yaml"), load(SEED / "default.yaml", SEED / "no_traefik.yaml")
    assert without.configuration == with_traefik.configuration


@pytest.mark.parametrize(
    ("image", "resolved"),
    [
        ("{name: quay.io/a/b}", "quay.io/a/b:2026.3.0"),
        ('{tag: "7"}', "ghcr.io/dask/dask-gateway:7"),
        ("quay.io/a/b:1", "quay.io/a/b:1"),
        ("{name: 'registry:5000/a/b', tag: x}", "registry:5000/a/b:x"),
        ("{name: 'registry:5000/a/b'}", "registry:5000/a/b:2026.3.0"),
        ("{name: 'quay.io/a/b:1'}", "quay.io/a/b:1"),
        ("{name: 'quay.io/a/b@sha256:0123'}", "quay.io/a/b@sha256:0123"),
        ("{name: quay.io/a/b, tag: 'sha256:0123'}", "quay.io/a/b@sha256:0123"),
    ],
)
def test_an_image_in_parts_or_as_text(values: Write, image: str, resolved: str) -> None:
    file = values(f"gateway: {{backend: {{image: {image}}}}}")
    assert load(file).configuration.backend == {"image": resolved}


def test_a_pull_policy_alone_leaves_the_image_open(values: Write) -> None:
    file = values("gateway: {backend: {image: {pullPolicy: Always}}}")
    assert load(file).configuration.backend == {"image_pull_policy": "Always"}


def test_a_groups_image_is_the_general_one_but_for_what_it_says(values: Write) -> None:
    file = values("""
gateway:
  backend: {image: {name: quay.io/a/b, tag: "1"}}
  groups:
    students: {backend: {image: {tag: teaching}}}
    staff: {backend: {image: quay.io/c/d:2}}
""")
    groups = load(file).configuration.groups
    assert groups["students"].backend == {"image": "quay.io/a/b:teaching"}
    assert groups["staff"].backend == {"image": "quay.io/c/d:2"}


def test_groups_of_workers_have_the_keys_of_workers(values: Write) -> None:
    file = values("""
gateway:
  backend:
    image: {name: quay.io/a/b, tag: "1"}
    workerGroups:
      gpu:
        image: {tag: gpu}
        cores: {request: 4, limit: 8}
        memory: {request: 16G}
        threads: 2
        resources: {GPU: 1}
        environment: {A: b, KEY: {valueFrom: {secretKeyRef: {name: storage, key: key}}}}
        extraPodConfig: {nodeSelector: {pool: gpu}}
      spare: {}
  groups:
    students:
      backend:
        workerGroups:
          gpu: {image: {name: quay.io/c/d}, cores: {request: 1}}
          spare: null
""")
    configuration = load(file).configuration
    assert configuration.backend["worker_groups"] == {
        "gpu": {
            "image": "quay.io/a/b:gpu",
            "worker_cores": 4,
            "worker_cores_limit": 8,
            "worker_memory": "16G",
            "worker_threads": 2,
            "worker_resources": {"GPU": 1},
            "environment": {"A": "b"},
            "environment_secrets": {"KEY": {"name": "storage", "key": "key"}},
            "worker_extra_pod_config": {"nodeSelector": {"pool": "gpu"}},
        },
        "spare": {},
    }
    assert configuration.groups["students"].backend == {
        "worker_groups": {"gpu": {"image": "quay.io/c/d:1", "worker_cores": 1}}
    }


@pytest.mark.parametrize(
    ("group", "problem"),
    [
        (
            "gpu: {coress: {request: 1}}",
            "gpu.coress: unknown key: did you mean gateway.backend.workerGroups.gpu.cores?",
        ),
        ("gpu: {resources: {GPU: x}}", "gpu.resources.GPU: expected a number, got text"),
        ("gpu: {scheduler: {}}", "gpu.scheduler: unknown key"),
        ("gpu: 3", "gpu: expected an object, got a number"),
        ("GPU: {threads: 1}", "'GPU' is no name of a group of workers"),
        ("gpu: {memory: {request: 2G, limit: 1G}}", "worker_groups.gpu: worker_memory_limit"),
    ],
)
def test_what_is_wrong_with_a_group_of_workers_is_named(values: Write, group: str, problem: str) -> None:
    with pytest.raises(InvalidConfig) as caught:
        load(values(f"gateway: {{backend: {{workerGroups: {{{group}}}}}}}"))
    assert problem in str(caught.value)


def test_variables_from_secrets(values: Write) -> None:
    file = values("""
gateway:
  backend:
    environment:
      REGION: eu
      COUNT: 3
      KEY: {valueFrom: {secretKeyRef: {name: storage, key: key, optional: true}}}
""")
    assert load(file).configuration.backend == {
        "environment": {"REGION": "eu", "COUNT": 3},
        "environment_secrets": {"KEY": {"name": "storage", "key": "key", "optional": True}},
    }


def test_what_today_takes_code(values: Write) -> None:
    file = values("""
gateway:
  backend:
    idleTimeout: 600
    maxLifetime: 86400
    scheduler: {startTimeout: 300, labels: {a: b}, command: [tini, dask, scheduler]}
    worker: {startTimeout: 200, annotations: {c: d}}
    limits: {workers: 10, memory: 64G}
    commonLabels: {team: data}
    namespaces: [one, two]
  admin: {users: [root]}
  limits:
    user: {clusters: 2, memory: 256G}
    total: {cores: 1000}
    onExceeded: queue
  options:
    - {name: size, type: select, choices: {small: {worker_cores: 1}, large: {worker_cores: 8}}}
  groups:
    gpu:
      priority: 3
      backend: {worker: {extraPodConfig: {nodeSelector: {accelerator: gpu}}}}
      options: [{name: worker_cores, type: integer, default: 1}]
      limits: {user: {lifetime: 60}, group: {workers: 5}}
controller: {proxyWebMiddlewares: [{name: strip}]}
""")
    configuration = load(file).configuration
    assert configuration.backend == {
        "idle_timeout": 600,
        "max_lifetime": 86400,
        "scheduler_start_timeout": 300,
        "scheduler_extra_pod_labels": {"a": "b"},
        "scheduler_cmd": ["tini", "dask", "scheduler"],
        "worker_start_timeout": 200,
        "worker_extra_pod_annotations": {"c": "d"},
        "cluster_max_workers": 10,
        "cluster_max_memory": "64G",
    }
    assert (configuration.common_labels, configuration.kube.namespaces) == ({"team": "data"}, ["one", "two"])
    assert configuration.admin.users == ["root"]
    limits = configuration.limits
    assert (limits.user.clusters, limits.user.memory, limits.total.cores) == (2, 256 * 2**30, 1000)
    assert limits.on_exceeded == "queue"
    assert [option.name for option in configuration.options] == ["size"]
    gpu = configuration.groups["gpu"]
    assert gpu.priority == 3
    assert gpu.backend == {"worker_extra_pod_config": {"nodeSelector": {"accelerator": "gpu"}}}
    assert [option.name for option in gpu.options] == ["worker_cores"]
    assert (gpu.limits.user.lifetime, gpu.limits.group.workers) == (60, 5)
    assert [middleware.name for middleware in configuration.controller.proxy_web_middlewares] == ["strip"]


def test_files_merge_as_helm_merges_them(values: Write) -> None:
    first = values("""
gateway:
  backend:
    environment: {A: "1", B: "2"}
    imagePullSecrets: [{name: one}]
    idleTimeout: 5
""")
    second = values(
        """
gateway:
  backend:
    environment: {B: null, C: "3"}
    imagePullSecrets: [{name: two}]
    idleTimeout:
""",
        "more.yaml",
    )
    loaded = load(first, second)
    assert loaded.configuration.backend == {
        "environment": {"A": "1", "C": "3"},
        "image_pull_secrets": [{"name": "two"}],
    }
    assert str(loaded.sources["backend", "environment"]) == f"{first}, {second}: gateway.backend.environment"
    assert str(loaded.sources["backend", "image_pull_secrets"]) == f"{second}: gateway.backend.imagePullSecrets"


def test_merging_changes_neither_argument() -> None:
    base, over = {"a": {"b": 1}, "c": 2}, {"a": {"d": 3}, "c": None}
    assert merge_values(base, over) == {"a": {"b": 1, "d": 3}}
    assert (base, over) == ({"a": {"b": 1}, "c": 2}, {"a": {"d": 3}, "c": None})


def test_later_sources_win(values: Write) -> None:
    file = values("""
gateway: {extraConfig: "c.KubeController.parallelism = 3\\nc.KubeController.backoff_max_delay = 4"}
controller: {parallelism: 2, backoffMaxDelay: 2, backoffBaseDelay: 2}
""")
    code = values("c.KubeController.completed_cluster_max_age = 5\n", "code.py")
    loaded = load(file, code, CONTROLLER__PARALLELISM="6")
    controller = loaded.configuration.controller
    assert controller.parallelism == 6
    assert controller.backoff_max_delay == 4
    assert controller.backoff_base_delay == 2
    assert controller.completed_cluster_max_age == 5
    assert controller.backoff_max_delay != Configuration(instance="x").controller.backoff_max_delay
    places = {name: loaded.sources["controller", name].place for name in ("parallelism", "backoff_base_delay")}
    assert places == {"parallelism": "environment", "backoff_base_delay": str(file)}


def test_json_is_read_too(values: Write) -> None:
    file = values('{"controller": {"parallelism": 20.0}}', "values.json")
    assert load(file).configuration.controller.parallelism == 20


def test_an_empty_file_sets_nothing(values: Write) -> None:
    assert load(values("# nothing yet\n")).configuration == load().configuration


def test_scalars_are_read_as_helm_reads_them(values: Write) -> None:
    file = values("""
gateway:
  backend:
    idleTimeout: 1e3
    environment: {DATE: 2026-11-24, TIME: 1:30, HEX: 0x10}
    worker: {labels: {released: 2026-11-24}}
""")
    backend = load(file).configuration.backend
    assert backend["idle_timeout"] == 1000
    assert backend["environment"] == {"DATE": "2026-11-24", "TIME": "1:30", "HEX": 16}
    assert backend["worker_extra_pod_labels"] == {"released": "2026-11-24"}


def test_a_pair_that_a_group_makes_impossible_is_named_by_both_keys(values: Write) -> None:
    file = values("""
gateway:
  backend: {worker: {memory: {request: 4G}}}
  groups: {small: {backend: {worker: {memory: {limit: 2G}}}}}
""")
    keys = (
        r"gateway\.backend\.worker\.memory\.request and gateway\.groups\.small\.backend\.worker\.memory\.limit: "
        "worker_memory_limit .* must not be below worker_memory"
    )
    with pytest.raises(InvalidConfig, match=keys):
        load(file)
