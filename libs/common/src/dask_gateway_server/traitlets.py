"""The kinds of traitlets that configuration code and subclasses use."""

import copy
import importlib
from typing import Annotated, Any, get_args

import traitlets
from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from traitlets import Callable, TraitError, TraitType

from gateway_common.config import ClusterConfig
from gateway_common.config_types import Purpose
from gateway_common.configuration.problems import reasons
from gateway_common.quantities import parse_memory

__all__ = ("Callable", "Command", "FieldTrait", "MemoryLimit", "Type", "field_traits", "import_place")


class MemoryLimit(traitlets.Integer[int, Any]):
    """Bytes: a number, or text such as "2 G" with one of the binary suffixes K, M, G and T."""

    def validate(self, obj: Any, value: Any) -> Any:
        """The bytes, as an int."""
        try:
            size = parse_memory(value)
        except ValueError as error:
            raise TraitError(f"{self.name}: {error}") from None
        return super().validate(obj, size)


class Command(traitlets.List[str]):
    """Words of a command. One string is one word."""

    def __init__(self, default_value: Any = traitlets.Undefined, **kwargs: Any) -> None:
        words = [default_value] if isinstance(default_value, str) else default_value
        super().__init__(traitlets.Unicode(), words, **kwargs)

    def validate(self, obj: Any, value: Any) -> Any:
        """A list of strings."""
        return super().validate(obj, [value] if isinstance(value, str) else value)


class Type(traitlets.Type[Any, Any]):
    """A class, or its place: `package.module.Class` or `package.module:Class`."""

    def validate(self, obj: Any, value: Any) -> Any:
        """The class."""
        if isinstance(value, str) and ":" in value:
            try:
                value = import_place(value)
            except (ImportError, AttributeError) as error:
                raise TraitError(f"{self.name}: {value!r} can't be imported: {error}") from error
        return super().validate(obj, value)


class FieldTrait(TraitType[Any, Any]):
    """A field of a cluster's configuration: its type, default and help are those of the model."""

    def __init__(self, name: str, field: FieldInfo) -> None:
        optional = type(None) in get_args(field.annotation)
        super().__init__(field.get_default(), allow_none=optional, config=True, help=field.description or "")
        self._field = name
        whole: Any = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
        self._adapter: TypeAdapter[Any] = TypeAdapter(whole)

    def validate(self, _obj: Any, value: Any) -> Any:
        """The value as plain data of the field's type."""
        try:
            return self._adapter.dump_python(self._adapter.validate_python(value, context=Purpose.OVERRIDES))
        except ValidationError as error:
            texts = (f"{'.'.join((self._field, *place))}: {text}" for place, text in reasons(error))
            raise TraitError("; ".join(texts)) from None

    def default(self, _obj: Any = None) -> Any:
        """A copy: instances don't share lists and dicts."""
        return copy.deepcopy(self.default_value)


def field_traits() -> dict[str, Any]:
    """A traitlet for each field of a cluster's configuration."""
    return {name: FieldTrait(name, field) for name, field in ClusterConfig.model_fields.items()}


def import_place(place: str) -> Any:
    """What is at `module:attribute` or `module.attribute`; raises ImportError or AttributeError."""
    module, colon, attribute = place.partition(":")
    if not colon:
        module, _, attribute = place.rpartition(".")
    if not module or not attribute:
        raise ImportError(f"expected module:attribute, got {place!r}")
    found: Any = importlib.import_module(module)
    for name in attribute.split("."):
        found = getattr(found, name)
    return found
