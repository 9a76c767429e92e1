"""The kinds that make pods: Deployments, ReplicaSets and Jobs; their defaults and what they must look like. No I/O.

Those of Kubernetes' rules (pkg/apis/apps, pkg/apis/batch) that a chart can meet. What these objects do is the business
of `gateway_local.workloads`.
"""

from collections.abc import Iterator, Sequence

from gateway_common.resources import Manifest
from gateway_local.apiserver.columns import DEPLOYMENTS as DEPLOYMENT_COLUMNS
from gateway_local.apiserver.columns import JOBS as JOB_COLUMNS
from gateway_local.apiserver.columns import REPLICASETS as REPLICASET_COLUMNS
from gateway_local.apiserver.errors import FieldProblem
from gateway_local.apiserver.kinds import METADATA_FIELDS, Kind, ScalePaths, own_kind
from gateway_local.apiserver.pods import check_pod_spec, set_pod_spec_defaults
from gateway_local.apiserver.selectors import matches_label_selector
from gateway_local.resources import DEPLOYMENTS, JOBS, REPLICASETS

JOB_NAME_LABELS = ("batch.kubernetes.io/job-name", "job-name")
JOB_UID_LABELS = ("batch.kubernetes.io/controller-uid", "controller-uid")

_SCALE = ScalePaths(("spec", "replicas"), ("status", "replicas"), ("spec", "selector"))
_STRATEGIES = ("Recreate", "RollingUpdate")
_ROLLING_DEFAULTS = {"maxUnavailable": "25%", "maxSurge": "25%"}
_JOB_DEFAULTS = {
    "completionMode": "NonIndexed",
    "backoffLimit": 6,
    "suspend": False,
    "podReplacementPolicy": "TerminatingOrFailed",
    "manualSelector": False,
}


def workload_kinds() -> list[Kind]:
    """In the order of discovery."""
    common = {"categories": ("all",), "has_status": True, "counts_generations": True}
    return [
        own_kind(
            DEPLOYMENTS,
            "deploy",
            columns=DEPLOYMENT_COLUMNS,
            scale=_SCALE,
            set_defaults=_set_deployment_defaults,
            check=_check_deployment,
            **common,
        ),
        own_kind(
            REPLICASETS,
            "rs",
            columns=REPLICASET_COLUMNS,
            scale=_SCALE,
            selectable={**METADATA_FIELDS, "status.replicas": ("status", "replicas")},
            set_defaults=_set_replica_set_defaults,
            check=_check_replica_set,
            **common,
        ),
        own_kind(JOBS, columns=JOB_COLUMNS, set_defaults=_set_job_defaults, check=_check_job, **common),
    ]


def _set_deployment_defaults(deployment: Manifest) -> None:
    spec = deployment.setdefault("spec", {})
    for name, value in (("replicas", 1), ("revisionHistoryLimit", 10), ("progressDeadlineSeconds", 600)):
        spec.setdefault(name, value)
    strategy = spec.setdefault("strategy", {})
    if strategy.setdefault("type", "RollingUpdate") == "RollingUpdate":
        strategy["rollingUpdate"] = {**_ROLLING_DEFAULTS, **(strategy.get("rollingUpdate") or {})}
    _set_template_defaults(spec)


def _set_replica_set_defaults(replica_set: Manifest) -> None:
    spec = replica_set.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    _set_template_defaults(spec)


def _set_job_defaults(job: Manifest) -> None:
    spec, metadata = job.setdefault("spec", {}), job["metadata"]
    for name, value in _JOB_DEFAULTS.items():
        spec.setdefault(name, value)
    if "completions" not in spec and "parallelism" not in spec:
        spec["completions"] = 1
    spec.setdefault("parallelism", 1)
    template = _set_template_defaults(spec)
    if not spec["manualSelector"]:
        labels = template.setdefault("metadata", {}).setdefault("labels", {})
        labels |= dict.fromkeys(JOB_NAME_LABELS, metadata["name"]) | dict.fromkeys(JOB_UID_LABELS, metadata["uid"])
        spec.setdefault("selector", {"matchLabels": {JOB_UID_LABELS[0]: metadata["uid"]}})


def _set_template_defaults(spec: Manifest) -> Manifest:
    template: Manifest = spec.setdefault("template", {})
    set_pod_spec_defaults(template.setdefault("spec", {}))
    return template


def _check_deployment(deployment: Manifest, old: Manifest | None) -> Iterator[FieldProblem]:
    yield from _check_pod_maker(deployment, old, ("Always",))
    strategy = deployment["spec"]["strategy"]
    if strategy["type"] not in _STRATEGIES:
        yield FieldProblem.not_supported("spec.strategy.type", strategy["type"], _STRATEGIES)
    if strategy["type"] == "Recreate" and strategy.get("rollingUpdate"):
        why = "may not be specified when strategy `type` is 'Recreate'"
        yield FieldProblem.forbidden("spec.strategy.rollingUpdate", why)


def _check_replica_set(replica_set: Manifest, old: Manifest | None) -> Iterator[FieldProblem]:
    yield from _check_pod_maker(replica_set, old, ("Always",))


def _check_job(job: Manifest, old: Manifest | None) -> Iterator[FieldProblem]:
    yield from _check_pod_maker(job, old, ("OnFailure", "Never"))
    if old is not None:
        for name in ("template", "completions", "completionMode"):
            if job["spec"].get(name) != old["spec"].get(name):
                yield FieldProblem.invalid(f"spec.{name}", job["spec"].get(name), "field is immutable")


def _check_pod_maker(
    manifest: Manifest, old: Manifest | None, restart_policies: Sequence[str]
) -> Iterator[FieldProblem]:
    spec = manifest["spec"]
    replicas, selector = spec.get("replicas", 0), spec.get("selector")
    labels = spec["template"].get("metadata", {}).get("labels") or {}
    if replicas < 0:
        yield FieldProblem.invalid("spec.replicas", replicas, "must be greater than or equal to 0")
    if not selector:
        yield FieldProblem.required("spec.selector")
    elif not matches_label_selector(selector, labels):
        why = "`selector` does not match template `labels`"
        yield FieldProblem.invalid("spec.template.metadata.labels", labels, why)
    if old is not None and selector != old["spec"].get("selector"):
        yield FieldProblem.invalid("spec.selector", selector, "field is immutable")
    yield from check_pod_spec("spec.template.spec", spec["template"]["spec"], restart_policies)
