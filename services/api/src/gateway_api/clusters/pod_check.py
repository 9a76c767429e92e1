"""Whether Kubernetes would take a cluster's pods, asked before the cluster exists.

The API server runs all its checks and those of the operator's admission rules and quotas, and stores nothing (a
server-side dry run). What it is asked about are the very pods that the controller would make. The answer is a courtesy
to the user: the controller's own create decides.
"""

import asyncio
import logging

from gateway_api.errors import InvalidRequest, NamespaceMissing
from gateway_common.config import ClusterConfig
from gateway_common.errors import Forbidden, Invalid, NotFound
from gateway_common.kube import KubeClient
from gateway_common.manifests.installation import Installation
from gateway_common.manifests.scheduler_pod import build_scheduler_pod
from gateway_common.manifests.worker_pod import build_worker_pods
from gateway_common.names import ClusterName
from gateway_common.resources import PODS, Manifest

logger = logging.getLogger(__name__)

#: How Kubernetes says that we may not ask (pkg/registry/rbac), and not that it dislikes the pod.
_NO_RIGHT = "cannot create resource"
#: How it says that an admission webhook can't be asked without side effects.
_NO_DRY_RUN = "does not support dry run"


class PodCheck:
    """Asks about the scheduler's pod and one worker's of each group, at the same time."""

    def __init__(self, kube: KubeClient, installation: Installation) -> None:
        self._kube = kube
        self._installation = installation

    async def check(self, name: ClusterName, config: ClusterConfig) -> None:
        """Return if Kubernetes would take the pods, or can't tell.

        Raises InvalidRequest with Kubernetes' explanation, and other KubeErrors as they come.
        """
        pods = {"the scheduler's pod": build_scheduler_pod(self._installation, name, config)}
        for group in ("", *config.worker_groups):
            whose = f"the pod of a worker of group {group}" if group else "the worker's pod"
            (pods[whose],) = build_worker_pods(self._installation, name, config, [0], group)
        reasons = await asyncio.gather(*map(self._refusal, pods.values()))
        refused = [f"{whose}: {reason}" for whose, reason in zip(pods, reasons, strict=True) if reason]
        if refused:
            raise InvalidRequest(f"Kubernetes would refuse {'; '.join(refused)}")

    async def _refusal(self, pod: Manifest) -> str:
        """Why Kubernetes would refuse a pod; empty if it would not."""
        try:
            await self._kube.create(PODS, pod, dry_run=True)
        except NotFound:
            raise NamespaceMissing(pod["metadata"]["namespace"]) from None
        except (Forbidden, Invalid) as error:
            reason = str(error)
            if _NO_RIGHT in reason or _NO_DRY_RUN in reason:
                logger.warning("Pods can't be checked before clusters are made (validatePods): %s", reason)
                return ""
            return reason
        return ""
