"""The option classes held against the published contract (R-013, R-041, R-042), and against the released client."""

import importlib.util
import json
import math
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from dask_gateway_server.fields import Bool, Field, Float, Integer, Mapping, Select, String
from dask_gateway_server.options import Options
from gateway_common.configuration.declared_options import DeclaredOptions
from gateway_common.configuration.option_checks import check_options
from gateway_common.configuration.options import OptionDeclaration
from tests.kit.environments import find_environment

relaxed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])

whole = st.integers(-(2**53), 2**53)
real = st.floats(allow_nan=False, allow_infinity=False, width=32)
text = st.text(max_size=10)
values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    text,
    st.lists(st.integers(), max_size=2),
    st.dictionaries(text, st.integers(), max_size=2),
)


def outcome(validate: Callable[[Any], Any], value: Any) -> tuple[type, str]:
    """A type and a text of what becomes of a value: NaN is itself then."""
    try:
        result = validate(value)
    except (TypeError, ValueError) as error:
        return type(error), str(error)
    return type(result), repr(result)


@relaxed
@given(value=values)
@example(value=True)
@example(value=1.0)
def test_kinds_without_limits_take_their_own_type_and_refuse_others_by_the_published_text(value: Any) -> None:
    for field, kinds, noun in (
        (String("x"), str, "a string"),
        (Bool("x"), bool, "a bool"),
        (Integer("x"), int, "an integer"),
        (Mapping("x"), dict, "a mapping"),
    ):
        expected = (
            (type(value), repr(value)) if isinstance(value, kinds) else (TypeError, f"x must be {noun}, got {value!r}")
        )
        assert outcome(field.validate, value) == expected


@relaxed
@given(low=st.none() | whole, high=st.none() | whole, value=whole | st.booleans())
def test_integers_have_inclusive_limits_and_the_published_texts(low: int | None, high: int | None, value: int) -> None:
    assume(low is None or high is None or low <= high)
    default = low if low is not None else high if high is not None else 0
    field = Integer("n", default=default, min=low, max=high)

    if low is not None and value < low:
        assert outcome(field.validate, value) == (ValueError, f"n must be >= {low:f}, got {value}")
    elif high is not None and value > high:
        assert outcome(field.validate, value) == (ValueError, f"n must be <= {high:f}, got {value}")
    else:
        assert field.validate(value) is value


@relaxed
@given(low=real, high=real, value=st.one_of(real, whole, st.booleans(), text, st.none()))
def test_floats_have_inclusive_limits_and_the_published_texts(low: float, high: float, value: Any) -> None:
    assume(low <= high)
    field = Float("f", default=low, min=low, max=high)

    if not isinstance(value, int | float):
        assert outcome(field.validate, value) == (TypeError, f"f must be a float, got {value!r}")
    elif float(value) < low:
        assert outcome(field.validate, value) == (ValueError, f"f must be >= {low:f}, got {float(value)}")
    elif float(value) > high:
        assert outcome(field.validate, value) == (ValueError, f"f must be <= {high:f}, got {float(value)}")
    else:
        assert outcome(field.validate, value) == (float, repr(float(value)))


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_what_is_no_number_to_json_is_refused_on_purpose(value: float) -> None:
    assert outcome(Float("f").validate, value)[0] is ValueError


@relaxed
@given(names=st.lists(text, min_size=1, unique=True, max_size=5), value=values)
def test_selects_take_the_names_of_their_choices_and_nothing_else(names: list[str], value: Any) -> None:
    field = Select("s", names)

    assert field.default == names[0]
    for name in names:
        assert field.validate(name) == name
    if not isinstance(value, str):
        assert outcome(field.validate, value) == (TypeError, f"s must be a string, got {value!r}")
    elif value not in names:
        assert outcome(field.validate, value) == (ValueError, f"{value!r} is not a valid option for s")


@relaxed
@given(request=st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), st.integers(0, 9)))
def test_fields_that_are_not_offered_are_named_in_order_before_any_value_is_looked_at(request: dict[str, int]) -> None:
    options = Options(Integer("a", max=5), Integer("b"))
    unknown = sorted(request.keys() - {"a", "b"})

    if unknown:
        assert outcome(options.parse_options, request) == (ValueError, f"Unknown fields {unknown!r}")
    elif request.get("a", 0) > 5:
        assert outcome(options.parse_options, request) == (
            ValueError,
            f"a must be <= 5.000000, got {request['a']}",
        )
    else:
        assert options.parse_options(request) == {"a": 0, "b": 0} | request


@pytest.fixture(scope="module")
def released() -> ModuleType:
    """The options of the released client, which builds its own fields from what we send."""
    (found,) = find_environment("released").glob("lib/python*/site-packages/dask_gateway/options.py")
    spec = importlib.util.spec_from_file_location("released_options", found)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def limited(kind: type[Field], numbers: st.SearchStrategy[Any]) -> st.SearchStrategy[Field]:
    ordered = st.lists(numbers, min_size=3, max_size=3).map(sorted)
    limit = st.booleans()
    return st.builds(
        lambda three, low, high: kind(
            "x",
            default=three[1],
            min=three[0] if low else None,  # type: ignore[call-arg]
            max=three[2] if high else None,
        ),
        ordered,
        limit,
        limit,
    )


fields = st.one_of(
    st.builds(lambda default: String("x", default), text),
    st.builds(lambda default, label: Bool("x", default, label=label), st.booleans(), st.none() | text),
    limited(Integer, whole),
    limited(Float, real | whole),
    st.builds(lambda names: Select("x", names), st.lists(text, min_size=1, unique=True, max_size=4)),
    st.builds(lambda default: Mapping("x", default), st.dictionaries(text, text, max_size=3)),
)


@relaxed
@given(field=fields, value=st.one_of(st.booleans(), whole, real, text, st.dictionaries(text, text, max_size=2)))
def test_the_released_client_takes_every_description_and_the_values_that_we_take(
    released: ModuleType, field: Field, value: Any
) -> None:
    (described,) = json.loads(json.dumps(Options(field).get_specification()))

    theirs = released.Options._from_spec([described])

    assert theirs["x"] == field.default
    refused, taken = outcome(field.validate, value), outcome(theirs._fields["x"].validate, value)
    if not isinstance(field, Mapping):  # whose refusal the client words in its own way
        assert refused == taken
    else:
        assert (refused[0] is TypeError) is (taken[0] is TypeError)


numbers = st.integers(-1000, 1000)
declarations = st.one_of(
    st.fixed_dictionaries({"type": st.just("string"), "default": text}, optional={"label": text}),
    st.fixed_dictionaries({"type": st.just("bool")}, optional={"default": st.booleans()}),
    st.fixed_dictionaries(
        {"type": st.sampled_from(["integer", "float"]), "default": numbers},
        optional={"min": numbers | st.floats(-9, 9), "max": numbers},
    ),
    st.fixed_dictionaries(
        {"type": st.just("select"), "choices": st.lists(text, max_size=3) | st.dictionaries(text, text, max_size=3)},
        optional={"default": text},
    ),
    st.fixed_dictionaries({"type": st.just("mapping")}, optional={"default": st.dictionaries(text, text)}),
)


@relaxed
@given(declaration=declarations)
def test_a_declaration_is_refused_or_the_released_client_takes_it(
    released: ModuleType, declaration: dict[str, Any]
) -> None:
    sets = {"environment": "{value}" if declaration["type"] == "mapping" else {"X": "{value}"}}
    option = OptionDeclaration.model_validate({"name": "x", "sets": sets, **declaration})
    if check_options([option], "gateway.options"):
        return

    offered = DeclaredOptions([option])
    theirs = released.Options._from_spec(json.loads(json.dumps(offered.options.get_specification())))
    chosen = offered.options.parse_options({"x": theirs["x"]})
    assert chosen == offered.options.parse_options({})
    assert offered.apply({}, chosen, "alice").keys() <= {"environment"}
