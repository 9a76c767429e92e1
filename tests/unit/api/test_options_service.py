"""What a user is offered, and which cluster follows: groups, namespaces, notebooks, code and declarations."""

import asyncio
import json
import logging
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from dask_gateway_server.backends.base import PublicException
from dask_gateway_server.backends.kubernetes import KubeClusterConfig
from dask_gateway_server.models import User
from dask_gateway_server.options import Field, Integer, Mapping, Options, String
from gateway_api.errors import InvalidRequest
from gateway_api.options.operator_code import OperatorCodeFailed, OperatorCodeTimeout
from gateway_api.options.policy import policy_of
from gateway_api.options.service import MOST_COMBINATIONS, OptionsService
from gateway_common.config import ClusterConfig, parse_cluster_config
from gateway_common.configuration.model import Configuration
from gateway_common.configuration.python_code import CodeBlock, run_code
from gateway_common.errors import InvalidConfig
from gateway_common.principal import Principal

ALICE = Principal("alice", ("science", "unknown", "art"))
BOB = Principal("bob")


def configuration(**settings: Any) -> Configuration:
    kube = {"namespaces": settings.pop("namespaces", ["dask"])}
    return Configuration.model_validate({"instance": "i", "kube": kube, **settings})


def service(**settings: Any) -> OptionsService:
    return OptionsService(configuration(**settings))


GROUPS = {
    "art": {"priority": 1, "backend": {"worker_cores": 2, "environment": {"A": "art", "B": "art"}}},
    "science": {
        "priority": 1,
        "backend": {"worker_cores": 4, "environment": {"A": "science"}},
        "options": [{"name": "image", "type": "select", "choices": ["gpu:1", "cpu:1"]}],
    },
    "all": {"backend": {"worker_cores": 8}},
}


def test_groups_override_in_order_of_priority_then_name() -> None:
    policy = policy_of(configuration(groups=GROUPS, backend={"environment": {"C": "all"}}), ["all", "science", "art"])

    assert policy.backend == {"worker_cores": 4, "environment": {"A": "science", "B": "art", "C": "all"}}
    assert policy.groups == ("all", "art", "science")
    assert policy.group == "science"
    assert [option.name for option in policy.options] == ["image"]


async def test_members_of_a_group_are_offered_more_and_get_another_configuration() -> None:
    options = service(groups=GROUPS, options=[{"name": "image", "type": "string", "default": "usual:1"}])

    for principal, spec, image, cores, groups in (
        (ALICE, {"type": "select", "options": ["gpu:1", "cpu:1"]}, "gpu:1", 4, ("art", "science")),
        (BOB, {"type": "string"}, "usual:1", 1, ()),
    ):
        (described,) = json.loads(await options.describe(principal))["cluster_options"]
        assert described["spec"] == spec
        chosen = await options.resolve(principal, {})
        assert (chosen.options, chosen.config["image"], chosen.config["worker_cores"]) == (
            {"image": image},
            image,
            cores,
        )
        assert chosen.groups == groups


async def test_a_clusters_configuration_says_every_field_so_that_the_controller_of_2026_3_0_finds_its_own() -> None:
    chosen = await service().resolve(BOB, {})
    assert chosen.config.keys() == ClusterConfig.model_fields.keys()
    assert chosen.config["image_pull_policy"] is None
    assert parse_cluster_config(chosen.config).image_pull_policy is None


async def test_what_is_remembered_of_groups_is_bounded() -> None:
    options = service(groups={f"g{index}": {} for index in range(MOST_COMBINATIONS + 10)})

    for index in range(MOST_COMBINATIONS + 10):
        await options.describe(Principal("x", (f"g{index}", f"unknown{index}")))

    assert len(options._policies) == MOST_COMBINATIONS


async def test_declared_options_refuse_with_the_published_texts() -> None:
    options = service(options=[{"name": "worker_cores", "type": "integer", "default": 1, "max": 4}])

    for request, text in (
        ({"worker_cores": 10}, "worker_cores must be <= 4.000000, got 10"),
        ({"worker_cores": "1"}, "worker_cores must be an integer, got '1'"),
        ({"x": 1}, "Unknown fields ['x']"),
    ):
        with pytest.raises(InvalidRequest) as refused:
            await options.resolve(ALICE, request)
        assert str(refused.value) == text


def test_declarations_that_can_not_work_keep_the_service_from_starting() -> None:
    with pytest.raises(InvalidConfig, match=r"gateway\.options\.x: target: .*did you mean image\?"):
        service(options=[{"name": "x", "type": "string", "target": "imge"}])
    with pytest.raises(InvalidConfig, match="keep one of them"):
        service(options=[{"name": "image", "type": "string", "default": "a"}], cluster_options=Options())


@pytest.mark.parametrize(
    ("template", "principal", "namespace"),
    [
        (None, ALICE, "dask"),
        ("dask-{user}", ALICE, "dask-alice"),
        ("dask-{user}", Principal("Jane.Doe@example.org"), "dask-jane-doe-example-org--258389d44032248b32b8"),
        ("dask-{group}", ALICE, "dask-science"),
        ("kube-{user}", Principal("system"), "kube-system--bbc5e661e106c6dcd8dc"),
    ],
)
async def test_a_cluster_runs_in_the_namespace_that_the_template_means(
    template: str | None, principal: Principal, namespace: str
) -> None:
    options = service(
        groups=GROUPS, namespaces=["dask"] if template is None else ["*"], backend={"namespace": template}
    )

    chosen = await options.resolve(principal, {})

    assert chosen.namespace == chosen.config["namespace"] == namespace


async def test_who_is_in_no_group_has_no_groups_namespace_unless_another_is_chosen() -> None:
    settings: dict[str, Any] = {"groups": GROUPS, "namespaces": ["*"], "backend": {"namespace": "dask-{group}"}}
    chosen = service(**settings, options=[{"name": "namespace", "type": "string", "default": "{group}"}])

    with pytest.raises(InvalidConfig, match="none of the groups"):
        await service(**settings).resolve(BOB, {})
    assert (await chosen.resolve(BOB, {"namespace": "own"})).namespace == "own"
    with pytest.raises(InvalidConfig, match="can't be a namespace"):
        await chosen.resolve(BOB, {"namespace": "dask-{user}"})


@pytest.mark.parametrize(("namespaces", "allowed"), [(["dask", "other"], True), (["*"], True), (["dask"], False)])
async def test_a_handler_may_return_a_namespace_that_is_the_gateways(namespaces: list[str], allowed: bool) -> None:
    options = service(namespaces=namespaces, cluster_options=Options(handler=lambda _: {"namespace": "other"}))

    if allowed:
        assert (await options.resolve(ALICE, {})).namespace == "other"
    else:
        with pytest.raises(InvalidRequest, match="namespace: clusters run in dask, not in 'other'"):
            await options.resolve(ALICE, {})


@pytest.mark.parametrize(
    ("notebook", "image"),
    [
        ("quay.io/pangeo/notebook:1", "quay.io/pangeo/notebook:1"),
        ("QUAY.IO/pangeo/notebook:1", "own:1"),
        ("evil/quay.io/pangeo/notebook:1", "own:1"),
        ("", "own:1"),
        (None, "own:1"),
    ],
)
async def test_a_cluster_has_the_notebooks_image_where_the_operator_allows_it(notebook: str | None, image: str) -> None:
    settings: dict[str, Any] = {"notebook_images": ["quay.io/pangeo/*"], "backend": {"image": "own:1"}}
    by_handler = service(**settings, cluster_options=Options(handler=lambda _: {"image": "chosen:1"}))

    assert (await service(**settings).resolve(ALICE, {}, notebook)).config["image"] == image
    assert (await by_handler.resolve(ALICE, {}, notebook)).config["image"] == "chosen:1"


async def test_what_a_handler_returns_replaces_fields_whole_and_what_is_declared_merges() -> None:
    backend = {"environment": {"A": "1"}}
    code = Options(Mapping("environment"))
    declared = [{"name": "environment", "type": "mapping"}]

    by_code = await service(backend=backend, cluster_options=code).resolve(ALICE, {"environment": {"B": "2"}})
    by_values = await service(backend=backend, options=declared).resolve(ALICE, {"environment": {"B": "2"}})

    assert by_code.config["environment"] == {"B": "2"}
    assert by_values.config["environment"] == {"A": "1", "B": "2"}


class Halved(KubeClusterConfig):
    """A site's class: no cluster has more than half of what is asked for."""

    def to_dict(self) -> dict[str, Any]:
        values = super().to_dict()
        if values["worker_cores"] > 64:
            raise ValueError("nobody has so many cores")
        return {**values, "worker_cores": values["worker_cores"] / 2, "worker_cores_limit": None}


async def test_a_groups_fields_are_set_by_code_and_by_declarations_one_by_one() -> None:
    groups = {"gpu": {"worker_cores": 4, "image": "gpu:1"}, "small": {"worker_cores": 1}}
    given = {"worker_groups": {"gpu": {"worker_memory": "8 G"}}}
    code = service(backend={"worker_groups": groups}, cluster_options=Options(handler=lambda options: given))
    declared = service(
        backend={"worker_groups": groups},
        options=[
            {
                "name": "gpu_memory",
                "type": "integer",
                "default": 8,
                "sets": {"worker_groups": {"gpu": {"worker_memory": "{value}G"}}},
            }
        ],
    )
    expected = {"gpu": {"worker_cores": 4, "image": "gpu:1", "worker_memory": 8 * 2**30}, "small": {"worker_cores": 1}}
    for options in (code, declared):
        assert (await options.resolve(BOB, {})).config["worker_groups"] == expected


async def test_of_groups_the_limits_are_not_told_in_workers() -> None:
    """How many fit depends on which are scaled."""
    limited = {"cluster_max_cores": 9, "worker_groups": {"gpu": {"worker_cores": 4}}}
    assert (await service(backend=limited).resolve(BOB, {})).config["cluster_max_workers"] is None
    assert (await service(backend={"cluster_max_cores": 9}).resolve(BOB, {})).config["cluster_max_workers"] == 8


async def test_the_operators_class_has_the_last_word() -> None:
    options = service(
        cluster_config_class=Halved,
        options=[{"name": "worker_cores", "type": "integer", "default": 4}],
        backend={"namespace": "dask"},
    )

    assert (await options.resolve(ALICE, {})).config["worker_cores"] == 2
    with pytest.raises(InvalidRequest, match="nobody has so many cores"):
        await options.resolve(ALICE, {"worker_cores": 65})
    with pytest.raises(InvalidConfig, match="KubeClusterConfig, got dict"):
        service(cluster_config_class=dict)


def broken(error: BaseException) -> Any:
    def site_handler(options: Any) -> dict[str, Any]:
        raise error

    return Options(handler=site_handler)


@pytest.mark.parametrize(
    ("error", "text", "level"),
    [
        (ValueError("two cores at most"), "two cores at most", logging.WARNING),
        (PermissionError("ask the operator"), "ask the operator", logging.WARNING),
        (PublicException("not today"), "not today", logging.WARNING),
        (RuntimeError("broken"), "broken", logging.ERROR),
        (KeyError("memory"), "KeyError: 'memory'", logging.ERROR),
        (AttributeError(""), "AttributeError", logging.ERROR),
        (SystemExit(3), "The options ended with SystemExit: 3", logging.ERROR),
    ],
)
async def test_what_code_raises_is_told_to_the_user_and_its_traceback_to_the_operator(
    error: BaseException, text: str, level: int, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await service(cluster_options=broken(error)).resolve(ALICE, {})

    assert str(refused.value) == text
    (record,) = caplog.records
    assert record.levelno == level
    assert "broken.<locals>.site_handler failed for user 'alice'" in record.getMessage()
    assert record.exc_info
    assert record.exc_info[1] is error


async def test_functions_of_configuration_code_are_named_as_in_the_code(caplog: pytest.LogCaptureFixture) -> None:
    source = "def site_options(user): raise ValueError('no')\nc.Backend.cluster_options = site_options"
    options = run_code([CodeBlock("code", source)], values={}, settings={}).settings["cluster_options",]
    with pytest.raises(InvalidRequest, match=r"^no$"):
        await service(cluster_options=options).resolve(ALICE, {})
    assert caplog.messages == ["site_options failed for user 'alice': no"]


def options_of(*lines: str) -> Any:
    """What configuration code makes of `c.Backend.cluster_options`."""
    code = "from dask_gateway_server.options import Options, String\n" + "\n".join(lines)
    return run_code([CodeBlock("code", code)], values={}, settings={}).settings["cluster_options",]


async def test_what_code_sets_in_c_while_a_cluster_is_made_is_for_that_cluster_alone() -> None:
    options = options_of(
        "c.KubeClusterConfig.worker_extra_pod_labels = {'all': 'yes'}",
        "def site_options(user):",
        "    c.KubeClusterConfig.image = f'{user.name}:1'",
        "    c.KubeClusterConfig.worker_extra_pod_labels['user'] = user.name",
        "    def handler(options):",
        "        c.KubeClusterConfig.environment.update(WHO=user.name)",
        "        assert c.KubeClusterConfig.worker_extra_pod_labels == {'all': 'yes', 'user': user.name}",
        "        return {'worker_cores': 3} if user.name == 'alice' else {'image': 'handler:1'}",
        "    return Options(handler=handler)",
        "c.Backend.cluster_options = site_options",
    )
    gateway = service(cluster_options=options, backend={"image": "usual:1", "worker_memory": "1 G"})
    for _ in range(2):
        alices, bobs = await asyncio.gather(gateway.resolve(ALICE, {}), gateway.resolve(BOB, {}))
        assert alices.config["image"] == "alice:1"
        assert alices.config["worker_cores"] == 3
        assert alices.config["worker_extra_pod_labels"] == {"all": "yes", "user": "alice"}
        assert alices.config["environment"] == {"WHO": "alice"}
        assert alices.config["worker_memory"] == 2**30
        assert bobs.config["image"] == "handler:1", "what a handler answers wins"
        assert bobs.config["environment"] == {"WHO": "bob"}


async def test_what_users_are_offered_leaves_no_trace_in_c() -> None:
    options = options_of(
        "def site_options(user):",
        "    c.KubeClusterConfig.environment[user.name] = 'was here'",
        "    return Options()",
        "c.Backend.cluster_options = site_options",
    )
    gateway = service(cluster_options=options)
    await gateway.describe(BOB)
    assert (await gateway.resolve(ALICE, {})).config["environment"] == {"alice": "was here"}


@pytest.mark.parametrize("section", ["c.Site", "c.KubeBackend.KubeClusterConfig", "c.ClusterConfig"])
async def test_sections_of_own_classes_and_within_others_count_too(section: str) -> None:
    options = options_of(
        "def handler(options, user):",
        f"    {section}.image = user.name",
        "    return {}",
        "c.Backend.cluster_options = Options(handler=handler)",
    )
    gateway = service(cluster_options=options)
    for user in (ALICE, BOB):
        assert (await gateway.resolve(user, {})).config["image"] == user.name


async def test_what_code_only_reads_in_c_changes_nothing_and_other_settings_are_said_to_stay(
    caplog: pytest.LogCaptureFixture,
) -> None:
    options = options_of(
        "def handler(options):",
        "    dict(c.KubeClusterConfig.environment)",
        "    c.KubeBackend.common_labels = {'a': 'b'}",
        "    return {}",
        "c.Backend.cluster_options = Options(handler=handler)",
    )
    chosen = await service(cluster_options=options, backend={"environment": {"A": "1"}}).resolve(ALICE, {})
    assert chosen.config["environment"] == {"A": "1"}
    assert "c.KubeBackend.common_labels was set while a cluster was made, which has no effect" in caplog.text


async def test_a_users_own_mistake_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    options = service(cluster_options=Options(Integer("n"), handler=lambda _: {}))

    with pytest.raises(InvalidRequest, match="n must be an integer"):
        await options.resolve(ALICE, {"n": "1"})
    assert not caplog.records


async def agen(options: Any) -> AsyncIterator[dict[str, Any]]:
    yield {}


async def twice(options: Any) -> Any:
    async def inner() -> dict[str, Any]:
        return {"worker_cores": 3}

    return inner()


def no_user() -> Options:
    return Options()


class Odd(Field):
    def validate(self, x: Any) -> Any:
        return {1, 2}

    def json_type_spec(self) -> dict[str, Any]:
        return {"type": "mapping"}


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (Options(handler=agen), "The options handler must return a dict, got 'async_generator'"),
        (Options(handler=lambda _: None), "The options handler must return a dict, got 'NoneType'"),
        (Options(handler=lambda _: [("a", 1)]), "The options handler must return a dict, got 'list'"),
        (lambda user: {"a": 1}, "cluster_options must give Options, got 'dict'"),
        (lambda user: None, "cluster_options must give Options, got 'NoneType'"),
        (no_user, "takes 0 positional arguments but 1 was given"),
        (Options(Odd("odd")), "Type is not JSON serializable: set"),
    ],
)
async def test_code_that_returns_what_it_must_not_is_told_so(source: Any, text: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await service(cluster_options=source).resolve(ALICE, {})

    assert text in str(refused.value)


async def test_whatever_is_awaitable_is_awaited() -> None:
    assert (await service(cluster_options=Options(handler=twice)).resolve(ALICE, {})).config["worker_cores"] == 3


@pytest.mark.parametrize("overrides", [{"worker_cores": object()}, {"environment": {"A": {}}}])
async def test_overrides_that_no_cluster_can_have_are_refused_as_configuration(overrides: dict[Any, Any]) -> None:
    with pytest.raises(InvalidConfig):
        await service(cluster_options=Options(handler=lambda _: overrides)).resolve(ALICE, {})


async def test_overrides_that_nobody_knows_are_passed_over_and_named_once(caplog: pytest.LogCaptureFixture) -> None:
    options = service(cluster_options=Options(handler=lambda _: {"worker_core": 1, 1: 2, "worker_cores": 3}))

    for _ in range(2):
        assert (await options.resolve(ALICE, {})).config["worker_cores"] == 3

    assert [record.getMessage() for record in caplog.records] == [
        "The options give 1, which no cluster's configuration has",
        "The options give worker_core, which no cluster's configuration has: did you mean worker_cores?",
    ]


async def test_options_that_can_not_be_shown_say_why(caplog: pytest.LogCaptureFixture) -> None:
    def by_user(user: User) -> Options:
        raise LookupError(f"{user.name} is in no project")

    with pytest.raises(OperatorCodeFailed, match="alice is in no project"):
        await service(cluster_options=by_user).describe(ALICE)
    assert "by_user failed for user 'alice'" in caplog.text

    def unprintable(_: User) -> Options:
        return Options(String("s", label={1}))  # type: ignore[arg-type]

    with pytest.raises(OperatorCodeFailed, match="not JSON serializable"):
        await service(cluster_options=unprintable).describe(ALICE)


async def test_code_that_hangs_is_named_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    released = threading.Event()

    def stuck(user: User) -> Options:
        released.wait(60)
        return Options()

    options = service(cluster_options=stuck, api={"options_timeout": 1.0})

    with pytest.raises(OperatorCodeTimeout):
        await options.describe(ALICE)
    with pytest.raises(InvalidRequest, match="did not answer within"):
        await options.resolve(ALICE, {})
    released.set()
    assert caplog.text.count("stuck has not returned within 1 seconds for user 'alice'") == 2
