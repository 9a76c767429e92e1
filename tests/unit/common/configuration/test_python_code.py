"""Configuration code as operators have it: what each block says is what its author meant."""

import json
import logging
import os
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from dask_gateway_server.models import User
from dask_gateway_server.options import resolve_options
from gateway_common.configuration.loading import load_configuration
from gateway_common.configuration.problems import raise_problems
from gateway_common.configuration.python_code import Assigned, CodeBlock, run_code
from gateway_common.errors import InvalidConfig

VALUES = {"gateway": {"backend": {"image": {"name": "quay.io/pangeo/base", "tag": "2026.1"}}, "auth": {"none": None}}}


def run(*sources: str, settings: dict[str, Any] | None = None, file: Path | None = None) -> Assigned:
    blocks = [CodeBlock(f"extraConfig.{i}", dedent(source), file) for i, source in enumerate(sources)]
    return run_code(blocks, values=VALUES, settings=settings or {})


def error_of(*sources: str, settings: dict[str, Any] | None = None) -> str:
    with pytest.raises(InvalidConfig) as raised:
        raise_problems(run(*sources, settings=settings).problems)
    return str(raised.value)


async def test_options_by_user_and_group_give_node_selectors_tolerations_and_safe_labels() -> None:
    assigned = run(
        """
        from dask_gateway_server.options import Float, Integer, Mapping, Options, Select, String
        import string
        SIZES = {"small": (1, 4), "large": (4, 16)}
        def safe(name):
            return "".join(ch if ch in string.ascii_lowercase + string.digits else "-" for ch in name.lower())
        def options_of(user):
            def handler(options, user):
                cores, memory = SIZES[options.size]
                return {
                    "worker_cores": cores, "worker_memory": f"{memory} G", "image": options.image,
                    "environment": options.environment,
                    "worker_extra_pod_labels": {"hub.jupyter.org/username": safe(user.name)},
                    "worker_extra_pod_config": {
                        "nodeSelector": {"pool": "dask"},
                        "tolerations": [{"key": "dask", "operator": "Exists", "effect": "NoSchedule"}],
                    },
                }
            sizes = ["small", "large"] if "power" in user.groups else ["small"]
            return Options(Select("size", sizes), String("image", default=default_image()),
                           Mapping("environment"), handler=handler)
        def default_image():
            image = get_property("gateway.backend.image")
            return f"{image['name']}:{image['tag']}"
        c.Backend.cluster_options = options_of
        c.KubeClusterConfig.idle_timeout = 1800
        c.ClusterConfig.cluster_max_cores = 40
        """
    )
    source = assigned.settings["cluster_options",]
    resolved = await resolve_options(source, {"size": "large"}, User("Ada.L", groups=["power"]))
    assert resolved.overrides["worker_cores"] == 4
    assert resolved.overrides["image"] == "quay.io/pangeo/base:2026.1"
    assert resolved.overrides["worker_extra_pod_labels"] == {"hub.jupyter.org/username": "ada-l"}
    assert resolved.overrides["worker_extra_pod_config"]["nodeSelector"] == {"pool": "dask"}
    with pytest.raises(ValueError, match="'large' is not a valid option for size"):
        await resolve_options(source, {"size": "large"}, User("bob"))
    assert assigned.settings["backend", "idle_timeout"] == 1800
    assert assigned.settings["backend", "cluster_max_cores"] == 40


async def test_an_asynchronous_handler_is_kept_as_it_is() -> None:
    assigned = run(
        """
        from dask_gateway_server.options import Integer, Options
        async def handler(options):
            return {"worker_cores": options.cores}
        c.KubeBackend.cluster_options = Options(Integer("worker_cores", target="cores", default=2), handler=handler)
        """
    )
    resolved = await resolve_options(assigned.settings["cluster_options",], {}, User("ada"))
    assert resolved.overrides == {"worker_cores": 2}


def test_blocks_share_their_names_and_the_last_one_to_change_a_value_is_its_source() -> None:
    assigned = run("image = 'a:1'\nc.KubeClusterConfig.image = 'x:1'", "c.KubeClusterConfig.image = image")
    assert assigned.settings == {("backend", "image"): "a:1"}
    assert str(assigned.sources["backend", "image"]) == "extraConfig.1, line 1: c.KubeClusterConfig.image"


def test_mappings_and_lists_of_the_values_are_changed_in_place() -> None:
    settings = {"backend": {"environment": {"A": "1"}, "worker_extra_pod_config": {"tolerations": [{"key": "a"}]}}}
    assigned = run(
        """
        c.KubeClusterConfig.environment["B"] = "2"
        c.ClusterConfig.environment.update(C="3")
        c.KubeClusterConfig.worker_extra_pod_config["tolerations"].append({"key": "b"})
        c.KubeClusterConfig.scheduler_extra_pod_config["nodeSelector"] = {"pool": "core"}
        c.KubeClusterConfig.image_pull_secrets.append("regcred")
        """,
        settings=settings,
    )
    assert assigned.settings == {
        ("backend", "environment"): {"A": "1", "B": "2", "C": "3"},
        ("backend", "worker_extra_pod_config"): {"tolerations": [{"key": "a"}, {"key": "b"}]},
        ("backend", "scheduler_extra_pod_config"): {"nodeSelector": {"pool": "core"}},
        ("backend", "image_pull_secrets"): ["regcred"],
    }
    assert settings["backend"]["environment"] == {"A": "1"}


def test_what_code_only_reads_is_not_assigned() -> None:
    source = "if c.KubeClusterConfig.image or c.KubeController.parallelism or c.Nobody.knows: pass"
    assert run(source, settings={"backend": {"image": "a:1"}}) == Assigned()


def test_modules_that_the_former_file_imported_are_there() -> None:
    assigned = run("c.KubeClusterConfig.image = json.dumps([os.sep, sys.byteorder])")
    assert assigned.settings["backend", "image"] == json.dumps([os.sep, sys.byteorder])


def test_an_assignment_of_the_same_value_is_one() -> None:
    assigned = run("c.KubeClusterConfig.worker_cores = 4", settings={"backend": {"worker_cores": 4}})
    assert assigned.settings == {("backend", "worker_cores"): 4}


def test_the_more_specific_class_wins_in_whatever_order_they_are_set() -> None:
    assigned = run("c.KubeClusterConfig.worker_cores = 4\nc.ClusterConfig.worker_cores = 2")
    assert assigned.settings == {("backend", "worker_cores"): 4}


def test_lists_of_an_own_authenticator_are_extended_from_its_default() -> None:
    assigned = run(
        """
        from dask_gateway_server.auth import JupyterHubAuthenticator
        from traitlets import List, Unicode
        class GroupAuthenticator(JupyterHubAuthenticator):
            allowed = List(["staff"], config=True)
            claim = Unicode("groups", config=True)
        c.DaskGateway.authenticator_class = GroupAuthenticator
        c.GroupAuthenticator.allowed.append("guests")
        c.GroupAuthenticator.allowed.extend(["x"])
        c.GroupAuthenticator.allowed.prepend(["first"])
        c.GroupAuthenticator.claim = "roles"
        c.JupyterHubAuthenticator.jupyterhub_api_url = "http://hub/api"
        """
    )
    assert assigned.settings["auth", "authenticator"] == "custom"
    assert assigned.settings["auth", "authenticator_class"].__name__ == "GroupAuthenticator"
    assert assigned.settings["auth", "custom", "config"] == {
        "allowed": ["first", "staff", "guests", "x"],
        "claim": "roles",
    }
    assert assigned.settings["auth", "jupyterhub", "api_url"] == "http://hub/api"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("SimpleAuthenticator", "simple"),
        ("KerberosAuthenticator", "kerberos"),
        ("JupyterHubAuthenticator", "jupyterhub"),
    ],
)
def test_a_built_in_authenticator_may_be_named_by_its_place(name: str, kind: str) -> None:
    assigned = run(f"c.DaskGateway.authenticator_class = 'dask_gateway_server.auth.{name}'")
    assert assigned.settings["auth", "authenticator"] == kind


def test_labels_of_the_controller_are_labels_of_the_gateway() -> None:
    assigned = run("c.KubeController.common_labels = {'team': 'data'}\nc.KubeController.parallelism = 5")
    assert assigned.settings == {("common_labels",): {"team": "data"}, ("controller", "parallelism"): 5}


def test_get_property_reads_values_with_defaults() -> None:
    assigned = run(
        """
        assert get_property("gateway.auth.none", default=1) is None
        assert get_property("gateway.auth.none.deeper", default=1) == 1
        c.KubeClusterConfig.image = get_property("gateway.backend.image.name", default=None)
        c.KubeClusterConfig.namespace = get_property("gateway.nothing.there", "default")
        """
    )
    assert assigned.settings == {("backend", "image"): "quay.io/pangeo/base", ("backend", "namespace"): "default"}


def test_modules_next_to_the_file_and_subconfigs_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "h2_site_extension.py").write_text("IMAGE = 'site:1'\n")
    (tmp_path / "more.py").write_text("c = get_config()\nc.ClusterConfig.idle_timeout = 60\n")
    source = "from h2_site_extension import IMAGE\nc.KubeClusterConfig.image = IMAGE\nload_subconfig('more.py')"
    assigned = run(source + "\nfolder = os.path.dirname(__file__)", file=tmp_path / "gateway.py")
    assert assigned.settings == {("backend", "image"): "site:1", ("backend", "idle_timeout"): 60}


def test_what_the_chart_or_another_backend_decides_is_passed_over_with_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        assigned = run(
            """
            c.DaskGateway.address = ":8000"
            c.KubeController.address = ":8000"
            c.DBBackendBase.cluster_start_timeout = 60
            c.Proxy.log_level = "WARN"
            c.Authenticator.cookie_name = "x"
            """
        )
    assert assigned == Assigned()
    assert len(caplog.records) == 5


def test_all_that_nobody_knows_is_told_at_once_with_what_was_probably_meant() -> None:
    lines = error_of("c.KubeClusterConfig.worker_core = 2\nc.KubClusterConfig.image = 'x'\nc.log = 3").splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("extraConfig.0, line 1: c.KubeClusterConfig.worker_core: ")
    assert lines[0].endswith("did you mean worker_cores?")
    assert "line 2: c.KubClusterConfig.image" in lines[1]
    assert lines[1].endswith("did you mean KubeClusterConfig?")
    assert "expected c.<Class>.<traitlet>" in lines[2]


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("x = 1\n1 / 0", "extraConfig.0, line 2: ZeroDivisionError: division by zero"),
        ("x = = 2", "extraConfig.0, line 1: SyntaxError: invalid syntax"),
        ("raise SystemExit(3)", "extraConfig.0, line 1: SystemExit: 3"),
        ("import nothing_like_it", "line 1: ModuleNotFoundError: No module named 'nothing_like_it'"),
    ],
)
def test_code_that_raises_is_named_with_its_line(source: str, text: str, caplog: pytest.LogCaptureFixture) -> None:
    assert text in error_of(source)
    assert "Traceback" in caplog.text or "SyntaxError" in caplog.text


def test_neither_message_nor_log_holds_a_secret(caplog: pytest.LogCaptureFixture) -> None:
    settings = {"auth": {"jupyterhub": {"api_token": "geheim-1"}}}
    source = """
        c.SimpleAuthenticator.password = 'geheim-2'
        raise ValueError(c.JupyterHubAuthenticator.jupyterhub_api_token + ' geheim-2')
        """
    assert "geheim" not in error_of(source, settings=settings) + caplog.text


def test_what_code_gets_wrong_is_told_in_the_order_of_its_lines() -> None:
    lines = error_of("c.KubeController.paralelism = 2\nc.Zzz.a = 3", "c.Backend.cluster_option = 3").splitlines()
    assert [line.split(": ")[0] for line in lines] == [
        "extraConfig.0, line 1",
        "extraConfig.0, line 2",
        "extraConfig.1, line 1",
    ]


def test_a_traitlet_of_another_class_is_suggested_with_its_class() -> None:
    assert error_of("c.KubeClusterConfig.cluster_options = 3").endswith("did you mean c.Backend.cluster_options?")


def test_a_traceback_begins_in_the_operators_code(caplog: pytest.LogCaptureFixture) -> None:
    error_of("def f(:")
    assert 'File "extraConfig.0", line 1' in caplog.text
    assert __file__ not in caplog.text
    assert "in _compile" not in caplog.text


@pytest.mark.parametrize(
    "place",
    [
        "'dask_gateway_server.backends.kubernetes.KubeBackend'",
        "'dask_gateway_server.backends.kubernetes.backend:KubeBackend'",
        "KubeBackend",
    ],
)
def test_the_backend_may_be_named(place: str, caplog: pytest.LogCaptureFixture) -> None:
    source = "from dask_gateway_server.backends.kubernetes import KubeBackend\nc.DaskGateway.backend_class = "
    assert run(source + place) == Assigned()
    assert not caplog.records


def test_an_instance_that_no_label_can_name_is_told_in_words(tmp_path: Path) -> None:
    file = tmp_path / "code.py"
    file.write_text("c.KubeBackend.gateway_instance = 'Not a name'")
    with pytest.raises(InvalidConfig, match="gateway_instance: 'Not a name' can't be a label's value: allowed"):
        load_configuration([file], {})


def test_a_backend_of_ones_own_is_refused_since_nothing_would_run_it() -> None:
    told = error_of(
        """
        from dask_gateway_server.backends.kubernetes import KubeBackend
        class Labelling(KubeBackend):
            async def start_cluster(self, user, options): ...
        c.DaskGateway.backend_class = Labelling
        """
    )
    assert told.startswith("extraConfig.0, line 5: c.DaskGateway.backend_class: there is no other backend than ")
    assert "cluster_config_class" in told


def test_classes_of_the_wrong_kind_are_refused() -> None:
    assert "expected a subclass of dask_gateway_server.auth.Authenticator" in error_of(
        "c.DaskGateway.authenticator_class = dict"
    )
    assert "KubeClusterConfig, got dict" in error_of("c.KubeBackend.cluster_config_class = dict")


def test_sections_within_those_of_their_parents_win_over_those_that_stand_alone() -> None:
    assigned = run(
        "c.KubeBackend.KubeClusterConfig.image = 'nested:1'\n"
        "c.KubeClusterConfig.image = 'alone:1'\n"
        "c.DaskGateway.KubeBackend.KubeClusterConfig.worker_cores = 3\n"
        "c.DaskGateway.JupyterHubAuthenticator.jupyterhub_api_url = 'http://hub/api'\n"
        "c.DaskGateway.authenticator_class = 'dask_gateway_server.auth.JupyterHubAuthenticator'\n"
        "c.KubeBackend.KubeClusterConfig.environment.update({'A': '1'})\n"
    )
    assert not assigned.problems
    assert assigned.settings["backend", "image"] == "nested:1"
    assert assigned.settings["backend", "worker_cores"] == 3
    assert assigned.settings["backend", "environment"] == {"A": "1"}
    assert assigned.settings["auth", "jupyterhub", "api_url"] == "http://hub/api"
    assert assigned.sources["backend", "image"].key == "c.KubeClusterConfig.image"


def test_a_section_within_one_that_makes_no_such_objects_is_wrong() -> None:
    assert "c.KubeClusterConfig.KubeBackend" in error_of("c.KubeClusterConfig.KubeBackend.api_url = 'x'")
