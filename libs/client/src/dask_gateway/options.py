"""``Options``: what a user may choose for a cluster, as a mapping that knows what is allowed."""

from collections.abc import Iterable, Iterator, MutableMapping
from collections.abc import Mapping as MappingABC
from keyword import iskeyword
from typing import Any, NoReturn

from dask_gateway.option_fields import Bool, Field, Float, Integer, Mapping, Number, Select, String

__all__ = ("Bool", "Field", "Float", "Integer", "Mapping", "Number", "Options", "Select", "String")


class Options(MutableMapping[str, Any]):
    """Cluster options, usually from ``Gateway.cluster_options()``.

    Options are read and set as attributes or as keys, or in a form when displayed in a notebook::

        options.worker_cores = 2
        options["image"]

    Setting an unknown option, or a value that is not allowed, is an error. Options cannot be deleted.
    """

    _fields: dict[str, Field]

    def __init__(self, *fields: Field) -> None:
        object.__setattr__(self, "_fields", {field.field: field for field in fields})
        object.__setattr__(self, "_form", None)

    @classmethod
    def from_json(cls, options: Iterable[MappingABC[str, Any]]) -> "Options":
        """Read the ``cluster_options`` that a gateway sends."""
        return cls(*(Field.from_json(option) for option in options))

    def _field(self, name: str, error: type[Exception]) -> Field:
        # object's own lookup: pickle and copy ask for attributes before there are fields
        fields: dict[str, Field] = object.__getattribute__(self, "__dict__").get("_fields", {})
        if name not in fields:
            raise error(f"No option {name!r} available")
        return fields[name]

    def __getattr__(self, name: str) -> Any:
        return self._field(name, AttributeError).get()

    def __setattr__(self, name: str, value: Any) -> None:
        self._field(name, AttributeError).set(value)

    def __delattr__(self, name: str) -> NoReturn:
        raise TypeError("Cannot delete fields")

    def __getitem__(self, name: str) -> Any:
        return self._field(name, KeyError).get()

    def __setitem__(self, name: str, value: Any) -> None:
        self._field(name, KeyError).set(value)

    def __delitem__(self, name: str) -> NoReturn:
        raise TypeError("Cannot delete fields")

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __dir__(self) -> list[str]:
        names = {name for name in self._fields if name.isidentifier() and not iskeyword(name)}
        return sorted(names.union(object.__dir__(self)))

    def __repr__(self) -> str:
        return f"Options<{','.join(f'{name}={value!r}' for name, value in self.items())}>"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """IPython's repr, which breaks long lines between options."""
        if cycle:
            printer.text("Options<...>")
            return
        with printer.group(len("Options<"), "Options<", ">"):
            for number, (name, value) in enumerate(self.items()):
                if number:
                    printer.text(",")
                    printer.breakable()
                printer.text(f"{name}=")
                printer.pretty(value)

    def _widget(self) -> Any:
        """The ipywidgets form of these options, or None when ipywidgets is not installed."""
        if self.__dict__["_form"] is None:
            try:
                from dask_gateway.options_form import build_form  # noqa: PLC0415 (needs ipywidgets)
            except ImportError:
                return None
            self.__dict__["_form"] = build_form(self._fields.values())
        return self.__dict__["_form"]

    def _ipython_display_(self, **kwargs: Any) -> None:
        widget = self._widget()
        if widget is None:
            from IPython.lib.pretty import pprint  # noqa: PLC0415 (only in IPython)

            pprint(self)
        else:
            from IPython.display import display  # noqa: PLC0415 (only in IPython)

            display(widget, **kwargs)
