"""Options: what may be set, and how they show."""

import ipywidgets
import pytest
from IPython.lib.pretty import pretty

from dask_gateway.options import Options

SPECS = {
    "image": ("base", {"type": "string"}),
    "gpu": (False, {"type": "bool"}),
    "workers": (1, {"type": "int", "min": 0, "max": 4}),
    "any_int": (1, {"type": "int", "min": None, "max": None}),
    "memory": (1.5, {"type": "float", "min": 0, "max": 8}),
    "any_float": (1.0, {"type": "float", "min": None, "max": None}),
    "profile": ("small", {"type": "select", "options": ["small", "large"]}),
    "environment": ({}, {"type": "mapping"}),
}


def option(field: str, default=None, spec=None, **changes):
    known_default, known_spec = SPECS.get(field, (default, spec))
    return {"field": field, "label": f"{field}?", "default": known_default, "spec": known_spec, **changes}


@pytest.fixture
def options() -> Options:
    return Options.from_json([option(field) for field in SPECS])


def test_defaults_are_the_gateways(options: Options) -> None:
    assert dict(options) == {field: default for field, (default, _) in SPECS.items()}


def test_options_are_read_and_set_as_attributes_and_keys(options: Options) -> None:
    options.image = "other"
    assert options["image"] == "other"
    options["workers"] = 3
    assert options.workers == 3
    options.update(gpu=True, memory=2)
    assert options.gpu is True
    assert options.memory == 2.0
    assert isinstance(options.memory, float)


@pytest.mark.parametrize(
    ("field", "value", "error", "message"),
    [
        ("image", 1, TypeError, "image must be a string, got 1"),
        ("gpu", 1, TypeError, "gpu must be a bool, got 1"),
        ("workers", "1", TypeError, "workers must be an integer, got '1'"),
        ("workers", 1.0, TypeError, "workers must be an integer, got 1.0"),
        ("workers", 5, ValueError, "workers must be <= 4.000000, got 5"),
        ("workers", -1, ValueError, "workers must be >= 0.000000, got -1"),
        ("memory", "1", TypeError, "memory must be a float, got '1'"),
        ("memory", 9, ValueError, "memory must be <= 8.000000, got 9"),
        ("profile", "huge", ValueError, "'huge' is not a valid option for profile"),
        ("profile", 1, TypeError, "profile must be a string, got 1"),
        ("environment", "A=1", TypeError, "environment must be a dict, got 'str'"),
    ],
)
def test_a_value_that_is_not_allowed_is_an_error_and_changes_nothing(options, field, value, error, message) -> None:
    with pytest.raises(error, match=message):
        options[field] = value
    assert options[field] == SPECS[field][0]


def test_unknown_options_are_errors_of_their_access(options: Options) -> None:
    with pytest.raises(AttributeError, match="No option 'nonsense' available"):
        options.nonsense = 1
    with pytest.raises(AttributeError, match="No option 'nonsense' available"):
        _ = options.nonsense
    with pytest.raises(KeyError, match="No option 'nonsense' available"):
        options["nonsense"] = 1
    with pytest.raises(KeyError, match="No option 'nonsense' available"):
        options.update(nonsense=1)


def test_options_cannot_be_deleted(options: Options) -> None:
    with pytest.raises(TypeError, match="Cannot delete"):
        del options["image"]
    with pytest.raises(TypeError, match="Cannot delete"):
        del options.image


def test_tab_completion_knows_the_options_that_are_names() -> None:
    names = dir(
        Options.from_json([option("image"), option("a-b", 1, {"type": "int"}), option("if", 1, {"type": "int"})])
    )
    assert "image" in names
    assert "update" in names
    assert not {"a-b", "if"} & set(names)


def test_repr_shows_every_value() -> None:
    options = Options.from_json([option("workers"), option("image")])
    assert repr(options) == "Options<workers=1,image='base'>"
    assert pretty(options) == "Options<workers=1, image='base'>"


def test_a_newer_gateways_kinds_and_keys_are_tolerated() -> None:
    options = Options.from_json(
        [
            option("workers", unit="pods"),
            option("when", "now", {"type": "date"}),
            option("n", 1, {"type": "int", "step": 2}),
        ]
    )
    options.when = "later"
    assert dict(options) == {"workers": 1, "when": "later", "n": 1}
    assert options._widget() is not None


@pytest.mark.parametrize("choices", [None, "abc", [], [1]])
def test_a_select_needs_texts_to_choose_from(choices: object) -> None:
    with pytest.raises((TypeError, ValueError), match="profile: "):
        Options.from_json([option("profile", spec=None) | {"spec": {"type": "select", "options": choices}}])


def form_rows(options: Options) -> dict[str, tuple]:
    cells = options._widget().children[1].children
    labels, inputs, statuses = cells[0::3], cells[1::3], cells[2::3]
    return {name: (*row,) for name, row in zip(options, zip(labels, inputs, statuses, strict=True), strict=True)}


def test_the_form_has_an_input_of_the_right_kind_for_each_option(options: Options) -> None:
    kinds = {name: type(row[1]) for name, row in form_rows(options).items()}
    assert kinds == {
        "image": ipywidgets.Text,
        "gpu": ipywidgets.Checkbox,
        "workers": ipywidgets.BoundedIntText,
        "any_int": ipywidgets.IntText,
        "memory": ipywidgets.BoundedFloatText,
        "any_float": ipywidgets.FloatText,
        "profile": ipywidgets.Dropdown,
        "environment": ipywidgets.Textarea,
    }
    memory = form_rows(options)["memory"][1]
    assert (memory.min, memory.max) == (0.0, 8.0)
    assert options._widget() is options._widget()


def test_form_and_options_follow_each_other(options: Options) -> None:
    rows = form_rows(options)
    rows["image"][1].value = "typed"
    assert options.image == "typed"
    options.image = "set"
    assert rows["image"][1].value == "set"
    options.environment = {"A": "1"}
    assert rows["environment"][1].value == "A: '1'\n"
    rows["environment"][1].value = '{"B": 2}'
    assert options.environment == {"B": 2}
    assert rows["environment"][1].value == '{"B": 2}'


@pytest.mark.parametrize(("typed", "tooltip"), [("{", "Invalid YAML"), ("[1]", "environment must be a dict")])
def test_a_mapping_that_is_none_is_marked_until_it_is_mended(options: Options, typed: str, tooltip: str) -> None:
    _, text, status = form_rows(options)["environment"]
    text.value = typed
    assert tooltip in status.value
    assert options.environment == {}
    text.value = "A: 1"
    assert status.value == ""
    assert options.environment == {"A": 1}


def test_displaying_options_shows_the_form(options: Options, capsys: pytest.CaptureFixture[str]) -> None:
    options._ipython_display_()
    assert "VBox" in capsys.readouterr().out
