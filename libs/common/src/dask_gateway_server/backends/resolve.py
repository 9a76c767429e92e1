"""What an operator's class makes of a cluster's configuration."""

import copy
import types
from collections.abc import Mapping
from typing import Any

from traitlets import TraitError
from traitlets.config import Config

from dask_gateway_server.backends.base import ClusterConfig
from dask_gateway_server.traitlets import import_place
from gateway_common.config import ClusterConfig as ClusterFields
from gateway_common.errors import InvalidConfig

#: Where a class keeps what configuration code says about its own traitlets.
_CONFIG = "_configured_by_code"


def configured_class(cluster_config_class: type[ClusterConfig], own: Mapping[str, Any]) -> type[ClusterConfig]:
    """The class, with values for traitlets that no other class has."""
    namespace = {
        _CONFIG: dict(own),
        "__doc__": cluster_config_class.__doc__,
        "__module__": cluster_config_class.__module__,
    }
    bases = (cluster_config_class,)
    return types.new_class(cluster_config_class.__name__, bases, exec_body=lambda body: body.update(namespace))


def load_cluster_config_class(place: Any) -> type[ClusterConfig]:
    """The class itself or its place as `module:attribute`, checked; raises InvalidConfig."""
    try:
        found = import_place(place) if isinstance(place, str) else place
    except Exception as error:  # importing runs the operator's code
        raise InvalidConfig(f"{place!r} can't be imported: {error}") from error
    if isinstance(found, type) and issubclass(found, ClusterConfig):
        return found
    what = found.__name__ if isinstance(found, type) else type(found).__name__
    raise InvalidConfig(f"expected a subclass of dask_gateway_server.backends.kubernetes.KubeClusterConfig, got {what}")


def resolve_config(cluster_config_class: Any, fields: Mapping[str, Any]) -> dict[str, Any]:
    """What the operator's class makes of a cluster's fields.

    `fields` are those that something sets: for all others the class's own defaults count. Traitlets that are the
    class's own and no fields have done their work and are left out. Runs the operator's code, which may take its time.

    Raises InvalidConfig with the text of a TraitError, and whatever else the class raises.
    """
    chosen = load_cluster_config_class(cluster_config_class)
    own = getattr(chosen, _CONFIG, {})
    config = Config({chosen.__name__: copy.deepcopy({**own, **fields})})
    try:
        values = chosen(config=config).to_dict()
    except TraitError as error:
        raise InvalidConfig(str(error)) from error
    return {name: value for name, value in values.items() if name in ClusterFields.model_fields and value is not None}
