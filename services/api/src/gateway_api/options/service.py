"""The rules for options: what a user is offered, and which cluster follows from their choice. Knows no HTTP."""

import logging
from collections.abc import Callable, Coroutine, Mapping
from copy import deepcopy
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, TypeVar

import orjson

from dask_gateway_server.backends.base import PublicException
from dask_gateway_server.backends.resolve import load_cluster_config_class
from dask_gateway_server.models import User
from dask_gateway_server.options import InvalidOptions, Options, ResolvedOptions
from gateway_api.errors import InvalidRequest
from gateway_api.options.declared import Declared
from gateway_api.options.evaluation import Evaluation, needs_no_code, specification
from gateway_api.options.operator_code import OperatorCode, OperatorCodeError, OperatorCodeFailed
from gateway_api.options.policy import Policy, from_notebook, policy_of
from gateway_common.config import ClusterConfig, parse_cluster_config
from gateway_common.configuration.code_objects import load_options
from gateway_common.configuration.model import ALL_NAMESPACES, Configuration
from gateway_common.configuration.option_checks import check_declarations
from gateway_common.errors import InvalidConfig
from gateway_common.kube_configuration import own_namespace
from gateway_common.merge import merge_config
from gateway_common.namespaces import Namespaces
from gateway_common.principal import Principal

T = TypeVar("T")

logger = logging.getLogger(__name__)

#: Combinations of groups that are remembered; of most configurations these are all that occur.
MOST_COMBINATIONS = 256

#: Bytes of a user's options as JSON. They are in the cluster's record, which is kept for a day.
LONGEST_OPTIONS = 64 * 1024

#: Exceptions by which the operator's code tells a user no, more often than that it is broken.
_REFUSALS = (ValueError, PermissionError, PublicException)


@dataclass(frozen=True, slots=True)
class ChosenCluster:
    """What a user's choice comes to: the options as chosen, the resolved configuration, and where it runs.

    `groups` are those of the user's groups that the configuration names.
    """

    options: Mapping[str, Any]
    config: Mapping[str, Any]
    namespace: str
    groups: tuple[str, ...] = ()


class OptionsService:
    """Evaluates the operator's options, in Python or declared.

    Raises InvalidConfig where the configuration can't be.
    """

    def __init__(self, configuration: Configuration) -> None:
        if errors := check_declarations(configuration):
            raise InvalidConfig("\n".join(errors))
        self._configuration = configuration
        self._namespaces = configuration.namespaces
        self._own_namespaces = Namespaces(configuration.namespace_templates, configuration.groups, own_namespace())
        self._source = load_options(configuration.cluster_options)
        place = configuration.cluster_config_class
        self._config_class = None if place is None or place == "" else load_cluster_config_class(place)
        self._code = OperatorCode(configuration.api.options_timeout)
        #: Fields that were warned of.
        self._passed_over: set[str] = set()
        self._policies: dict[frozenset[str], tuple[Policy, Declared]] = {}
        # the same for everybody: the answer's bytes are made once
        self._fixed_answer = specification(self._source) if isinstance(self._source, Options) else None

    async def describe(self, principal: Principal) -> bytes:
        """What the user is offered, as JSON (R-012); raises OperatorCodeError."""
        if self._fixed_answer is not None:
            return self._fixed_answer
        source = self._source
        if source is None:
            return self._policy(principal)[1].description
        return await self._run(principal, lambda evaluation: evaluation.describe(source))

    async def resolve(
        self, principal: Principal, request: Mapping[str, Any], notebook_image: str | None = None
    ) -> ChosenCluster:
        """The cluster that the user asks for.

        `notebook_image` is what the user's notebook runs in. Raises InvalidRequest with the text of what is wrong, also
        that of the operator's code, and InvalidConfig.
        """
        _check_size(request)
        policy, declared = self._policy(principal)
        base = {**policy.backend, **from_notebook(self._configuration, notebook_image)}
        try:
            options, fields = await self._choose(principal, declared, base, request)
            # a namespace that somebody chose is a name, the operator's may be a template
            namespace = fields.get("namespace") or self._own_namespaces.format(
                policy.namespace, user=principal.name, group=policy.group
            )
            config = parse_cluster_config(await self._by_class(principal, {**fields, "namespace": namespace}))
        except (InvalidOptions, OperatorCodeError) as error:
            raise InvalidRequest(str(error)) from error
        namespace = self._allowed(config.namespace or namespace)
        resolved = config.model_copy(update={"namespace": namespace, "cluster_max_workers": _most_workers(config)})
        # every field, also where nothing is set: whoever goes back to 2026.3.0 has a controller that asks for each
        unset = dict.fromkeys(ClusterConfig.model_fields)
        stored = {**unset, **resolved.model_dump(mode="json", exclude_none=True)}
        return ChosenCluster(options, stored, namespace, policy.groups)

    async def _choose(
        self, principal: Principal, declared: Declared, base: Mapping[str, Any], request: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """The options as chosen, and the fields that follow."""
        source = self._source
        if source is None:
            return declared.choose(principal.name, base, request)
        if needs_no_code(source):
            chosen = await Evaluation(_user(principal)).choose(source, request)
            return chosen.options, _overridden(base, chosen.overrides)

        async def choose(evaluation: Evaluation) -> tuple[ResolvedOptions, dict[str, Any]]:
            return await evaluation.choose(source, request), evaluation.set_in_c

        chosen, set_in_c = await self._run(principal, choose)
        return chosen.options, _overridden({**base, **set_in_c}, chosen.overrides)

    async def _by_class(self, principal: Principal, fields: dict[str, Any]) -> dict[str, Any]:
        chosen = self._config_class
        if chosen is None:
            return self._known(fields)
        return await self._run(principal, lambda evaluation: evaluation.configure(chosen, fields))

    def _known(self, fields: dict[str, Any]) -> dict[str, Any]:
        """The fields that there are. Existing handlers answer others too, which never had an effect."""
        unknown = fields.keys() - ClusterConfig.model_fields.keys()
        for name in sorted(map(str, unknown - self._passed_over)):
            near = get_close_matches(name, ClusterConfig.model_fields, n=1)
            hint = f": did you mean {near[0]}?" if near else ""
            logger.warning("The options give %s, which no cluster's configuration has%s", name[:100], hint)
        if len(self._passed_over) < MOST_COMBINATIONS:
            self._passed_over |= unknown
        return {name: value for name, value in fields.items() if name not in unknown}

    def _allowed(self, namespace: str) -> str:
        namespaces = self._namespaces
        if namespace not in namespaces and ALL_NAMESPACES not in namespaces:
            raise InvalidRequest(f"namespace: clusters run in {', '.join(namespaces)}, not in {namespace!r}")
        return namespace

    def _policy(self, principal: Principal) -> tuple[Policy, Declared]:
        """What holds for the user's combination of groups, worked out once."""
        groups = frozenset(self._configuration.groups.keys() & principal.groups)
        known = self._policies.get(groups)
        if known is None:
            while len(self._policies) >= MOST_COMBINATIONS:
                del self._policies[next(iter(self._policies))]
            policy = policy_of(self._configuration, groups)
            known = self._policies[groups] = (policy, Declared(policy))
        return known

    async def _run(self, principal: Principal, call: Callable[[Evaluation], Coroutine[Any, Any, T]]) -> T:
        """Run the operator's code, and log why it fails."""
        evaluation = Evaluation(_user(principal))
        try:
            return await self._code.run(
                lambda: call(evaluation), user=principal.name, function=lambda: evaluation.function
            )
        except OperatorCodeFailed as error:
            cause = error.__cause__
            logger.log(
                logging.WARNING if isinstance(cause, _REFUSALS) else logging.ERROR,
                "%s failed for user %r: %s",
                evaluation.function,
                principal.name,
                error,
                exc_info=cause,
            )
            raise


def _overridden(base: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """What code answers takes the place of what stands there; within a group of workers, too, field by field."""
    groups = {name: value for name, value in overrides.items() if name == "worker_groups"}
    return {**base, **overrides, **{name: merge_config(base, groups)[name] for name in groups}}


def _most_workers(config: ClusterConfig) -> int | None:
    """The record holds what the limits come to; with groups of workers that depends on what is scaled."""
    return config.cluster_max_workers if config.worker_groups else config.max_workers


def _user(principal: Principal) -> User:
    user = User(principal.name, principal.groups, principal.admin)
    # a copy: code may change it
    vars(user).update(deepcopy(dict(principal.attributes)))
    return user


def _check_size(request: Mapping[str, Any]) -> None:
    sizes = {name: len(orjson.dumps(value)) for name, value in request.items()}
    if sum(sizes.values()) > LONGEST_OPTIONS:
        longest = max(sizes, key=sizes.__getitem__)
        raise InvalidRequest(
            f"cluster_options: at most {LONGEST_OPTIONS} bytes are taken, all of them together; "
            f"{longest[:100]} alone has {sizes[longest]}"
        )
