"""The api's side of limits: an immediate answer, and the controller's decision where that differs.

Two replicas may both find room for the last cluster: the controller alone admits.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway_api.clusters.record import NewCluster, Record
from gateway_api.clusters.repository import ClusterRepository
from gateway_common.configuration.model import Configuration
from gateway_common.principal import Principal


class Limits:
    """What is used of each limit as this replica knows it."""

    def __init__(self, configuration: Configuration, repository: ClusterRepository) -> None:
        self._configuration = configuration
        self._repository = repository

    def groups_of(self, principal: Principal) -> list[str]:
        """Those of a user's groups that the configuration names."""
        return [group for group in principal.groups if group in self._configuration.groups]

    @asynccontextmanager
    async def place_for(self, new: NewCluster) -> AsyncIterator[NewCluster]:
        """Hold a place for a cluster while it is made; raises LimitReached where there is none."""
        yield new

    async def wait_for_verdict(self, record: Record) -> None:
        """Return when the controller has admitted a new cluster; raises LimitReached where it has not."""
