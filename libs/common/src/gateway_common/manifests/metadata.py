"""Names, labels and owners: the part that all manifests have in common."""

from collections.abc import Mapping

from gateway_common.manifests.installation import Installation
from gateway_common.names import CLUSTER_LABEL, COMPONENT_LABEL, INSTANCE_LABEL, ClusterName
from gateway_common.resources import Manifest, Resource


def selector_labels(installation: Installation, cluster: ClusterName) -> dict[str, str]:
    """The labels of everything that belongs to a cluster, and of nothing else."""
    return {INSTANCE_LABEL: installation.instance, CLUSTER_LABEL: cluster.name}


def label_selector(installation: Installation, cluster: ClusterName, component: str = "") -> str:
    """The same as a query, of one component or of all."""
    labels = selector_labels(installation, cluster) | ({COMPONENT_LABEL: component} if component else {})
    return ",".join(f"{key}={value}" for key, value in labels.items())


def build_metadata(
    installation: Installation,
    cluster: ClusterName,
    name: str,
    component: str,
    extra_labels: Mapping[str, str] | None = None,
    extra_annotations: Mapping[str, str] | None = None,
) -> Manifest:
    """Metadata of a child. Extra labels win over the common ones, never over those that selectors rely on (E-12)."""
    own = {**selector_labels(installation, cluster), COMPONENT_LABEL: component}
    metadata: Manifest = {
        "name": name,
        "namespace": cluster.namespace,
        "labels": {**installation.common_labels, **(extra_labels or {}), **own},
    }
    if annotations := {**installation.common_annotations, **(extra_annotations or {})}:
        metadata["annotations"] = annotations
    return metadata


def with_owner(manifest: Manifest, owner: Resource, name: str, uid: str) -> Manifest:
    """The manifest of a child that is deleted with its owner.

    It never blocks the owner's deletion: that would take the right to set finalizers on it.
    """
    reference = {
        "apiVersion": owner.api_version,
        "kind": owner.kind,
        "name": name,
        "uid": uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }
    return {**manifest, "metadata": {**manifest["metadata"], "ownerReferences": [reference]}}
