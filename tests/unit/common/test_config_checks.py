"""What is wrong with a cluster's configuration is said while somebody waits for the answer, by the field's name."""

from typing import Any

import pytest

from gateway_common.config import ClusterConfig, check_overrides, parse_cluster_config, stored_cluster_config
from gateway_common.errors import InvalidConfig

CREDENTIALS = "/etc/dask-credentials"


def complaint(values: dict[str, Any]) -> str:
    with pytest.raises(InvalidConfig) as raised:
        parse_cluster_config(values)
    return str(raised.value)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"wrker_cores": 1}, "wrker_cores: there is no such field in a cluster's configuration: did you mean worker_c"),
        ({"zzz": 1}, "zzz: there is no such field in a cluster's configuration"),
        ({"worker_cores": "500m"}, "worker_cores: expected a number, got '500m'"),
        ({"worker_cores": -1}, "worker_cores: must be greater than 0, got -1"),
        ({"worker_cores": True}, "worker_cores: expected a number, got a boolean"),
        ({"worker_cores": [1]}, "worker_cores: expected a number, got a list"),
        ({"worker_cores": 2**21}, "worker_cores: must be less than or equal to 1048576, got 2097152"),
        ({"worker_cores": 10**400}, "worker_cores: expected a number, got a very large number"),
        ({"worker_threads": 2.5}, "worker_threads: expected a whole number, got 2.5"),
        ({"worker_threads": True}, "worker_threads: expected a number, got a boolean"),
        ({"cluster_max_workers": -(10**400)}, "cluster_max_workers: must be greater than or equal to 0, got a very"),
        ({"worker_memory": True}, "worker_memory: expected bytes or a number with one of the suffixes"),
        ({"worker_memory": None}, "worker_memory: expected a whole number, got null"),
        ({"idle_timeout": "soon"}, "idle_timeout: expected a number, got 'soon'"),
        ({"image": ""}, "image: must not be empty"),
        ({"image": "a b"}, "image: 'a b' has white space in it, which no image's name has"),
        ({"image": "a:1\n"}, "image: 'a:1\\n' has white space in it"),
        ({"image_pull_policy": "always"}, "image_pull_policy: must be 'Always', 'IfNotPresent' or 'Never'"),
        ({"worker_cmd": []}, "worker_cmd: must not be empty"),
        ({"worker_cmd": ["dask", 1]}, "worker_cmd[1]: expected text, got a number"),
        ({"namespace": "Dask"}, "namespace: 'Dask' can't be a namespace: allowed are lower-case letters"),
        ({"namespace": "dask-{user}"}, "namespace: 'dask-{user}' can't be a namespace"),
        ({"namespace": "a" * 64}, "namespace: 'aaa"),
        ({"namespace": 5}, "namespace: expected text, got a number"),
    ],
)
def test_a_wrong_value_is_told_by_the_fields_name(values: dict[str, Any], said: str) -> None:
    assert complaint(values).startswith(said)


@pytest.mark.parametrize(
    "field", ["worker_cores", "worker_memory", "adaptive_period", "idle_timeout", "max_lifetime", "cluster_max_cores"]
)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_no_number_is_infinite(field: str, value: float) -> None:
    assert complaint({field: value}).startswith(f"{field}: ")


def test_a_wrong_request_is_told_once_though_the_limit_follows_from_it() -> None:
    assert complaint({"worker_cores": -1, "worker_memory": "x"}).count("worker_") == 2


@pytest.mark.parametrize("request_", ["worker_cores", "worker_memory", "scheduler_cores", "scheduler_memory"])
def test_a_limit_is_not_below_its_request(request_: str) -> None:
    text = f"{request_}_limit (2) must not be below {request_} (3)".replace("(2)", "(2.0)").replace("(3)", "(3.0)")
    expected = text if "cores" in request_ else text.replace(".0", "")
    assert complaint({request_: 3, f"{request_}_limit": 2}) == expected
    assert parse_cluster_config({request_: 3, f"{request_}_limit": 3})


class TestEnvironment:
    def test_numbers_are_taken_as_text(self) -> None:
        environment = parse_cluster_config({"environment": {"A": 1, "B": 1.5, "C": "c", "D": ""}}).environment
        assert environment == {"A": "1", "B": "1.5", "C": "c", "D": ""}

    @pytest.mark.parametrize(
        ("value", "said"),
        [
            (True, "expected text, got a boolean: write it in quotes, as 'true'"),
            (None, "expected text, got null: leave the name out, or give it an empty text"),
            (["a"], "expected text or a number, got a list"),
            (float("nan"), "expected text or a number, got a number"),
            ({"valueFrom": {"secretKeyRef": {"name": "hub", "key": "hunter2"}}}, "expected text, got an object: which"),
            ("a\0b", "has a zero byte in it"),
        ],
    )
    def test_what_is_no_text_is_refused_with_a_hint(self, value: Any, said: str) -> None:
        text = complaint({"environment": {"GOOD": "hunter2", "BAD": value}})
        assert text.startswith(f"environment.BAD: {said}")
        assert "hunter2" not in text

    def test_secrets_do_not_show_in_the_errors_that_stand_behind(self) -> None:
        with pytest.raises(InvalidConfig) as raised:
            parse_cluster_config({"environment": {"A": "hunter2"}, "worker_cmd": {"A": "hunter2"}})
        assert "hunter2" not in f"{raised.value}{raised.value.__cause__}"

    @pytest.mark.parametrize("name", ["1A", "A B", "A=B", "..", "\u00dc"])
    @pytest.mark.parametrize("field", ["environment", "environment_secrets"])
    def test_names_are_those_that_every_kubernetes_takes(self, field: str, name: str) -> None:
        value: Any = "a" if field == "environment" else {"name": "a", "key": "b"}
        assert complaint({field: {"A": value, name: value}}).startswith(f"{field}.{name}: {name!r} can't be an ")

    def test_a_name_is_not_empty(self) -> None:
        assert complaint({"environment": {"": "a"}}).startswith("environment: '' can't be an environment variable's")

    def test_all_that_is_wrong_is_told(self) -> None:
        text = complaint({"environment": {"A": True, "1": "x", 2: "y"}})
        assert [part.partition(":")[0] for part in text.split("; ")] == [
            "environment.A",
            "environment.1",
            "environment.2",
        ]

    @pytest.mark.parametrize(
        ("value", "said"),
        [
            ({"name": "hub"}, "A.key: it must be given"),
            ({"name": "hub", "key": "a", "other": 1}, "A.other: there is no such field"),
            ({"name": "Hub!", "key": "a"}, "A.name: 'Hub!' can't be an object's name"),
            ({"name": "hub", "key": "a b"}, "A.key: 'a b' can't be a key of a Secret"),
            ({"name": "hub", "key": "a", "optional": "maybe"}, "A.optional: expected true or false, got 'maybe'"),
            ("hub", "A: expected an object, got text"),
        ],
    )
    def test_a_secrets_key_is_named_in_full(self, value: Any, said: str) -> None:
        assert complaint({"environment_secrets": {"A": value}}).startswith(f"environment_secrets.{said}")


@pytest.mark.parametrize("whose", ["worker", "scheduler"])
class TestLabels:
    def test_a_users_name_that_is_an_address_is_no_label(self, whose: str) -> None:
        text = complaint({f"{whose}_extra_pod_labels": {"hub.jupyter.org/user": "alice@example.com"}})
        assert text.startswith(
            f"{whose}_extra_pod_labels.hub.jupyter.org/user: 'alice@example.com' can't be a label's value: allowed are"
        )
        assert "use an annotation" in text
        annotations = {"hub.jupyter.org/user": "alice@example.com"}
        assert parse_cluster_config({f"{whose}_extra_pod_annotations": annotations})

    def test_keys_are_checked_too(self, whose: str) -> None:
        for kind, what in {"labels": "a label's key", "annotations": "an annotation's key"}.items():
            field = f"{whose}_extra_pod_{kind}"
            assert complaint({field: {"a b": "x"}}).startswith(f"{field}.a b: 'a b' can't be {what}")

    def test_numbers_are_text_and_booleans_are_not(self, whose: str) -> None:
        config = parse_cluster_config({f"{whose}_extra_pod_labels": {"cost-centre": 4711}})
        assert getattr(config, f"{whose}_extra_pod_labels") == {"cost-centre": "4711"}
        assert "as 'false'" in complaint({f"{whose}_extra_pod_labels": {"cost-centre": False}})

    def test_labels_of_the_gateways_own_are_let_through_because_pods_keep_them_anyway(self, whose: str) -> None:
        assert parse_cluster_config({f"{whose}_extra_pod_labels": {"gateway.dask.org/cluster": "mine"}})


@pytest.mark.parametrize("whose", ["worker", "scheduler"])
class TestExtraConfiguration:
    @pytest.mark.parametrize("value", ["text", ["a"], None, 1, True])
    @pytest.mark.parametrize("part", ["pod", "container"])
    def test_it_is_an_object(self, whose: str, part: str, value: Any) -> None:
        field = f"{whose}_extra_{part}_config"
        assert complaint({field: value}).startswith(f"{field}: expected an object, got ")

    @pytest.mark.parametrize(
        ("value", "said"),
        [
            ({"a": {"b": [1, float("nan")]}}, "a.b.1: nan is no number that Kubernetes knows"),
            ({"a": {1: "b"}}, "a: the name of an entry must be text, not a number"),
            ({"a": {"b": {1, 2}}}, "a.b: expected what JSON can express, got a Python set"),
            ({"a": b"x"}, "a: expected what JSON can express, got a Python bytes"),
            ({"a": 2**63}, "a: the number is too large for Kubernetes"),
        ],
    )
    def test_it_is_json(self, whose: str, value: Any, said: str) -> None:
        assert complaint({f"{whose}_extra_pod_config": value}) == f"{whose}_extra_pod_config.{said}"

    def test_it_has_an_end(self, whose: str) -> None:
        endless: dict[str, Any] = {}
        endless["a"] = endless
        assert "nested more than" in complaint({f"{whose}_extra_pod_config": endless})

    def test_tuples_of_configuration_code_are_lists(self, whose: str) -> None:
        config = parse_cluster_config({f"{whose}_extra_pod_config": {"tolerations": ({"key": "a"},)}})
        assert getattr(config, f"{whose}_extra_pod_config") == {"tolerations": [{"key": "a"}]}

    @pytest.mark.parametrize(
        ("part", "key"),
        [("pod", "volumes"), ("pod", "containers"), ("container", "env"), ("container", "volumeMounts")],
    )
    def test_lists_that_the_gateway_puts_something_into_are_lists(self, whose: str, part: str, key: str) -> None:
        field = f"{whose}_extra_{part}_config"
        for value, name in ((None, "null"), ({"a": 1}, "an object")):
            assert complaint({field: {key: value}}) == f"{field}.{key}: expected a list, got {name}"

    @pytest.mark.parametrize(
        "path",
        [CREDENTIALS, f"{CREDENTIALS}/", f"{CREDENTIALS}/dask.pem", f"/x/..{CREDENTIALS}", f"/{CREDENTIALS}"],
    )
    def test_the_credentials_are_not_hidden_by_another_mount(self, whose: str, path: str) -> None:
        mount = {"name": "mine", "mountPath": path}
        text = complaint({f"{whose}_extra_container_config": {"volumeMounts": [mount]}})
        assert text.startswith(f"{whose}_extra_container_config.volumeMounts: {CREDENTIALS} is where ")

    def test_the_volume_of_the_credentials_is_the_gateways(self, whose: str) -> None:
        text = complaint({f"{whose}_extra_pod_config": {"volumes": [{"name": "dask-credentials", "emptyDir": {}}]}})
        assert text.startswith(f"{whose}_extra_pod_config.volumes: the gateway has a volume dask-credentials")

    def test_a_sidecar_is_not_taken_for_the_container(self, whose: str) -> None:
        text = complaint({f"{whose}_extra_pod_config": {"containers": [{"name": f"dask-{whose}", "image": "a"}]}})
        assert text.startswith(f"{whose}_extra_pod_config.containers: the gateway's own container is called dask-")
        assert parse_cluster_config({f"{whose}_extra_pod_config": {"containers": [{"name": "sidecar"}]}})

    def test_all_else_is_the_operators_to_say(self, whose: str) -> None:
        container = {"volumeMounts": [{"name": "a", "mountPath": f"{CREDENTIALS}-of-mine"}], "securityContext": None}
        pod = {"restartPolicy": "Always", "hostNetwork": True, "volumes": [{"name": "a", "emptyDir": {}}]}
        config = parse_cluster_config({f"{whose}_extra_container_config": container, f"{whose}_extra_pod_config": pod})
        assert getattr(config, f"{whose}_extra_container_config") == container
        assert getattr(config, f"{whose}_extra_pod_config") == pod


class TestPullSecrets:
    def test_a_name_alone_is_understood(self) -> None:
        config = parse_cluster_config({"image_pull_secrets": ["a", {"name": "b"}]})
        assert config.image_pull_secrets == [{"name": "a"}, {"name": "b"}]

    @pytest.mark.parametrize("entry", [1, {"name": 1}, {}, {"name": "a", "key": "b"}, None])
    def test_an_entry_is_a_name_and_nothing_else(self, entry: Any) -> None:
        assert complaint({"image_pull_secrets": [entry]}).startswith("image_pull_secrets: each entry must be {name: ")

    def test_the_name_can_be_a_name(self) -> None:
        assert complaint({"image_pull_secrets": ["A b"]}).startswith("image_pull_secrets: 'A b' can't be an object's")


def test_what_files_leave_open_with_an_empty_text_is_left_open() -> None:
    config = parse_cluster_config({"image_pull_policy": "", "namespace": ""})
    assert (config.image_pull_policy, config.namespace) == (None, None)


def test_numbers_beyond_all_use_are_cut_to_what_fits_everywhere() -> None:
    config = parse_cluster_config({"idle_timeout": 1e300, "cluster_max_workers": 10**30, "worker_threads": 10**30})
    assert (config.idle_timeout, config.cluster_max_workers, config.worker_threads) == (1e9, 2**31 - 1, 2**31 - 1)


class TestOverrides:
    @pytest.mark.parametrize(
        "values",
        [
            {},
            {"worker_memory_limit": "1G"},
            {"scheduler_cores": 8},
            {"cluster_max_memory": "1G"},
            {"worker_memory": "64G"},
            {"namespace": "dask-{user}"},
            {"namespace": "{group}"},
            {"namespace": "a-{group}-{user}"},
            {"worker_threads": None},
        ],
    )
    def test_what_only_the_whole_can_tell_is_let_pass(self, values: dict[str, Any]) -> None:
        check_overrides(values)

    @pytest.mark.parametrize(
        ("values", "said"),
        [
            ({"worker_memory": "4G", "worker_memory_limit": "2G"}, "worker_memory_limit .* must not be below"),
            ({"worker_cores": 0}, "^worker_cores: must be greater than 0, got 0$"),
            ({"namespace": "dask-{name}"}, "^namespace: 'dask-{name}' can't be a namespace"),
            ({"namespace": "Dask-{user}"}, "^namespace: 'Dask-{user}' can't be .*; {user} and {group} stand for"),
            ({"namespace": "{user}{group}"}, "^namespace: in '{user}{group}' a '-' must follow the first"),
            ({"worker_extra_pod_labels": {"a": "b c"}}, "^worker_extra_pod_labels.a: 'b c' can't"),
            ({"nonsense": 1}, "^nonsense: there is no such field"),
        ],
    )
    def test_what_is_wrong_by_itself_is_told(self, values: dict[str, Any], said: str) -> None:
        with pytest.raises(InvalidConfig, match=said):
            check_overrides(values)


class TestStored:
    @pytest.mark.parametrize(
        ("values", "field", "read"),
        [
            ({"environment": {"A": True, "B": None, "1 2": "x"}}, "environment", {"A": "true", "B": "", "1 2": "x"}),
            ({"worker_extra_pod_labels": {"a": "b c"}}, "worker_extra_pod_labels", {"a": "b c"}),
            ({"image": "a b"}, "image", "a b"),
            ({"namespace": "Dask"}, "namespace", "Dask"),
            ({"image_pull_secrets": [{"name": "A b"}]}, "image_pull_secrets", [{"name": "A b"}]),
            ({"worker_extra_pod_config": {"volumes": None}}, "worker_extra_pod_config", {"volumes": None}),
            ({"worker_threads": None, "worker_cores": 3}, "worker_threads", 3),
            ({"profile": "large", "worker_cores": 3}, "worker_cores", 3),
        ],
    )
    def test_what_another_version_let_through_is_read(self, values: dict[str, Any], field: str, read: Any) -> None:
        assert getattr(stored_cluster_config(values), field) == read

    def test_what_the_reference_system_stores_is_read(self) -> None:
        stored = {
            "adaptive_period": 3,
            "cluster_max_cores": None,
            "cluster_max_memory": None,
            "cluster_max_workers": None,
            "environment": {},
            "idle_timeout": 0,
            "image": "daskgateway/dask-gateway:latest",
            "image_pull_policy": None,
            "image_pull_secrets": [],
            "namespace": "default",
            "scheduler_cmd": ["dask-scheduler"],
            "scheduler_cores": 1,
            "scheduler_cores_limit": 1,
            "scheduler_extra_container_config": {},
            "scheduler_extra_pod_annotations": {},
            "scheduler_extra_pod_config": {},
            "scheduler_extra_pod_labels": {},
            "scheduler_memory": 2147483648,
            "scheduler_memory_limit": 2147483648,
            "worker_cmd": ["dask-worker"],
            "worker_cores": 1,
            "worker_cores_limit": 1,
            "worker_extra_container_config": {},
            "worker_extra_pod_annotations": {},
            "worker_extra_pod_config": {},
            "worker_extra_pod_labels": {},
            "worker_memory": 2147483648,
            "worker_memory_limit": 2147483648,
            "worker_threads": None,
        }
        config = stored_cluster_config(stored)
        assert config.max_workers is None
        assert config == stored_cluster_config({**stored, "environment_secrets": {}})
        assert set(stored) <= set(ClusterConfig.model_fields)
