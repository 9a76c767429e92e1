"""The types of the fields of a cluster's configuration, with the checks that each value can be put to by itself.

What Kubernetes would refuse is refused here, while somebody waits for an answer. Not so in objects that are stored
already: other versions wrote them, and what runs, runs.
"""

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator

from gateway_common.errors import InvalidConfig
from gateway_common.kubernetes_names import (
    check_annotation_key,
    check_environment_name,
    check_label_key,
    check_label_value,
    check_namespace,
    check_object_name,
    check_secret_key,
    is_dns_label,
)
from gateway_common.namespaces import check_template, is_template
from gateway_common.quantities import parse_memory
from gateway_common.resources import Manifest
from gateway_common.setting import setting


class Purpose(Enum):
    """What a configuration is checked for; the context of its validation. None is the same as CLUSTER."""

    #: A cluster that is to be made: everything must be right.
    CLUSTER = "cluster"
    #: Some fields that override others: only what they say by themselves can be wrong.
    OVERRIDES = "overrides"
    #: What is in a stored object.
    STORED = "stored"


class EntryErrors(ValueError):
    """What is wrong with entries of one field, by their paths in it."""

    def __init__(self, reasons: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{path}: {reason}" for path, reason in reasons.items()))
        self.reasons = dict(reasons)


class Contradictions(ValueError):
    """What fields say together and can't be, a sentence each."""

    def __init__(self, sentences: Sequence[str]) -> None:
        super().__init__("; ".join(sentences))
        self.sentences = tuple(sentences)


def name_of_type(value: Any) -> str:
    """What somebody who writes JSON or YAML calls it. Never the value, which may be a secret."""
    if value is None:
        return "null"
    names = {bool: "a boolean", str: "text", int: "a number", float: "a number"}
    for kind, name in names.items():
        if isinstance(value, kind):
            return name
    if isinstance(value, Mapping):
        return "an object"
    return "a list" if isinstance(value, list | tuple) else f"a Python {type(value).__name__}"


def is_stored(info: ValidationInfo) -> bool:
    return info.context is Purpose.STORED


def _number(value: Any) -> Any:
    """Python counts booleans among the numbers; nobody who writes `true` means 1."""
    if isinstance(value, bool):
        raise ValueError("expected a number, got a boolean")
    return value


def _countable(value: int) -> int:
    """More than any cluster has is as good as any other number, and fits wherever numbers go."""
    return min(value, 2**31 - 1)


def _foreseeable(value: float) -> float:
    """What takes longer than thirty years never happens, and its sum with any date is a date."""
    return min(value, 1e9)


def _words(value: Any) -> Any:
    """A command that was given as one string is one word, as existing configuration expects."""
    return [value] if isinstance(value, str) else list(value) if isinstance(value, tuple) else value


def _image(value: str, info: ValidationInfo) -> str:
    if not is_stored(info) and re.search(r"\s", value):
        raise ValueError(f"{value[:80]!r} has white space in it, which no image's name has")
    return value


def _or_default(value: Any) -> Any:
    """An empty text is how values files leave a choice open."""
    return None if value == "" else value


def _namespace(value: str | None, info: ValidationInfo) -> str | None:
    if value is None or is_stored(info):
        return value
    if info.context is Purpose.OVERRIDES:
        if not is_dns_label(value.replace("{user}", "x").replace("{group}", "x")):
            try:
                check_namespace(value)
            except ValueError as error:
                raise ValueError(f"{error}; {{user}} and {{group}} stand for the user's and the group's name") from None
        if is_template(value):
            _check_template(value)
    else:
        check_namespace(value)
    return value


def _check_template(value: str) -> None:
    """Names of users and groups must fit in, and no two users may come to share a namespace."""
    try:
        check_template(value)
    except InvalidConfig as error:
        raise ValueError(str(error).removeprefix("namespace: ")) from error


Memory = Annotated[int, BeforeValidator(parse_memory), Field(gt=0)]
Cores = Annotated[float, Field(gt=0, le=2**20), BeforeValidator(_number)]
Count = Annotated[int, Field(ge=0), BeforeValidator(_number), AfterValidator(_countable)]
Seconds = Annotated[float, Field(ge=0), BeforeValidator(_number), AfterValidator(_foreseeable)]
Command = Annotated[list[str], BeforeValidator(_words), Field(min_length=1)]
Image = Annotated[str, Field(min_length=1), AfterValidator(_image)]
Choice = BeforeValidator(_or_default)
Namespace = AfterValidator(_namespace)


class SecretKey(BaseModel):
    """One key of a Secret in the cluster's namespace."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = setting(min_length=1, description="The Secret's name.")
    key: str = setting(min_length=1, description="The key in it.")
    optional: bool = setting(False, description="Pods start without the variable where there is no such Secret or key.")

    @field_validator("name")
    @classmethod
    def _is_a_name(cls, value: str) -> str:
        check_object_name(value)
        return value

    @field_validator("key")
    @classmethod
    def _is_a_key(cls, value: str) -> str:
        check_secret_key(value)
        return value


def _text(value: Any, info: ValidationInfo) -> str:
    """Text, or a number, which YAML makes of what looks like one."""
    if isinstance(value, str):
        if "\0" in value and not is_stored(info):
            raise ValueError("has a zero byte in it")
        return value
    if is_stored(info) and isinstance(value, bool | None):
        return "" if value is None else json.dumps(value)
    if isinstance(value, bool):
        raise ValueError(f"expected text, got a boolean: write it in quotes, as '{json.dumps(value)}'")
    if value is None:
        raise ValueError("expected text, got null: leave the name out, or give it an empty text")
    if isinstance(value, float) and math.isfinite(value):
        return str(value)
    if isinstance(value, int) and value.bit_length() < 128:
        return str(value)
    raise ValueError(f"expected text or a number, got {name_of_type(value)}")


def _environment_text(value: Any, info: ValidationInfo) -> str:
    if isinstance(value, Mapping):
        raise ValueError(
            "expected text, got an object: which variables come from Secrets is for the gateway's configuration to "
            "say, in environment_secrets (in a values file: as valueFrom in gateway.backend.environment)"
        )
    return _text(value, info)


def _label_text(value: Any, info: ValidationInfo) -> str:
    text = _text(value, info)
    if not is_stored(info):
        check_label_value(text)
    return text


def _texts(
    check_key: Callable[[str], None], read_value: Callable[[Any, ValidationInfo], str]
) -> Callable[[Any, ValidationInfo], Any]:
    """A validator of a mapping of names to text that checks each entry; the first error of each is told."""

    def validate(value: Any, info: ValidationInfo) -> Any:
        if not isinstance(value, Mapping):
            return value
        result: dict[str, str] = {}
        reasons: dict[str, str] = {}
        for key, entry in value.items():
            try:
                if not isinstance(key, str):
                    raise ValueError(f"the name must be text, not {name_of_type(key)}")
                if not is_stored(info):
                    check_key(key)
                result[key] = read_value(entry, info)
            except ValueError as error:
                reasons[str(key)] = str(error)
        if reasons:
            raise EntryErrors(reasons)
        return result

    return validate


Environment = Annotated[dict[str, str], BeforeValidator(_texts(check_environment_name, _environment_text))]
Labels = Annotated[dict[str, str], BeforeValidator(_texts(check_label_key, _label_text))]
Annotations = Annotated[dict[str, str], BeforeValidator(_texts(check_annotation_key, _text))]


def _resources(value: Any, info: ValidationInfo) -> Any:
    """Names that a command line can hold: `dask worker --resources "GPU=1 FAST=0.5"`."""
    if not isinstance(value, Mapping) or is_stored(info):
        return value
    reasons: dict[str, str] = {}
    for name, amount in value.items():
        if not isinstance(name, str) or not re.fullmatch(r"[^\s=,\"']+", name):
            reasons[str(name)] = "the name must be text without white space, quotes, commas and equal signs"
        elif isinstance(amount, bool) or not isinstance(amount, int | float):
            reasons[name] = f"expected a number, got {name_of_type(amount)}"
        elif not 0 <= amount < math.inf:
            reasons[name] = "expected a number that is not negative"
    if reasons:
        raise EntryErrors(reasons)
    return value


def _secrets(value: Any, info: ValidationInfo) -> Any:
    if not isinstance(value, Mapping) or is_stored(info):
        return value
    reasons: dict[str, str] = {}
    for name in value:
        try:
            check_environment_name(str(name))
        except ValueError as error:
            reasons[str(name)] = str(error)
    if reasons:
        raise EntryErrors(reasons)
    return value


def _pull_secrets(value: Any, info: ValidationInfo) -> Any:
    """Entries as Kubernetes has them; a name alone is understood."""
    if not isinstance(value, list | tuple):
        return value
    entries: list[Manifest] = []
    for entry in value:
        named = {"name": entry} if isinstance(entry, str) else entry
        if not isinstance(named, Mapping) or set(named) != {"name"} or not isinstance(named["name"], str):
            raise ValueError("each entry must be {name: <the name of a Secret>}, or that name alone")
        if not is_stored(info):
            check_object_name(named["name"])
        entries.append(dict(named))
    return entries


Resources = Annotated[dict[str, float], BeforeValidator(_resources)]
EnvironmentSecrets = Annotated[dict[str, SecretKey], BeforeValidator(_secrets)]
PullSecrets = Annotated[list[Manifest], BeforeValidator(_pull_secrets)]
