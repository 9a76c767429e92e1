"""What a Deployment does next: which ReplicaSets there are to be, how large, what its status says. No I/O, no clock.

The rules of k8s.io/kubernetes/pkg/controller/deployment (rolling.go, recreate.go, sync.go, progress.go).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from gateway_common.clock import from_rfc3339
from gateway_common.resources import Manifest
from gateway_local.resources import REPLICASETS
from gateway_local.workloads.conditions import Verdict, find, with_verdict, without_zeros
from gateway_local.workloads.pods import TEMPLATE_HASH_LABEL, owner_reference, template_hash

REVISION = "deployment.kubernetes.io/revision"
_AVAILABLE, _PROGRESSING = "Available", "Progressing"
_COMPLETE = "NewReplicaSetAvailable"
_TO_CREATE = ""


@dataclass(frozen=True, slots=True)
class Rollout:
    """The next step.

    `create` is the ReplicaSet to make, `scale` tells names of others their sizes, `prune` names those that are history
    of no use. `revision` is the number of the Deployment and of its new ReplicaSet, which `renumber` names if it has
    another. `requeue_after` is in seconds; None: at the next change.
    """

    status: Manifest
    revision: int
    renumber: str = ""
    create: Manifest | None = None
    scale: Mapping[str, int] = field(default_factory=dict)
    prune: Sequence[str] = ()
    requeue_after: float | None = None


def plan(deployment: Manifest, replica_sets: Sequence[Manifest], pods: Mapping[str, int], now: float) -> Rollout:
    """What to do about the ReplicaSets that the Deployment owns.

    Parameters
    ----------
    pods
        How many pods each ReplicaSet has, by name, those that are ending included.
    """
    replica_sets = sorted(replica_sets, key=_revision)
    new = find_new(deployment, replica_sets)
    old = [replica_set for replica_set in replica_sets if replica_set is not new]
    sizes = _sizes(deployment, new, old, pods)
    revision = max(_revision(new) if new else 0, max(map(_revision, old), default=0) + 1)
    create = build_replica_set(deployment, sizes[_TO_CREATE], revision) if _TO_CREATE in sizes else None
    status = _build_status(deployment, new, old, create, now)
    return Rollout(
        status=status,
        revision=revision,
        renumber=_name(new) if new and _revision(new) != revision else "",
        create=create,
        scale={name: sizes[name] for r in replica_sets if sizes.get(name := _name(r), _size(r)) != _size(r)},
        prune=_forgettable(deployment, old) if _is_complete(deployment, status) else (),
        requeue_after=_deadline(deployment, status, now),
    )


def find_new(deployment: Manifest, replica_sets: Sequence[Manifest]) -> Manifest | None:
    """The ReplicaSet with the Deployment's present template, the oldest if there are several."""
    wanted = deployment["spec"]["template"]
    return next((found for found in replica_sets if _template_of(found) == wanted), None)


def build_replica_set(deployment: Manifest, size: int, revision: int) -> Manifest:
    """The ReplicaSet for the Deployment's present template."""
    spec, metadata = deployment["spec"], deployment["metadata"]
    name = template_hash(spec["template"])
    label = {TEMPLATE_HASH_LABEL: name}
    described = spec["template"].get("metadata") or {}
    labels = {**(described.get("labels") or {}), **label}
    selector = {**spec["selector"], "matchLabels": {**(spec["selector"].get("matchLabels") or {}), **label}}
    return {
        "apiVersion": REPLICASETS.api_version,
        "kind": REPLICASETS.kind,
        "metadata": {
            "name": f"{metadata['name']}-{name}",
            "namespace": metadata["namespace"],
            "labels": labels,
            "annotations": {REVISION: str(revision)},
            "ownerReferences": [owner_reference(deployment)],
        },
        "spec": {
            "replicas": size,
            "minReadySeconds": spec.get("minReadySeconds", 0),
            "selector": selector,
            "template": {**spec["template"], "metadata": {**described, "labels": labels}},
        },
    }


def rolling_limits(deployment: Manifest) -> tuple[int, int]:
    """(pods that may be missing, pods that may be too many) while a Deployment rolls."""
    spec = deployment["spec"]
    if spec["strategy"]["type"] == "Recreate":
        return spec["replicas"], 0
    rolling = spec["strategy"]["rollingUpdate"]
    surge = _resolve(rolling["maxSurge"], spec["replicas"], math.ceil)
    unavailable = _resolve(rolling["maxUnavailable"], spec["replicas"], math.floor)
    # neither would ever begin
    return (unavailable, surge) if unavailable or surge else (1, 0)


def _resolve(value: int | str, replicas: int, to_whole: Callable[[float], int]) -> int:
    """A number of pods, from a number or a percentage of the replicas."""
    return value if isinstance(value, int) else to_whole(int(value.removesuffix("%")) * replicas / 100)


def _sizes(
    deployment: Manifest, new: Manifest | None, old: Sequence[Manifest], pods: Mapping[str, int]
) -> dict[str, int]:
    """What size each ReplicaSet is to have now, by name; the one that is yet to be made is `_TO_CREATE`."""
    replicas = deployment["spec"]["replicas"]
    if deployment["spec"].get("paused"):
        active = [replica_set for replica_set in (*old, *([new] if new else ())) if _size(replica_set)]
        return {_name(active[0]): replicas} if len(active) == 1 else {}
    name = _name(new) if new else _TO_CREATE
    if deployment["spec"]["strategy"]["type"] == "Recreate":
        sizes = {_name(replica_set): 0 for replica_set in old}
        return sizes if any(pods.get(_name(r)) for r in old) else {**sizes, name: replicas}
    unavailable, surge = rolling_limits(deployment)
    size = _size(new) if new else 0
    room = replicas + surge - size - sum(map(_size, old))
    grown = size + max(0, min(room, replicas - size)) if size < replicas else replicas
    spare = sum(map(_size, old)) + min(grown, _available(new) if new else 0) - (replicas - unavailable)
    return {**_shrink(old, new, replicas - unavailable, spare), name: grown}


def _shrink(old: Sequence[Manifest], new: Manifest | None, needed: int, spare: int) -> dict[str, int]:
    """Sizes of the old ReplicaSets when up to `spare` pods may go: first those that serve nobody anyhow."""
    sizes = {_name(replica_set): _size(replica_set) for replica_set in old}
    if spare <= 0:
        return sizes
    for replica_set in old:
        broken = min(spare, _size(replica_set) - min(_size(replica_set), _available(replica_set)))
        sizes[_name(replica_set)] -= broken
        spare -= broken
    serving = sum(min(_size(r), _available(r)) for r in (*old, *([new] if new else ())))
    spare = min(spare, serving - needed)
    for replica_set in old:
        taken = max(0, min(spare, sizes[_name(replica_set)]))
        sizes[_name(replica_set)] -= taken
        spare -= taken
    return sizes


def _build_status(
    deployment: Manifest, new: Manifest | None, old: Sequence[Manifest], create: Manifest | None, now: float
) -> Manifest:
    all_of_them = [*old, *([new] if new else ())]
    available = sum(map(_available, all_of_them))
    before: Manifest = deployment.get("status") or {}
    status: Manifest = {
        "observedGeneration": deployment["metadata"]["generation"],
        **without_zeros(
            replicas=sum(_count(r, "replicas") for r in all_of_them),
            updatedReplicas=_count(new, "replicas") if new else 0,
            readyReplicas=sum(_count(r, "readyReplicas") for r in all_of_them),
            availableReplicas=available,
            unavailableReplicas=max(0, sum(map(_size, all_of_them)) - available),
        ),
    }
    conditions = with_verdict(before.get("conditions") or [], _AVAILABLE, _availability(deployment, available), now)
    verdict, is_news = _progress(deployment, status, new, create, now)
    status["conditions"] = with_verdict(
        conditions, _PROGRESSING, verdict, now, updated_in="lastUpdateTime", is_news=is_news
    )
    return status


def _availability(deployment: Manifest, available: int) -> Verdict:
    if available >= deployment["spec"]["replicas"] - rolling_limits(deployment)[0]:
        return Verdict("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    return Verdict("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")


def _progress(
    deployment: Manifest, status: Manifest, new: Manifest | None, create: Manifest | None, now: float
) -> tuple[Verdict, bool]:
    """(what to say of the rollout, whether something has just moved)."""
    before: Manifest = deployment.get("status") or {}
    said = find(before.get("conditions") or (), _PROGRESSING)
    last = Verdict(said["status"], said["reason"], said["message"]) if said else None
    subject = new or create
    if deployment["spec"].get("paused"):
        return Verdict("Unknown", "DeploymentPaused", "Deployment is paused"), False
    if create is not None:
        return Verdict("True", "NewReplicaSetCreated", f'Created new replica set "{_name(create)}"'), True
    title = f'ReplicaSet "{_name(subject)}"' if subject else f'Deployment "{_name(deployment)}"'
    if _is_complete(deployment, status):
        return Verdict("True", _COMPLETE, f"{title} has successfully progressed."), False
    if last is None or _has_moved(before, status):
        return Verdict("True", "ReplicaSetUpdated", f"{title} is progressing."), True
    if last.reason != _COMPLETE and _seconds_left(deployment, said, now) <= 0:
        return Verdict("False", "ProgressDeadlineExceeded", f"{title} has timed out progressing."), False
    return last, False


def _has_moved(before: Manifest, status: Manifest) -> bool:
    def old_ones(of: Manifest) -> int:
        return int(of.get("replicas", 0)) - int(of.get("updatedReplicas", 0))

    grown = any(status.get(n, 0) > before.get(n, 0) for n in ("updatedReplicas", "readyReplicas", "availableReplicas"))
    return grown or old_ones(status) < old_ones(before)


def _is_complete(deployment: Manifest, status: Manifest) -> bool:
    counts = (status.get(name, 0) for name in ("updatedReplicas", "replicas", "availableReplicas"))
    return all(count == deployment["spec"]["replicas"] for count in counts)


def _deadline(deployment: Manifest, status: Manifest, now: float) -> float | None:
    """When to find out that nothing moves any more."""
    said = find(status["conditions"], _PROGRESSING)
    if said is None or said["status"] != "True" or said["reason"] == _COMPLETE:
        return None
    return max(0.0, _seconds_left(deployment, said, now))


def _seconds_left(deployment: Manifest, said: Manifest | None, now: float) -> float:
    since = from_rfc3339(said["lastUpdateTime"]) if said else now
    return since + float(deployment["spec"]["progressDeadlineSeconds"]) - now


def _forgettable(deployment: Manifest, old: Sequence[Manifest]) -> list[str]:
    """The oldest of the empty ReplicaSets beyond those that are kept for a rollback."""
    empty = [_name(r) for r in old if _size(r) == 0 and _count(r, "replicas") == 0]
    return empty[: max(0, len(empty) - deployment["spec"]["revisionHistoryLimit"])]


def _template_of(replica_set: Manifest) -> Manifest:
    """The template without the label by which its pods are told from others'."""
    template = replica_set["spec"]["template"]
    labels = {k: v for k, v in template["metadata"]["labels"].items() if k != TEMPLATE_HASH_LABEL}
    return {**template, "metadata": {**template["metadata"], "labels": labels}}


def _revision(replica_set: Manifest) -> int:
    return int((replica_set["metadata"].get("annotations") or {}).get(REVISION, 0))


def _name(manifest: Manifest) -> str:
    return str(manifest["metadata"]["name"])


def _size(replica_set: Manifest) -> int:
    return int(replica_set["spec"]["replicas"])


def _count(replica_set: Manifest, name: str) -> int:
    return int((replica_set.get("status") or {}).get(name, 0))


def _available(replica_set: Manifest) -> int:
    return _count(replica_set, "availableReplicas")
