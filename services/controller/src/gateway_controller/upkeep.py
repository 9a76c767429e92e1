"""Finds what leads to clusters and is missing or outdated: a Service, routes.

They are made once, with their cluster, and not watched: three objects a cluster that nobody touches as a rule. They are
looked at when a leader begins, since that is when the configuration may be another, and every few minutes.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from gateway_common.configuration.model import ALL_NAMESPACES
from gateway_common.errors import KubeError
from gateway_common.kube import KubeClient, KubeObject
from gateway_common.manifests.installation import Installation
from gateway_common.model import Phase
from gateway_common.names import CLUSTER_LABEL, instance_selector
from gateway_common.object_store import ObjectKey
from gateway_common.resources import Resource
from gateway_controller.core.build.access import access_resources, build_access
from gateway_controller.core.drift import NO_DRIFT, Drift, is_outdated
from gateway_controller.core.observed import Cluster
from gateway_controller.core.status import has_children
from gateway_controller.informers import Informers

#: Seconds between two looks.
PERIOD = 300.0

logger = logging.getLogger(__name__)


class Upkeep:
    """What is to be mended of which cluster; `wake` is called with the key of each for which there is something."""

    def __init__(
        self,
        client: KubeClient,
        informers: Informers,
        installation: Installation,
        *,
        namespaces: Sequence[str],
        wake: Callable[[ObjectKey], None],
    ) -> None:
        self._client = client
        self._informers = informers
        self._installation = installation
        self._scopes: Sequence[str | None] = [None] if ALL_NAMESPACES in namespaces else namespaces
        self._wake = wake
        self._drifts: dict[ObjectKey, Drift] = {}
        #: Versions of objects that were found outdated. One that is the same afterwards can't be had in another way:
        #: the server itself has filled something in.
        self._tried: dict[tuple[Resource, ObjectKey], str] = {}

    async def run(self) -> None:
        """Go on until cancelled."""
        while True:
            await self.sweep()
            await asyncio.sleep(PERIOD)

    async def sweep(self) -> None:
        """Look at everything once. A namespace that can't be read keeps no other from being looked at."""
        for scope in self._scopes:
            try:
                await self._look_at(scope)
            except KubeError as error:
                logger.warning("Cannot look after the routes in %s: %s", scope or "all namespaces", error)

    def drift(self, key: ObjectKey) -> Drift:
        """What was found of a cluster, and is not mended yet."""
        return self._drifts.get(key, NO_DRIFT)

    def mended(self, key: ObjectKey, drift: Drift) -> None:
        """What was found of a cluster is as it should be. What has been found since then is not."""
        if self._drifts.get(key) is drift:
            del self._drifts[key]

    def forget(self, key: ObjectKey) -> None:
        """The cluster is gone."""
        self._drifts.pop(key, None)

    async def _look_at(self, scope: str | None) -> None:
        # before anything is read: what these clusters have was made by then
        clusters = {
            ObjectKey(cluster.namespace, cluster.name): cluster
            for cluster in self._informers.clusters.values()
            if scope in (None, cluster.namespace) and self._is_kept(cluster)
        }
        if not clusters:
            return
        missing: defaultdict[ObjectKey, set[Resource]] = defaultdict(set)
        outdated: defaultdict[ObjectKey, set[Resource]] = defaultdict(set)
        for resource in access_resources(self._installation):
            versions = await self._read(resource, scope, clusters)
            for key in clusters.keys() - versions.keys():
                missing[key].add(resource)
            for key, version in versions.items():
                if version and self._tried.get((resource, key)) != version:
                    self._tried[resource, key] = version
                    outdated[key].add(resource)
        for key in missing.keys() | outdated.keys():
            # what was found outdated before, and waits to be mended, is not found a second time
            waiting = self.drift(key).outdated
            self._drifts[key] = Drift(frozenset(missing[key]), waiting.union(outdated[key]))
            self._wake(key)
        self._tried = {(resource, key): at for (resource, key), at in self._tried.items() if self._is_known(key)}

    async def _read(
        self, resource: Resource, scope: str | None, clusters: Mapping[ObjectKey, Cluster]
    ) -> dict[ObjectKey, str]:
        """The clusters that have an object of a kind, with its version if that is outdated."""
        versions: dict[ObjectKey, str] = {}
        selector = instance_selector(self._installation.instance)
        async for page in self._client.pages(resource, namespace=scope, label_selector=selector):
            for found in page.items:
                key = _cluster_of(found)
                if key not in clusters:
                    continue
                wanted = build_access(self._installation, clusters[key].full_name)[resource]
                if found["metadata"]["name"] == wanted["metadata"]["name"]:
                    outdated = is_outdated(resource, wanted, found)
                    versions[key] = found["metadata"]["resourceVersion"] if outdated else ""
        return versions

    def _is_kept(self, cluster: Cluster) -> bool:
        lives = cluster.active and not cluster.deleting and cluster.status.phase in (Phase.PENDING, Phase.RUNNING)
        return lives and has_children(cluster.status, self._installation.proxy_kind)

    def _is_known(self, key: ObjectKey) -> bool:
        return self._informers.clusters.get(key) is not None


def _cluster_of(manifest: KubeObject) -> ObjectKey:
    metadata = manifest["metadata"]
    return ObjectKey(metadata["namespace"], (metadata.get("labels") or {}).get(CLUSTER_LABEL, ""))
