"""What operators are told: the file, the key, what was expected, and what was probably meant."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gateway_common.configuration.known_keys import Key, Section, all_keys, known_keys
from gateway_common.configuration.loading import load_configuration
from gateway_common.configuration.values_file import read_values, value_problems
from gateway_common.errors import InvalidConfig


def problems(tmp_path: Path, text: str, name: str = "values.yaml", **environ: str) -> list[str]:
    file = tmp_path / name
    file.write_text(text)
    variables = {f"DASK_GATEWAY__{variable}": value for variable, value in environ.items()}
    with pytest.raises(InvalidConfig) as raised:
        load_configuration([file], variables, instance="test")
    return [line.removeprefix(f"{file}").removeprefix(": ") for line in str(raised.value).split("\n")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gatway: {}", "gatway: unknown key: did you mean gateway?"),
        ("gateway: {loglevle: INFO}", "gateway.loglevle: unknown key: did you mean gateway.loglevel?"),
        ("gateway: {idleTimeout: 5}", "gateway.idleTimeout: unknown key: did you mean gateway.backend.idleTimeout?"),
        ("gateway: {backend: {Image: x}}", "gateway.backend.Image: unknown key: did you mean gateway.backend.image?"),
        ("gateway: {groups: {a: {prority: 1}}}", "gateway.groups.a.prority: unknown key: did you mean "
         "gateway.groups.a.priority?"),
        ("rbac: {zzzzzzzz: 1}", "rbac.zzzzzzzz: unknown key: known are enabled, controller, gateway, traefik"),
        ("gateway: 3", "gateway: expected an object, got a number"),
        ("gateway: {replicas: two}", "gateway.replicas: expected a whole number, got text"),
        ("gateway: {replicas: -1}", "gateway.replicas: must be greater than or equal to 0, got -1"),
        ("controller: {parallelism: 2.5}", "controller.parallelism: expected a whole number, got 2.5"),
        ("controller: {parallelism: true}", "controller.parallelism: expected a whole number, got a boolean"),
        ('controller: {enabled: "no"}', "controller.enabled: expected true or false, got text"),
        ("gateway: {annotations: {a: 1}}", "gateway.annotations.a: expected text, got a number: write it in quotes"),
        (
            "gateway: {auth: {type: ldap}}",
            "gateway.auth.type: must be 'simple', 'kerberos', 'jupyterhub', 'oidc' or 'custom'",
        ),
        ("gateway: {extraConfig: [1]}", "gateway.extraConfig: expected text or an object, got a list"),
        ("gateway: {backend: {image: [1]}}", "gateway.backend.image: expected an object or text, got a list"),
        ("traefik: {service: {ports: {tcp: {port: [1]}}}}", "traefik.service.ports.tcp.port: expected a whole number "
         "or 'web', got a list"),
        ("gateway: {backend: {worker: {cores: {request: many}}}}", "gateway.backend.worker.cores.request: expected a "
         "number, got 'many'"),
        ("gateway: {backend: {environment: {A: {valueFrom: {fieldRef: {}}}}}}", "gateway.backend.environment.A: "
         "expected text, or {valueFrom: {secretKeyRef: {name: <a Secret>, key: <a key of it>}}}"),
        ("gateway: {backend: {environment: {A: {valueFrom: {secretKeyRef: {name: s}}}}}}",
         "gateway.backend.environment.A.key: it must be given"),
        ("gateway: {options: [{name: a, type: integr}]}", "gateway.options[0].type: must be 'string', 'bool', "
         "'integer', 'float', 'select' or 'mapping'"),
        ("gateway: {options: [{name: a, type: bool, lable: b}]}", "gateway.options[0].lable: unknown key: did you "
         "mean label?"),
        ("gateway: {limits: {user: {clusters: x}}}", "gateway.limits.user.clusters: expected a whole number, got text"),
        ("gateway: {backend: {commonLabels: {a b: x}}}", "gateway.backend.commonLabels.a b: 'a b' can't be a "
         "label's key: allowed are letters, digits, '-', '_' and '.', with a letter or digit first and last, at most "
         "63 in all, after an optional 'prefix/'"),
        ("gateway: {limits: {user: {lifetime: 0}}}", "gateway.limits.user.lifetime: must be greater than 0, got 0"),
        ("- a\n- b", "expected an object with keys such as `gateway`, got a list"),
    ],
)  # fmt: skip
def test_a_problem_has_a_key_and_what_was_expected(tmp_path: Path, text: str, expected: str) -> None:
    assert problems(tmp_path, text) == [expected]


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    first, second, code = tmp_path / "a.yaml", tmp_path / "b.yaml", tmp_path / "c.py"
    first.write_text("gatway: {}\ncontroller: {parallelism: x}")
    second.write_text("gateway: {backend: {worker: {memory: {request: 4G, limit: 2G}}}}")
    code.write_text("import no_such_module_anywhere")
    missing = tmp_path / "missing.yaml"
    odd = tmp_path / "values.txt"
    variables = {"DASK_GATEWAY__CONTROLLER__PORT": "many", "DASK_GATEWAY__CONTROLER__PORT": "1"}
    with pytest.raises(InvalidConfig) as raised:
        load_configuration([first, second, code, missing, odd], variables, instance="test")
    text = str(raised.value)
    assert f"{first}: gatway: unknown key: did you mean gateway?\n" in text
    assert f"{first}: controller.parallelism: expected a whole number, got text\n" in text
    assert f"{second}: gateway.backend.worker.memory.request and gateway.backend.worker.memory.limit: " in text
    assert "no_such_module_anywhere" in text
    assert f"{missing}: can't be read: no such file or directory\n" in text
    assert f"{odd}: is neither a values file (.yaml, .yml, .json) nor Python code (.py)" in text
    assert "DASK_GATEWAY__CONTROLLER__PORT: expected a whole number, got text" in text
    assert "DASK_GATEWAY__CONTROLER__PORT: unknown setting: did you mean DASK_GATEWAY__CONTROLLER__PORT?" in text
    assert len(text.split("\n")) == 8


def test_what_code_can_not_set_does_not_hide_what_else_is_wrong(tmp_path: Path) -> None:
    told = problems(
        tmp_path,
        "c.KubeClusterConfig.worker_core = 2\nc.KubeClusterConfig.worker_cores = 'two'\nc.Backend.cluster_options = 3\n"
        "c.KubeController.parallelism = 0\n",
        "code.py",
    )
    assert told == [
        ", line 1: c.KubeClusterConfig.worker_core: KubeClusterConfig has no traitlet worker_core: did you mean "
        "worker_cores?",
        ", line 2: c.KubeClusterConfig.worker_cores: expected a number, got 'two'",
        ", line 3: c.Backend.cluster_options: expected Options of dask_gateway_server.options, a function of the user "
        "that returns them, or either's place as module:attribute, got a Python int",
        ", line 4: c.KubeController.parallelism: must be greater than or equal to 1, got 0",
    ]


def test_each_limit_below_its_request_is_told(tmp_path: Path) -> None:
    text = "gateway: {backend: {worker: {cores: {request: 2, limit: 1}, memory: {request: 2G, limit: 1G}}}}"
    cores, memory = problems(tmp_path, text)
    assert cores.startswith("gateway.backend.worker.cores.request and gateway.backend.worker.cores.limit: ")
    assert memory.startswith("gateway.backend.worker.memory.request and gateway.backend.worker.memory.limit: ")


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("options", "expected module:attribute"),
        ("no.such.module:options", "No module named 'no'"),
        ("tests.kit.api_options:nothing", "no attribute 'nothing'"),
        ("tests.kit.api_options:__name__", "got a Python str"),
    ],
)
def test_options_that_are_not_at_their_place_are_told(tmp_path: Path, place: str, reason: str) -> None:
    (told,) = problems(tmp_path, "", CLUSTER_OPTIONS=place)
    assert told.startswith("DASK_GATEWAY__CLUSTER_OPTIONS: ")
    assert reason in told


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("gateway:\n  backend: {image: x\n", "values.yaml", r", line 3: is not YAML: expected .*"),
        ("gateway:\n\tbackend: 1\n", "values.yaml", r", line 2: is not YAML: found character.*"),
        ('{"gateway":\n {"a" 1}}', "values.json", r", line 2: is not JSON: Expecting ':' delimiter"),
        (
            "gateway: {auth: {simple: {password: *hunter2}}}",
            "values.yaml",
            r", line 1: is not YAML: found undefined alias",
        ),
    ],
)
def test_broken_files_are_told_with_the_line(tmp_path: Path, text: str, name: str, expected: str) -> None:
    (told,) = problems(tmp_path, text, name)
    assert re.fullmatch(expected, told), told


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    file = tmp_path / "values.yaml"
    file.write_bytes(b"gateway: \xff\xfe")
    with pytest.raises(InvalidConfig, match="is no text in UTF-8"):
        load_configuration([file], {}, instance="test")


@pytest.mark.parametrize("password", ["{a: hunter2}", "[hunter2]", "31337"])
def test_a_secret_of_the_wrong_type_is_not_repeated(tmp_path: Path, password: str) -> None:
    (told,) = problems(tmp_path, f"gateway: {{auth: {{simple: {{password: {password}}}}}}}")
    assert told.startswith("gateway.auth.simple.password: expected text, got ")
    assert "hunter2" not in told
    assert "31337" not in told


def settable() -> list[Key]:
    return [key for key in all_keys().values() if "*" not in key.path]


def tree(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    for part in reversed(path):
        value = {part: value}
    assert isinstance(value, dict)
    return value


#: Each is wrong for most keys; which of them a key takes, it knows.
WRONG = st.sampled_from([[[None]], [[["x"]]], {"a": [[None]]}, [{"a": [None]}], True, 2.5, "\0"])


@given(key=st.sampled_from(settable()), value=WRONG)
def test_a_value_that_is_wrong_is_told_by_exactly_its_key(
    tmp_path_factory: pytest.TempPathFactory, key: Key, value: Any
) -> None:
    if not list(value_problems(key, value)):
        return  # the key takes it
    file = tmp_path_factory.getbasetemp() / "wrong.yaml"
    file.write_text(yaml.safe_dump(tree(key.path, value)))
    read = read_values([file])
    assert read.problems
    assert all(
        problem.key == key.name or problem.key.startswith((f"{key.name}.", f"{key.name}[")) for problem in read.problems
    )
    assert read.tree == {}


@pytest.mark.parametrize("key", settable(), ids=lambda key: key.name)
def test_every_key_refuses_something(tmp_path: Path, key: Key) -> None:
    """A list of lists fits nowhere."""
    if key.name == "gateway.backend.image":
        return  # as an object it is in parts, which are keys of their own
    file = tmp_path / "wrong.yaml"
    file.write_text(yaml.safe_dump(tree(key.path, [["x"]])))
    told = [problem.key for problem in read_values([file]).problems]
    assert told
    assert all(name.split("[")[0] == key.name for name in told)


def sections(section: Section) -> list[Section]:
    found = [section] if section.keys else []
    for below in section.keys.values():
        found += sections(below) if isinstance(below, Section) else []
    return found


@given(data=st.data())
def test_a_misspelt_key_is_an_error_that_suggests_it(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    section = data.draw(st.sampled_from(sections(known_keys())))
    name = data.draw(
        st.sampled_from([name for name in section.keys if len(name) > 3])
        if any(len(name) > 3 for name in section.keys)
        else st.nothing()
    )
    place = data.draw(st.integers(1, len(name) - 2))
    misspelt = data.draw(
        st.sampled_from(
            [
                name[:place] + name[place + 1 :],
                name[:place] + name[place] + name[place:],
                name[:place] + "x" + name[place:],
            ]
        )
    )
    if misspelt in section.keys:
        return
    file = tmp_path_factory.getbasetemp() / "misspelt.yaml"
    file.write_text(yaml.safe_dump(tree((*section.path, misspelt), "x")))
    (problem,) = read_values([file]).problems
    assert problem.key == ".".join((*section.path, misspelt))
    assert problem.reason == f"unknown key: did you mean {'.'.join((*section.path, name))}?"
