"""ClusterConfig: the resolved configuration of one cluster, as it stands in `DaskCluster.spec.config`."""

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError, ValidationInfo, model_validator

from gateway_common.config_errors import FieldProblem, explain, field_problems
from gateway_common.config_fields import ClusterFields
from gateway_common.config_types import Contradictions, Cores, Memory, Purpose, Seconds, SecretKey
from gateway_common.errors import InvalidConfig
from gateway_common.merge import merge_config
from gateway_common.quantities import format_memory, millicores, parse_memory
from gateway_common.setting import setting
from gateway_common.worker_groups import WorkerGroups

__all__ = [
    "ClusterConfig",
    "Cores",
    "Memory",
    "Seconds",
    "SecretKey",
    "check_overrides",
    "format_memory",
    "parse_cluster_config",
    "parse_memory",
    "problems_of_overrides",
    "stored_cluster_config",
]

#: A group's request takes the place of the limit beside it, too, unless the group has one of its own.
_WORKER_REQUESTS = ("worker_cores", "worker_memory")
_REQUESTS = ("worker_cores", "worker_memory", "scheduler_cores", "scheduler_memory")


class ClusterConfig(ClusterFields):
    """Everything that the controller needs to know to make one cluster's objects."""

    worker_groups: WorkerGroups = setting(
        {},
        values="workerGroups",
        description="Named groups of workers, each scaled on its own: what they have otherwise than the workers "
        "outside of groups, merged over it.",
    )

    @model_validator(mode="before")
    @classmethod
    def _fill_in_derived(cls, values: Any, info: ValidationInfo) -> Any:
        """Limits default to requests and threads to whole cores: the record holds what is really used."""
        if not isinstance(values, dict) or info.context is Purpose.OVERRIDES:
            return values
        filled = dict(values)
        for request in _REQUESTS:
            if filled.get(f"{request}_limit") is None:
                filled[f"{request}_limit"] = filled.get(request, cls.model_fields[request].default)
        if not filled.get("worker_threads"):
            cores = filled.get("worker_cores", cls.model_fields["worker_cores"].default)
            # what is no number, or too many, is the field's own error to report
            countable = isinstance(cores, int | float) and abs(cores) < 2**20
            filled["worker_threads"] = max(int(cores), 1) if countable else 1
        return filled

    @model_validator(mode="after")
    def _check_limits(self, info: ValidationInfo) -> "ClusterConfig":
        """What fields say together. Of overrides nobody knows yet what they will stand beside."""
        given = self.model_fields_set
        wrong: list[str] = []
        for request in _REQUESTS:
            if info.context is not Purpose.OVERRIDES or {request, f"{request}_limit"} <= given:
                wrong.extend(self._too_low_a_limit(request))
        for name, group in self.worker_groups.items():
            for request in _WORKER_REQUESTS:
                if info.context is not Purpose.OVERRIDES or {request, f"{request}_limit"} <= group.given.keys():
                    wrong.extend(self.of_group(name)._too_low_a_limit(request, f"worker_groups.{name}: "))
        if info.context is not Purpose.OVERRIDES:
            wrong.extend(self._too_much_for_a_scheduler())
        if wrong:
            raise Contradictions(wrong)
        return self

    def _too_low_a_limit(self, request: str, where: str = "") -> Iterator[str]:
        asked, limit = getattr(self, request), getattr(self, f"{request}_limit")
        if limit is not None and limit < asked:
            yield f"{where}{request}_limit ({limit}) must not be below {request} ({asked})"

    def _too_much_for_a_scheduler(self) -> Iterator[str]:
        if self.cluster_max_memory is not None and self.scheduler_memory > self.cluster_max_memory:
            yield (
                f"Scheduler memory request of {format_memory(self.scheduler_memory)} exceeds cluster memory "
                f"limit of {format_memory(self.cluster_max_memory)}"
            )
        if self.cluster_max_cores is not None and self.scheduler_cores > self.cluster_max_cores:
            yield (
                f"Scheduler cores request of {self.scheduler_cores:g} exceeds cluster cores limit of "
                f"{self.cluster_max_cores:g}"
            )

    def of_group(self, name: str) -> "ClusterConfig":
        """The configuration as the workers of a group have it; of no group, or none that there is: this one."""
        if (group := self.worker_groups.get(name)) is None:
            return self
        given = group.given
        fields = merge_config({field: getattr(self, field) for field in given}, given)
        for request in _WORKER_REQUESTS:
            if request in given:
                fields.setdefault(f"{request}_limit", given[request])
        if "worker_cores" in given:
            fields.setdefault("worker_threads", max(int(given["worker_cores"]), 1))
        return self.model_copy(update={**fields, "worker_groups": {}})

    @property
    def max_workers(self) -> int | None:
        """How many workers the limits leave room for; None: no limit."""
        room = [] if self.cluster_max_workers is None else [self.cluster_max_workers]
        if self.cluster_max_memory is not None:
            room.append((self.cluster_max_memory - self.scheduler_memory) // self.worker_memory)
        if self.cluster_max_cores is not None:
            # in whole numbers: as floats, three workers of 0.1 do not fit into 0.3
            cores = millicores(self.cluster_max_cores) - millicores(self.scheduler_cores)
            room.append(cores // millicores(self.worker_cores))
        return max(min(room), 0) if room else None


def parse_cluster_config(values: dict[str, Any]) -> ClusterConfig:
    """Check a configuration; raises InvalidConfig: its text names every wrong field and what was expected."""
    return _parse(values, Purpose.CLUSTER)


def check_overrides(values: dict[str, Any]) -> None:
    """Check some fields of a configuration by themselves, as those of a group; raises InvalidConfig.

    The namespace may be a template with `{user}` or `{group}`. Whether the fields fit together with all others is known
    when a cluster is made.
    """
    _parse(values, Purpose.OVERRIDES)


def problems_of_overrides(values: dict[str, Any]) -> list[FieldProblem]:
    """What `check_overrides` would raise, by the fields' places."""
    try:
        ClusterConfig.model_validate(values, context=Purpose.OVERRIDES)
    except ValidationError as error:
        return list(field_problems(error, values, ClusterConfig.model_fields))
    return []


def stored_cluster_config(values: dict[str, Any]) -> ClusterConfig:
    """The configuration in a stored object; raises InvalidConfig.

    Fields that are unknown here are passed over: another version, or an operator's subclass, wrote them. So are rules
    that an older version did not know.
    """
    known = {key: value for key, value in values.items() if key in ClusterConfig.model_fields}
    return _parse(known, Purpose.STORED)


def _parse(values: dict[str, Any], purpose: Purpose) -> ClusterConfig:
    try:
        return ClusterConfig.model_validate(values, context=purpose)
    except ValidationError as error:
        raise InvalidConfig(explain(field_problems(error, values, ClusterConfig.model_fields))) from error
