"""The tokens by which clusters identify themselves: each is good for its own cluster only."""

import hmac

from gateway_api.clusters.record import Record
from gateway_api.clusters.repository import ClusterRepository
from gateway_common.errors import InvalidClusterName
from gateway_common.names import parse_cluster_name


class ClusterTokens:
    """Checks tokens against the clusters' Secrets."""

    def __init__(self, repository: ClusterRepository) -> None:
        self._repository = repository

    async def owner(self, name: str, token: str) -> Record | None:
        """The cluster `name` if this is its token; raises KubeError.

        Only clusters that the cache holds are considered: whoever guesses names and tokens must not be able to
        make us ask Kubernetes, and a scheduler whose report comes too early repeats it.
        """
        try:
            record = self._repository.cached(parse_cluster_name(name))
        except InvalidClusterName:
            return None
        if record is None:
            return None
        credentials = await self._repository.credentials(record)
        if credentials is None:
            return None
        # both as bytes: text that is not ASCII can't be compared in constant time
        return record if hmac.compare_digest(token.encode(), credentials.token.encode()) else None
