"""Settings in environment variables."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_common.configuration.environment import known_variables
from gateway_common.configuration.loading import configured_files, load_configuration
from gateway_common.configuration.model import Configuration
from gateway_common.errors import InvalidConfig


def load(**variables: str) -> Configuration:
    environ = {f"DASK_GATEWAY__{name}": text for name, text in variables.items()}
    return load_configuration([], environ, instance="test").configuration


def test_variables_set_what_they_are_named_after() -> None:
    configuration = load(
        CONTROLLER__PARALLELISM="3",
        ADMIN__USERS='["root"]',
        LIMITS__USER__MEMORY="4 G",
        BACKEND__WORKER_MEMORY="4G",
        BACKEND__WORKER_CORES="2",
        BACKEND__WORKER_CMD='["dask", "worker"]',
        BACKEND__IMAGE="2026",
        KUBE__TOKEN="",
        KUBE__URL="https://kube",
        GROUPS='{"staff": {"priority": 2, "backend": {"image": "a:b"}}}',
    )
    assert configuration.controller.parallelism == 3
    assert configuration.admin.users == ["root"]
    assert configuration.limits.user.memory == 4 * 2**30
    assert configuration.backend == {
        "worker_memory": "4G",
        "worker_cores": 2,
        "worker_cmd": ["dask", "worker"],
        "image": "2026",
    }
    assert (configuration.groups["staff"].priority, configuration.groups["staff"].backend) == (2, {"image": "a:b"})


def test_a_group_may_be_given_as_json_and_one_of_its_settings_alone() -> None:
    controller = load(CONTROLLER='{"parallelism": 3, "port": 1}', CONTROLLER__PORT="2").controller
    assert (controller.parallelism, controller.port) == (3, 2)


def test_a_default_of_the_installations_gives_way_to_files_code_and_variables(tmp_path: Path) -> None:
    values, code = tmp_path / "values.yaml", tmp_path / "code.py"
    values.write_text("controller: {parallelism: 2, proxyWebEntrypoint: null}")
    code.write_text("c.KubeController.backoff_base_delay = 3")
    defaults = {"PARALLELISM": "7", "BACKOFF_BASE_DELAY": "7", "PORT": "7", "PROXY_WEB_ENTRYPOINT": "websecure"}
    environ = {f"DASK_GATEWAY_DEFAULT__CONTROLLER__{name}": text for name, text in defaults.items()}
    environ["DASK_GATEWAY__CONTROLLER__PORT"] = "4"
    controller = load_configuration([values, code], environ, instance="test").configuration.controller
    assert (controller.parallelism, controller.backoff_base_delay, controller.port) == (2, 3, 4)
    assert controller.proxy_web_entrypoint == "websecure", "a blank value says nothing"


def test_a_misspelt_default_is_an_error() -> None:
    with pytest.raises(InvalidConfig, match="DASK_GATEWAY_DEFAULT__CONTROLLER__PARALELISM: unknown setting"):
        load_configuration([], {"DASK_GATEWAY_DEFAULT__CONTROLLER__PARALELISM": "1"}, instance="test")


def test_the_clients_own_variables_say_nothing() -> None:
    variables = {
        "ADDRESS": "http://gateway",
        "PUBLIC_ADDRESS": "http://gateway",
        "PROXY_ADDRESS": "1",
        "AUTH__TYPE": "jupyterhub",
        "AUTH__KWARGS__API_TOKEN": "x",
        "AUTH__KWARGS": "{}",
        "HTTP_CLIENT__PROXY": "false",
        "CLUSTER__OPTIONS__IMAGE": "x",
        "CONFIG_FILES": "[]",
    }
    assert load(**variables) == load()


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("ADRESS", "x", "DASK_GATEWAY__ADRESS: unknown setting"),
        ("CONTROLLER__PARALELISM", "3", "did you mean DASK_GATEWAY__CONTROLLER__PARALLELISM?"),
        ("BACKEND__WORKER_MEMRY", "3", "did you mean DASK_GATEWAY__BACKEND__WORKER_MEMORY?"),
        ("BACKEND__ENVIRONMENT__FOO", "3", "set all of it in DASK_GATEWAY__BACKEND__ENVIRONMENT, as a JSON object"),
        ("GROUPS__STAFF__PRIORITY", "3", "set all of it in DASK_GATEWAY__GROUPS, as a JSON object"),
        ("ADMIN__USERS", "root", "DASK_GATEWAY__ADMIN__USERS: expected a list as JSON"),
        ("BACKEND__WORKER_MEMORY", "lots", "DASK_GATEWAY__BACKEND__WORKER_MEMORY: expected bytes or"),
        ("CONTROLLER", '{"parallelism": "x"}', "DASK_GATEWAY__CONTROLLER.*: expected a whole number, got text"),
        ("KUBE__TOKEN", "x", "DASK_GATEWAY__KUBE__TOKEN: token, ca_file and insecure_skip_tls_verify belong to url"),
        ("OPTIONS", '[{"name": "a", "type": "bool", "default": 3}]', "gateway.options.a"),
    ],
)
def test_a_wrong_variable_is_named(name: str, text: str, told: str) -> None:
    with pytest.raises(InvalidConfig, match=told.replace("?", r"\?").replace("[", r"\[")):
        load(**{name: text})


def test_an_installation_without_a_name_is_told_which_variable_to_set() -> None:
    with pytest.raises(InvalidConfig, match=r"^DASK_GATEWAY__INSTANCE: it must be given$"):
        load_configuration([], {})


@given(name=st.sampled_from(sorted(dict(known_variables()))), drop=st.integers(0, 100))
def test_a_misspelt_variable_is_an_error(name: str, drop: int) -> None:
    place = len("DASK_GATEWAY__") + drop % (len(name) - len("DASK_GATEWAY__"))
    misspelt = name[:place] + "X" + name[place:]
    with pytest.raises(InvalidConfig, match=f"^{misspelt}: "):
        load_configuration([], {misspelt: "1"}, instance="test")


def test_files_are_named_by_a_list_or_with_colons() -> None:
    variable = "DASK_GATEWAY__CONFIG_FILES"
    assert [str(file) for file in configured_files({variable: '["/a:b.yaml", "/c.py"]'})] == ["/a:b.yaml", "/c.py"]
    assert [str(file) for file in configured_files({variable: "/a.yaml:/c.py"})] == ["/a.yaml", "/c.py"]
    assert configured_files({}) == []
    with pytest.raises(InvalidConfig, match=variable):
        configured_files({variable: "[1"})
