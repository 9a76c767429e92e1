"""Named groups of workers: what is different for them from a cluster's other workers."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    create_model,
    model_serializer,
    model_validator,
)
from pydantic.fields import FieldInfo

from gateway_common.config_fields import ClusterFields
from gateway_common.config_types import is_stored
from gateway_common.names import check_worker_group
from gateway_common.setting import setting, unit_of, values_of

#: Fields of a cluster's configuration that a group may have otherwise, besides those of workers alone.
_SHARED = ("environment", "environment_secrets", "image", "image_pull_policy")


def _is_of_workers(name: str) -> bool:
    return name.startswith("worker_") or name in _SHARED


class _WorkerGroup(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _pass_over_unknown(cls, values: Any, info: ValidationInfo) -> Any:
        """Another version wrote what is stored."""
        if is_stored(info) and isinstance(values, Mapping):
            return {name: value for name, value in values.items() if name in cls.model_fields}
        return values

    # a return type would take the place of the model's own schema
    @model_serializer(mode="wrap")
    def _only_given(self, handler: SerializerFunctionWrapHandler):  # type: ignore[no-untyped-def]
        return {name: value for name, value in handler(self).items() if value is not None}

    @property
    def given(self) -> dict[str, Any]:
        """The fields that it has otherwise."""
        fields = ((name, getattr(self, name)) for name in type(self).model_fields)
        return {name: value for name, value in fields if value is not None}


def _optional(info: FieldInfo) -> tuple[Any, Any]:
    """A field with the type, unit and keys of a cluster's; not set by default."""
    whole: Any = Annotated[(info.annotation, *info.metadata)] if info.metadata else info.annotation
    keys = tuple(key.removeprefix("worker.") for key in values_of(info))
    return whole | None, setting(None, unit=unit_of(info), values=keys, description=info.description or "")


_FIELDS: dict[str, Any] = {
    name: _optional(info) for name, info in ClusterFields.model_fields.items() if _is_of_workers(name)
}

#: What workers of a group have otherwise; what is not given is as for all other workers.
WorkerGroup: type[_WorkerGroup] = create_model("WorkerGroup", __base__=_WorkerGroup, **_FIELDS)


def _group_name(value: str, info: ValidationInfo) -> str:
    if not is_stored(info):
        check_worker_group(value)
    return value


WorkerGroups = dict[Annotated[str, AfterValidator(_group_name)], WorkerGroup]
