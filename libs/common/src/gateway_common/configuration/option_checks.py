"""What is wrong with declared options, found when the configuration is read and not when a user chooses."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from gateway_common.config import ClusterConfig, check_overrides
from gateway_common.configuration.declared_options import (
    MAPPINGS_OF_TEXT,
    USER,
    VALUE,
    build_field,
    fields_set_by,
    merge_declarations,
    target_of,
    value_of,
)
from gateway_common.configuration.options import OptionDeclaration
from gateway_common.configuration.templates import Placeholder, placeholders
from gateway_common.errors import InvalidConfig

if TYPE_CHECKING:
    # the model itself may want to check its options
    from gateway_common.configuration.model import Configuration

_NUMBERS = ("integer", "float")
#: What users may write freely.
_FREE = ("string", "integer", "float")
#: JSON and JavaScript agree on whole numbers up to here.
_LARGEST = 2**53

#: The options that an option's templates can name, itself among them.
_Options = Mapping[str, OptionDeclaration]


def check_declarations(configuration: "Configuration") -> list[str]:
    """Everything that is wrong with a configuration's options, each error with the option's place and name."""
    grouped = {name: group.options for name, group in configuration.groups.items() if group.options}
    if configuration.cluster_options and (configuration.options or grouped):
        where = ["gateway.options"] if configuration.options else [f"gateway.groups.{name}.options" for name in grouped]
        return [
            f"c.Backend.cluster_options and {where[0]} both say what users may choose: keep one of them. "
            "Python code takes the place of declared options."
        ]
    errors = check_options(configuration.options, "gateway.options")
    for name, options in grouped.items():
        errors += check_options(options, f"gateway.groups.{name}.options", configuration.options)
    return errors


def check_options(
    declarations: Sequence[OptionDeclaration], where: str, others: Sequence[OptionDeclaration] = ()
) -> list[str]:
    """Everything that is wrong with these options.

    Parameters
    ----------
    where
        The place of the list, such as `gateway.options`.
    others
        Options that are offered along with these, and that the templates of these may name. One of the same name is
        replaced.
    """
    names = [option.name for option in declarations]
    offered = {option.name: option for option in merge_declarations([others, declarations])}
    errors = [f"{where}.{name}: there are two options of this name" for name in offered if names.count(name) > 1]
    for option in declarations:
        errors += [f"{where}.{option.name}: {error}" for error in _errors(option, offered)]
    return errors


def _errors(option: OptionDeclaration, offered: _Options) -> list[str]:
    """The first rule that finds fault ends it: what comes later would be the same fault in other words."""
    rules: Iterable[Callable[[OptionDeclaration, _Options], Iterator[str]]] = (
        _check_shape,
        _check_default,
        _check_fields,
        _check_placeholders,
        _check_outcomes,
    )
    for rule in rules:
        if errors := list(rule(option, offered)):
            return errors
    return []


def _check_shape(option: OptionDeclaration, _: _Options) -> Iterator[str]:
    """Parts that don't go together."""
    if option.name in (VALUE, USER):
        yield f"{{{option.name}}} means something else in templates: choose another name"
    limits = [limit for limit in (option.min, option.max) if limit is not None]
    if limits and option.type not in _NUMBERS:
        yield f"min and max are for numbers, and this is a {option.type}"
    if len(limits) == 2 and limits[0] > limits[1]:
        yield f"min ({limits[0]:g}) is above max ({limits[1]:g})"
    if option.type == "integer" and any(not float(limit).is_integer() for limit in limits):
        yield "min and max of an integer must be whole numbers"
    if any(abs(limit) > _LARGEST for limit in limits):
        yield f"min and max must be within {_LARGEST} of 0: leave out what does not limit anything"
    if option.type == "select" and not option.choices:
        yield "choices: a select needs some: a list of names, or a mapping of names to what they mean"
    if option.type != "select" and option.choices:
        yield f"choices are for a select, and this is a {option.type}"
    if option.sets and (option.target or option.template):
        yield "sets takes the place of target and template: keep one of them"


def _check_default(option: OptionDeclaration, _: _Options) -> Iterator[str]:
    """The same check that a user's value gets."""
    try:
        build_field(option)
    except (TypeError, ValueError) as error:
        kind = "an" if option.type == "integer" else "a"
        hint = "" if option.default is not None else f" (which {kind} {option.type} has where none is given)"
        yield f"default{hint}: {error}"


def _check_fields(option: OptionDeclaration, offered: _Options) -> Iterator[str]:
    """What it sets must be there to be set."""
    for place, template in _templates(option):
        for field in template:
            if field not in ClusterConfig.model_fields:
                yield f"{place}: there is no field {field!r} in a cluster's configuration{_nearest(field)}"
    plain = _plain_choices(option)
    if option.template is not None and target_of(option) is None:
        yield "template: there is no target that it could go to: set target"
    elif plain and not option.sets and target_of(option) is None and not _is_named(option, offered):
        yield (
            f"nothing follows from it: there is no field {option.name!r} in a cluster's configuration"
            f"{_nearest(option.name)} Set target, or sets, or name it in another option's template"
        )


def _nearest(field: str) -> str:
    near = get_close_matches(field, ClusterConfig.model_fields, n=1)
    return f": did you mean {near[0]}?" if near else "."


def _plain_choices(option: OptionDeclaration) -> bool:
    """Whether there is a value that goes to the target; not so where each choice says itself what it sets."""
    choices = option.choices
    return not isinstance(choices, dict) or any(not isinstance(choice, dict | None) for choice in choices.values())


def _is_named(option: OptionDeclaration, offered: _Options) -> bool:
    """Whether another option's template makes use of it. Broken templates are reported where they stand."""
    for other in offered.values():
        if other.name == option.name:
            continue
        for _, template in _templates(other):
            try:
                if any(found.name == option.name for found in placeholders(template)):
                    return True
            except ValueError:
                continue
    return False


def _templates(option: OptionDeclaration) -> list[tuple[str, Mapping[str, Any]]]:
    """The fields that it sets, and where that is said."""
    found: list[tuple[str, Mapping[str, Any]]] = []
    if option.sets:
        found.append(("sets", option.sets))
    elif option.target is not None or (_plain_choices(option) and target_of(option) is not None):
        target = target_of(option) or ""
        place = "target" if option.template is None else "template"
        found.append((place, {target: option.template or f"{{{VALUE}}}"}))
    if isinstance(option.choices, dict):
        found += [(f"choices.{name}", fields) for name, fields in option.choices.items() if isinstance(fields, dict)]
    return found


def _check_placeholders(option: OptionDeclaration, offered: _Options) -> Iterator[str]:
    """Names in braces must be known, and must fit where they stand."""
    for place, template in _templates(option):
        try:
            found = list(placeholders(template))
        except ValueError as error:
            yield f"{place}: {error}"
            continue
        for placeholder in found:
            if reason := _placeholder_error(option, placeholder, offered):
                yield f"{place}: {reason}"
        if place == "template" and not found:
            yield f"template: there is no {{{VALUE}}} in {option.template!r}, so that nothing follows from a choice"


def _placeholder_error(option: OptionDeclaration, found: Placeholder, offered: _Options) -> str | None:
    if found.name == USER:
        return None
    source = option if found.name == VALUE else offered.get(found.name)
    if source is None:
        near = get_close_matches(found.name, [*offered, VALUE, USER], n=1)
        return f"{{{found.name}}} is no option, nor {{{VALUE}}} or {{{USER}}}" + (
            f": did you mean {{{near[0]}}}?" if near else ""
        )
    return _misplaced(source, found)


def _misplaced(source: OptionDeclaration, found: Placeholder) -> str | None:
    """Why the value of `source` can't stand there."""
    where = ".".join(found.path)
    if source.type == "mapping" and not (found.whole and len(found.path) == 1 and found.path[0] in MAPPINGS_OF_TEXT):
        fields = ", ".join(sorted(MAPPINGS_OF_TEXT))
        return f"{where}: a user's mapping can't stand there; it can be the whole of one of these fields: {fields}"
    if source.type in _FREE and _names_secrets(found.path):
        return f"{where}: users must not name Secrets themselves: make it a select, whose choices are yours"
    if not found.whole and isinstance(source.choices, dict):
        structured = [name for name, value in source.choices.items() if isinstance(value, list)]
        if structured:
            return f"{where}: the choice {structured[0]!r} of {source.name} is a list, which can't stand within a text"
    return None


def _names_secrets(path: Sequence[str]) -> bool:
    """Anywhere that Kubernetes has in words for a Secret: secretKeyRef, secretName, imagePullSecrets, ...

    What a variable or a label is called does not count.
    """
    words = path if path[0].endswith("_config") else path[:1]
    return any("secret" in word.lower() for word in words)


def _check_outcomes(option: OptionDeclaration, offered: _Options) -> Iterator[str]:
    """What follows from its default, its choices and its limits must be possible in a cluster's configuration."""
    try:
        values = {name: value_of(other, build_field(other).default) for name, other in offered.items()}
    except (TypeError, ValueError):
        return  # another option is wrong, and is reported
    values[USER] = "user"
    for chosen in _samples(option):
        sample = {**values, option.name: value_of(option, chosen)}
        try:
            check_overrides(fields_set_by(option, chosen, sample))
        except InvalidConfig as error:
            yield f"with {chosen!r} for a value: {error}"
            return


def _samples(option: OptionDeclaration) -> list[Any]:
    if option.type == "select":
        return list(option.choices)
    field = build_field(option)
    limits = (getattr(field, "min", None), getattr(field, "max", None))
    return [field.default, *(limit for limit in limits if limit is not None)]
