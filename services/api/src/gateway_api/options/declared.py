"""Declared options as they are offered to users: put together once for each combination of groups."""

from collections.abc import Mapping
from typing import Any

from gateway_api.options.evaluation import parsed, specification
from gateway_api.options.policy import Policy
from gateway_common.configuration.declared_options import DeclaredOptions


class Declared:
    """What members of the same groups may choose. None of it is the operator's code."""

    def __init__(self, policy: Policy) -> None:
        self._declared = DeclaredOptions(policy.options)
        #: What they are offered, as JSON.
        self.description = specification(self._declared.options)

    def choose(
        self, user: str, base: Mapping[str, Any], request: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """The options as chosen, and `base` with what follows from them; raises InvalidOptions."""
        chosen = parsed(self._declared.options, request)
        return chosen, self._declared.apply(base, chosen, user)
