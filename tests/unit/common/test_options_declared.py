"""Options declared without Python: what is offered, what follows, and what is refused when they are read."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway_common.config import parse_cluster_config
from gateway_common.configuration.declared_options import DeclaredOptions, merge_declarations
from gateway_common.configuration.model import Configuration
from gateway_common.configuration.option_checks import check_declarations, check_options
from gateway_common.configuration.options import OptionDeclaration
from gateway_common.configuration.templates import TemplateError, as_text, fill, placeholders

relaxed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def declared(*options: dict[str, Any]) -> list[OptionDeclaration]:
    return [OptionDeclaration.model_validate(option) for option in options]


def resolve(
    options: list[OptionDeclaration], request: dict[str, Any], base: dict[str, Any] | None = None
) -> dict[str, Any]:
    assert check_options(options, "gateway.options") == []
    offered = DeclaredOptions(options)
    return offered.apply(base or {}, offered.options.parse_options(request), "alice")


def option(**fields: Any) -> dict[str, Any]:
    return {"name": "x", "type": "string", "default": "a", **fields}


EVERY_KIND = declared(
    {"name": "worker_cores", "type": "integer", "default": 1, "min": 1, "max": 16, "label": "Worker cores"},
    {"name": "memory", "type": "float", "default": 2, "min": 0.5, "target": "worker_memory", "template": "{value}G"},
    {
        "name": "image",
        "type": "select",
        "choices": {"stable": "repo/dask:1", "next": "repo/dask:{literally}", "tagged": {"image": "repo/dask:{tag}"}},
    },
    {"name": "tag", "type": "string", "default": "latest"},
    {"name": "environment", "type": "mapping", "default": {"TZ": "UTC"}},
    {
        "name": "gpu",
        "type": "bool",
        "sets": {"worker_extra_container_config": {"resources": {"limits": {"nvidia.com/gpu": 1}}}},
    },
    {
        "name": "project",
        "type": "select",
        "choices": ["atmos", "ocean"],
        "sets": {
            "worker_extra_pod_labels": {"project": "{value}"},
            "environment": {"PROJECT": "{value}/{user}", "THREADS": "{worker_cores}"},
            "worker_extra_pod_config": {"tolerations": [{"key": "{{{value}}}", "operator": "Exists"}]},
        },
    },
)


def test_each_kind_is_offered_as_its_python_class_would_be() -> None:
    assert DeclaredOptions(EVERY_KIND).options.get_specification() == [
        {"field": "worker_cores", "label": "Worker cores", "default": 1, "spec": {"type": "int", "min": 1, "max": 16}},
        {"field": "memory", "label": "memory", "default": 2, "spec": {"type": "float", "min": 0.5, "max": None}},
        {
            "field": "image",
            "label": "image",
            "default": "stable",
            "spec": {"type": "select", "options": ["stable", "next", "tagged"]},
        },
        {"field": "tag", "label": "tag", "default": "latest", "spec": {"type": "string"}},
        {"field": "environment", "label": "environment", "default": {"TZ": "UTC"}, "spec": {"type": "mapping"}},
        {"field": "gpu", "label": "gpu", "default": False, "spec": {"type": "bool"}},
        {
            "field": "project",
            "label": "project",
            "default": "atmos",
            "spec": {"type": "select", "options": ["atmos", "ocean"]},
        },
    ]


def test_what_follows_is_merged_over_the_configuration_that_stands() -> None:
    base = {
        "environment": {"A": "1", "TZ": "CET"},
        "worker_extra_pod_config": {"tolerations": [{"operator": "Exists"}], "nodeSelector": {"a": "b"}},
        "worker_extra_pod_labels": {"team": "x"},
        "idle_timeout": 60,
    }

    config = resolve(EVERY_KIND, {"worker_cores": 4, "gpu": True, "environment": {"B": "2"}, "image": "tagged"}, base)

    assert config == {
        "worker_cores": 4,
        "worker_memory": "2G",
        "image": "repo/dask:latest",
        "environment": {"A": "1", "TZ": "CET", "B": "2", "PROJECT": "atmos/alice", "THREADS": "4"},
        "worker_extra_container_config": {"resources": {"limits": {"nvidia.com/gpu": 1}}},
        "worker_extra_pod_config": {
            "tolerations": [{"operator": "Exists"}, {"key": "{atmos}", "operator": "Exists"}],
            "nodeSelector": {"a": "b"},
        },
        "worker_extra_pod_labels": {"team": "x", "project": "atmos"},
        "idle_timeout": 60,
    }
    parse_cluster_config(config)
    assert base["environment"] == {"A": "1", "TZ": "CET"}


def test_a_choices_value_is_no_template() -> None:
    assert resolve(EVERY_KIND, {"image": "next"})["image"] == "repo/dask:{literally}"


@pytest.mark.parametrize("evil", ["{user}", "{{value}}", "{value.__class__}", "%(user)s", "$(A)", "{0}", "{"])
def test_what_a_user_writes_is_put_in_as_it_is(evil: str) -> None:
    options = declared(
        {"name": "note", "type": "string", "sets": {"worker_extra_pod_annotations": {"n": "<{value}>", "m": "{value}"}}}
    )

    assert resolve(options, {"note": evil})["worker_extra_pod_annotations"] == {"n": f"<{evil}>", "m": evil}


def test_a_switch_that_is_off_sets_nothing_unless_its_value_is_asked_for() -> None:
    on_only = declared({"name": "spot", "type": "bool", "sets": {"environment": {"SPOT": "yes"}}})
    always = declared({"name": "spot", "type": "bool", "sets": {"environment": {"SPOT": "{value}"}}})

    assert resolve(on_only, {}) == {}
    assert resolve(on_only, {"spot": True}) == {"environment": {"SPOT": "yes"}}
    assert resolve(always, {}) == {"environment": {"SPOT": "false"}}


def test_a_choice_may_set_nothing() -> None:
    options = declared(
        {"name": "size", "type": "select", "choices": {"usual": None, "large": {"worker_cores": 8}}},
        {"name": "image", "type": "select", "choices": {"usual": None, "next": "repo/dask:next"}},
    )

    assert resolve(options, {}) == {}
    assert resolve(options, {"size": "large", "image": "next"}) == {"worker_cores": 8, "image": "repo/dask:next"}


def test_a_value_that_stands_alone_keeps_its_type() -> None:
    options = declared(
        {"name": "hours", "type": "integer", "default": 1, "sets": {"max_lifetime": "{value}"}},
        {"name": "command", "type": "select", "choices": {"dask": ["dask", "worker"]}, "target": "worker_cmd"},
        {"name": "worker_threads", "type": "integer", "default": 2},
    )

    assert resolve(options, {"worker_threads": True}) == {
        "max_lifetime": 1,
        "worker_cmd": ["dask", "worker"],
        "worker_threads": 1,
    }
    assert type(resolve(options, {"worker_threads": True})["worker_threads"]) is int


def test_an_option_of_a_group_takes_the_place_of_one_of_its_name() -> None:
    general = declared(option(name="a", target="image"), option(name="b", target="image"))
    group = declared(option(name="c", target="image"), option(name="a", target="image", default="z"))

    merged = merge_declarations([general, group])

    assert [(each.name, each.default) for each in merged] == [("a", "z"), ("b", "a"), ("c", "a")]


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"target": "imge"}, "target: there is no field 'imge' in a cluster's configuration: did you mean image?"),
        (
            {"name": "workr_cores", "type": "integer", "default": 1},
            "nothing follows from it: there is no field 'workr_cores' in a cluster's configuration: did you mean "
            "worker_cores? Set target, or sets, or name it in another option's template",
        ),
        ({"sets": {"imge": "{value}"}},
         "sets: there is no field 'imge' in a cluster's configuration: did you mean image?"),
        (
            {"type": "select", "default": None, "choices": {"a": {"imge": "b"}}},
            "choices.a: there is no field 'imge' in a cluster's configuration: did you mean image?",
        ),
        ({"template": "{value}"}, "template: there is no target that it could go to: set target"),
        (
            {"target": "worker_cores", "type": "integer", "default": 0, "min": 1},
            "default: x must be >= 1.000000, got 0",
        ),
        (
            {"target": "worker_cores", "type": "integer", "default": None, "min": 1},
            "default (which an integer has where none is given): x must be >= 1.000000, got 0",
        ),
        ({"type": "integer"}, "default: x must be an integer, got 'a'"),
        ({"type": "select", "choices": ["b"]}, "default: 'a' is not a valid option for x"),
        ({"type": "select"}, "choices: a select needs some: a list of names, or a mapping of names to what they mean"),
        ({"choices": ["a"]}, "choices are for a select, and this is a string"),
        ({"max": 1}, "min and max are for numbers, and this is a string"),
        ({"type": "float", "min": 2, "max": 1}, "min (2) is above max (1)"),
        ({"type": "integer", "min": 0.5}, "min and max of an integer must be whole numbers"),
        ({"type": "float", "max": 1e300}, "min and max must be within 9007199254740992 of 0: leave out what does not "
         "limit anything"),
        ({"name": "user"}, "{user} means something else in templates: choose another name"),
        ({"target": "image", "sets": {"image": "{value}"}}, "sets takes the place of target and template: keep one of "
         "them"),
        (
            {"sets": {"environment": {"A": "{valeu}"}}},
            "sets: {valeu} is no option, nor {value} or {user}: did you mean {value}?",
        ),
        (
            {"sets": {"environment": {"A": "{value.x}"}}},
            "sets: '{value.x}' is not a name in braces; a brace itself is written twice, as '{{'",
        ),
        (
            {"sets": {"environment": {"{value}": "a"}}},
            "sets: environment.{value}: the name of an entry can't hold a value",
        ),
        (
            {"target": "image", "template": "repo/dask"},
            "template: there is no {value} in 'repo/dask', so that nothing follows from a choice",
        ),
        (
            {"target": "environment_secrets"},
            "target: environment_secrets: users must not name Secrets themselves: make it a select, whose choices are "
            "yours",
        ),
        (
            {"sets": {"environment_secrets": {"A": {"name": "of-{value}", "key": "k"}}}},
            "sets: environment_secrets.A.name: users must not name Secrets themselves: make it a select, whose "
            "choices are yours",
        ),
        (
            {"sets": {"worker_extra_pod_config": {"volumes": [{"name": "v", "secret": {"secretName": "{value}"}}]}}},
            "sets: worker_extra_pod_config.volumes.0.secret.secretName: users must not name Secrets themselves: make "
            "it a select, whose choices are yours",
        ),
        (
            {"type": "mapping", "default": {}, "target": "worker_extra_pod_config"},
            "target: worker_extra_pod_config: a user's mapping can't stand there; it can be the whole of one of these "
            "fields: environment, scheduler_extra_pod_annotations, scheduler_extra_pod_labels, "
            "worker_extra_pod_annotations, worker_extra_pod_labels",
        ),
        (
            {"type": "select", "default": None, "choices": {"l": ["a"]}, "target": "image", "template": "b/{value}"},
            "template: image: the choice 'l' of x is a list, which can't stand within a text",
        ),
        (
            {"target": "worker_extra_pod_config"},
            "with 'a' for a value: worker_extra_pod_config: expected an object, got text",
        ),
        (
            {"target": "worker_memory", "template": "{value}Q", "type": "float", "default": 1},
            "with 1 for a value: worker_memory: ",
        ),
        (
            {"target": "worker_cores", "type": "integer", "default": 1, "min": 0},
            "with 0 for a value: worker_cores: must be greater than 0, got 0",
        ),
    ],
)  # fmt: skip
def test_a_declaration_that_can_not_work_is_refused_with_its_place_and_what_to_do(
    fields: dict[str, Any], error: str
) -> None:
    options = declared(option(**fields))
    name = options[0].name

    errors = check_options(options, "gateway.options")

    assert len(errors) == 1
    assert errors[0].startswith(f"gateway.options.{name}: {error}")


@pytest.mark.parametrize("inner", ["{value}", "{value}-x"])
def test_a_users_mapping_stands_for_nothing_but_a_whole_mapping_of_texts(inner: str) -> None:
    nested = declared({"name": "m", "type": "mapping", "sets": {"environment": {"A": inner}}})

    assert "a user's mapping can't stand there" in check_options(nested, "o")[0]


def test_all_errors_are_told_at_once() -> None:
    wrong = [option(name="a", target="nothing"), option(name="b", type="integer"), option(name="b", target="image")]

    errors = check_options(declared(*wrong), "gateway.options")

    assert errors[0] == "gateway.options.b: there are two options of this name"
    assert [error.split(":")[0] for error in errors[1:]] == ["gateway.options.a", "gateway.options.b"]


def test_secrets_that_the_operator_names_are_chosen_by_select() -> None:
    options = declared(
        {
            "name": "bucket",
            "type": "select",
            "choices": ["public", "private"],
            "sets": {
                "environment_secrets": {"KEY": {"name": "{value}-{user}", "key": "k"}},
                "environment": {"SECRET_NAME": "{value}"},
            },
        }
    )

    assert resolve(options, {})["environment_secrets"] == {"KEY": {"name": "public-alice", "key": "k"}}


def configuration(**settings: Any) -> Configuration:
    return Configuration.model_validate({"instance": "i", **settings})


def test_options_of_groups_are_checked_beside_the_general_ones() -> None:
    tag = {"name": "tag", "type": "string", "default": "a"}
    image = {"name": "image", "type": "string", "default": "a", "template": "repo:{tag}"}

    assert check_declarations(configuration(options=[tag, image])) == []
    assert check_declarations(configuration(options=[image], groups={"g": {"options": [tag]}})) == [
        "gateway.options.image: template: {tag} is no option, nor {value} or {user}"
    ]
    assert check_declarations(
        configuration(options=[tag, image], groups={"g": {"options": [{**image, "template": "repo:{tga}"}]}})
    ) == ["gateway.groups.g.options.image: template: {tga} is no option, nor {value} or {user}: did you mean {tag}?"]


def test_options_are_declared_or_code_and_never_both() -> None:
    code = {"cluster_options": "module:options"}

    assert check_declarations(configuration(**code)) == []
    for both in ({"options": [option()]}, {"groups": {"g": {"options": [option()]}}}):
        (error,) = check_declarations(configuration(**code, **both))
        assert "c.Backend.cluster_options and gateway." in error
        assert "keep one of them" in error


texts = st.text(alphabet="ab{}. é$%", max_size=12)


@relaxed
@given(text=st.text(max_size=20))
def test_a_text_with_doubled_braces_means_itself(text: str) -> None:
    assert fill(text.replace("{", "{{").replace("}", "}}"), {}) == text


@relaxed
@given(template=texts, value=st.text(max_size=10))
def test_a_template_is_refused_or_holds_the_value_wherever_its_name_stood(template: str, value: str) -> None:
    try:
        found = list(placeholders(template))
    except TemplateError:
        return
    filled = fill(template, {p.name: value for p in found})
    assert filled.count(value) >= len(found)
    assert len(filled) <= len(template) + len(found) * len(value)


@relaxed
@given(number=st.integers(-(2**53) + 1, 2**53 - 1))
def test_a_whole_number_has_no_decimals_in_a_text(number: int) -> None:
    assert as_text(float(number)) == as_text(number) == str(number)
    assert (as_text(True), as_text(2.5)) == ("true", "2.5")
