"""Cluster options: what clients are told, what is accepted, and what follows for the cluster."""

import copy
import json
import math
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dask_gateway_server.models import User
from dask_gateway_server.options import (
    Bool,
    Field,
    Float,
    FrozenAttrDict,
    Integer,
    InvalidOptions,
    Mapping,
    Options,
    Select,
    String,
    options_for,
    resolve_options,
)

ALICE = User("alice", groups=["science"])

# the machine may be busy: slow is not wrong
relaxed = settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def offered() -> Options:
    return Options(
        Integer("cores", default=1, min=1, max=4, target="worker_cores", label="Cores"),
        Float("memory", default=2.5, min=2, max=4),
        Select("image", [("slim", "registry/slim:1"), "full"]),
        String("queue", default="any"),
        Bool("spot"),
        Mapping("environment", default={"A": "1"}),
    )


def test_the_specification_has_exactly_the_keys_that_released_clients_take() -> None:
    assert offered().get_specification() == [
        {
            "field": "cores",
            "label": "Cores",
            "default": 1,
            "spec": {"type": "int", "min": 1, "max": 4},
        },
        {
            "field": "memory",
            "label": "memory",
            "default": 2.5,
            "spec": {"type": "float", "min": 2.0, "max": 4.0},
        },
        {
            "field": "image",
            "label": "image",
            "default": "slim",
            "spec": {"type": "select", "options": ["slim", "full"]},
        },
        {"field": "queue", "label": "queue", "default": "any", "spec": {"type": "string"}},
        {"field": "spot", "label": "spot", "default": False, "spec": {"type": "bool"}},
        {
            "field": "environment",
            "label": "environment",
            "default": {"A": "1"},
            "spec": {"type": "mapping"},
        },
    ]


def test_the_specification_without_limits_says_null() -> None:
    assert Integer("n").json_type_spec() == {"type": "int", "min": None, "max": None}
    assert Float("x", min=-math.inf, max=math.inf).json_type_spec() == {
        "type": "float",
        "min": None,
        "max": None,
    }


def test_nothing_configured_offers_nothing() -> None:
    assert Options().get_specification() == []
    assert Options().parse_options({}) == {}


def test_every_option_has_a_value_after_parsing() -> None:
    assert offered().parse_options({"memory": 3}) == {
        "cores": 1,
        "memory": 3.0,
        "image": "slim",
        "queue": "any",
        "spot": False,
        "environment": {"A": "1"},
    }


@pytest.mark.parametrize(
    ("request_", "kind", "text"),
    [
        ({"b": 1, "a": 2}, ValueError, "Unknown fields ['a', 'b']"),
        ({"cores": "2"}, TypeError, "cores must be an integer, got '2'"),
        ({"cores": 2.0}, TypeError, "cores must be an integer, got 2.0"),
        ({"cores": None}, TypeError, "cores must be an integer, got None"),
        ({"cores": 0}, ValueError, "cores must be >= 1.000000, got 0"),
        ({"cores": 10}, ValueError, "cores must be <= 4.000000, got 10"),
        ({"memory": "3"}, TypeError, "memory must be a float, got '3'"),
        ({"memory": 1}, ValueError, "memory must be >= 2.000000, got 1.0"),
        ({"memory": math.nan}, ValueError, "memory must be a finite number, got nan"),
        ({"memory": 10**400}, ValueError, "memory must be a finite number, got inf"),
        ({"image": 1}, TypeError, "image must be a string, got 1"),
        ({"image": "huge"}, ValueError, "'huge' is not a valid option for image"),
        ({"queue": 1}, TypeError, "queue must be a string, got 1"),
        ({"spot": 1}, TypeError, "spot must be a bool, got 1"),
        ({"environment": ["A=1"]}, TypeError, "environment must be a mapping, got ['A=1']"),
        ([], TypeError, "options must be a dict, got 'list'"),
        (None, TypeError, "options must be a dict, got 'NoneType'"),
    ],
)
async def test_a_wrong_value_is_refused_with_the_published_text(
    request_: Any, kind: type[Exception], text: str
) -> None:
    with pytest.raises(kind) as raised:
        offered().parse_options(request_)
    assert str(raised.value) == text
    with pytest.raises(InvalidOptions) as told:
        await resolve_options(offered(), request_, ALICE)
    assert str(told.value) == text


def test_a_bool_passes_as_an_integer_as_it_always_has() -> None:
    assert Integer("n").validate(True) is True


@relaxed
@given(request_=st.dictionaries(st.sampled_from(["cores", "memory", "image", "environment", "x"]), json_values))
async def test_whatever_is_asked_for_is_either_refused_or_can_be_stored_and_asked_for_again(
    request_: dict[str, Any],
) -> None:
    try:
        chosen = (await resolve_options(offered(), request_, ALICE)).options
    except InvalidOptions:
        return
    json.dumps(chosen)
    assert offered().parse_options(chosen) == chosen


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda: Options("cores"), TypeError),  # type: ignore[arg-type]
        (lambda: Integer("n", default="1"), TypeError),  # type: ignore[arg-type]
        (lambda: Integer("n", default=0, min=1), ValueError),
        (lambda: Integer("n", min=0.5), TypeError),
        (lambda: String("s", default=None), TypeError),  # type: ignore[arg-type]
        (lambda: Select("s", 1), TypeError),  # type: ignore[arg-type]
        (lambda: Select("s", [1, 2]), TypeError),  # type: ignore[list-item]
        (lambda: Select("s", []), ValueError),
        (lambda: Select("s", ["a"], default="b"), ValueError),
        (lambda: Mapping("m", default=[]), TypeError),  # type: ignore[arg-type]
    ],
)
def test_a_wrong_declaration_is_refused_when_it_is_made(make: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        make()


def test_targets_rename_and_choices_become_their_values() -> None:
    options = Options(Integer("cores", target="worker_cores"), Select("image", [("slim", 5), "full"]))
    assert options.get_configuration({"cores": 2}, ALICE) == {"worker_cores": 2, "image": 5}
    assert options.get_configuration({"image": "full"}, ALICE) == {"worker_cores": 0, "image": "full"}


def test_a_handler_with_one_parameter_gets_the_options() -> None:
    options = Options(Integer("cores"), handler=lambda options: {"worker_cores": options.cores * 2})
    assert options.get_configuration({"cores": 2}, ALICE) == {"worker_cores": 4}


def test_a_handler_with_two_parameters_gets_the_user_as_well() -> None:
    def by_group(options: Any, user: User) -> dict[str, Any]:
        return {"worker_cores": options["cores"], "namespace": next(iter(user.groups))}

    options = Options(Integer("cores"), handler=by_group)
    assert options.get_configuration({"cores": 2}, ALICE) == {"worker_cores": 2, "namespace": "science"}


def test_a_handler_with_any_number_of_parameters_gets_both() -> None:
    options = Options(handler=lambda *given: {"parameters": len(given)})
    assert options.get_configuration({}, ALICE) == {"parameters": 2}


def test_a_handler_can_be_set_later_and_called_by_another() -> None:
    options = Options(Integer("cores"), handler=lambda options: {"worker_cores": options.cores})
    first = options.handler
    assert first is not None
    options.handler = lambda options, user: {**first(options, user), "owner": user.name}
    assert options.get_configuration({"cores": 3}, ALICE) == {"worker_cores": 3, "owner": "alice"}
    options.handler = None
    assert options.get_configuration({"cores": 3}, ALICE) == {"cores": 3}


async def test_a_handler_may_be_asynchronous() -> None:
    async def handler(options: Any, user: User) -> dict[str, Any]:
        return {"image": f"{user.name}:{options.tag}"}

    resolved = await resolve_options(Options(String("tag", "1"), handler=handler), {}, ALICE)
    assert resolved.options == {"tag": "1"}
    assert resolved.overrides == {"image": "alice:1"}


async def test_what_a_handler_raises_is_told_to_the_user() -> None:
    def handler(options: Any) -> dict[str, Any]:
        raise PermissionError("only 2 cores for you" if options.cores else "")

    options = Options(Integer("cores", 3), handler=handler)
    with pytest.raises(InvalidOptions, match=r"^only 2 cores for you$"):
        await resolve_options(options, {}, ALICE)
    with pytest.raises(InvalidOptions, match=r"^PermissionError$"):
        await resolve_options(options, {"cores": 0}, ALICE)


async def test_a_handler_that_forgets_its_answer_is_reported() -> None:
    with pytest.raises(InvalidOptions, match=r"must return a dict, got 'NoneType'"):
        await resolve_options(Options(handler=lambda options: None), {}, ALICE)


async def test_a_handler_that_edits_a_mapping_does_not_change_what_the_user_chose() -> None:
    def handler(options: Any) -> dict[str, Any]:
        options.environment["SECRET"] = "x"
        return dict(options)

    options = Options(Mapping("environment", {"A": "1"}), handler=handler)
    asked = {"environment": {"B": "2"}}
    resolved = await resolve_options(options, asked, ALICE)
    assert resolved.options == asked == {"environment": {"B": "2"}}
    assert resolved.overrides == {"environment": {"B": "2", "SECRET": "x"}}
    assert (await resolve_options(options, {}, ALICE)).options == {"environment": {"A": "1"}}


async def test_options_can_depend_on_the_user() -> None:
    async def later(user: User) -> Options:
        return Options(Integer("cores", max=8 if "science" in user.groups else 1))

    for source in (later, lambda user: Options(Integer("cores", max=8 if user.groups else 1))):
        assert (await options_for(source, ALICE)).get_specification()[0]["spec"]["max"] == 8
        with pytest.raises(InvalidOptions, match="cores must be <= 1"):
            await resolve_options(source, {"cores": 2}, User("bob"))


async def test_a_function_that_gives_no_options_is_reported() -> None:
    with pytest.raises(TypeError, match="cluster_options must give Options, got 'dict'"):
        await options_for(lambda user: {}, ALICE)  # type: ignore[arg-type,return-value]


def test_a_kind_of_option_can_be_added() -> None:
    class Even(Field):
        def validate(self, x: Any) -> int:
            if x % 2:
                raise ValueError(f"{self.field} must be even, got {x}")
            return int(x)

        def json_type_spec(self) -> dict[str, Any]:
            return {"type": "int", "min": None, "max": None}

    options = Options(Even("workers", default=2))
    assert options.parse_options({"workers": 4}) == {"workers": 4}
    with pytest.raises(ValueError, match="workers must be even, got 3"):
        options.parse_options({"workers": 3})


def test_what_a_handler_gets_reads_like_an_object_and_a_mapping_and_stays_as_it_is() -> None:
    values = {"cores": 1, "not valid": 2, "for": 3}
    options = FrozenAttrDict(values)
    assert options.cores == options["cores"] == 1
    assert dict(options) == values
    assert len(options) == 3
    with pytest.raises(AttributeError, match="missing"):
        options.missing  # noqa: B018 - reading it is the point
    with pytest.raises(AttributeError, match="can't be changed"):
        options.cores = 2
    with pytest.raises(TypeError):
        options["cores"] = 2
    assert {"cores", "get", "keys"} <= set(dir(options))
    assert not {"not valid", "for"} & set(dir(options))
    assert dict(copy.deepcopy(options)) == values


def test_a_user_has_a_set_of_groups() -> None:
    assert User("bob").groups == set()
    assert User("bob").admin is False
    assert ALICE.groups & {"science", "art"} == {"science"}
    assert repr(User("bob", ["b", "a"], admin=True)) == "User('bob', groups=['a', 'b'], admin=True)"
