"""The ``gateway`` section of dask's configuration: its defaults, and templates over the environment."""

import os
from pathlib import Path
from typing import Any

import dask
import yaml

_DEFAULTS_FILE = Path(__file__).with_name("gateway.yaml")


def register_defaults() -> None:
    """Make dask know the ``gateway`` keys, and leave a commented copy of them in the user's dask folder."""
    dask.config.ensure_file(source=str(_DEFAULTS_FILE))
    # libyaml's loader where there is one: schedulers import this too, and it is five times as fast.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    dask.config.update_defaults(yaml.load(_DEFAULTS_FILE.read_text(), Loader=loader))  # noqa: S506 (a safe loader)


def expand_template(value: Any) -> Any:
    """Fill a text's ``{NAME}`` fields from the environment; other values pass unchanged.

    Raises ``ValueError`` when the environment has no such variable.
    """
    if not isinstance(value, str):
        return value
    try:
        return value.format(**os.environ)
    except KeyError as missing:
        message = f"Configuration value {value!r} uses the environment variable {missing}, which is not set"
        raise ValueError(message) from None


def configured(key: str) -> Any:
    """The value of ``gateway.<key>`` with its template filled, or None."""
    return expand_template(dask.config.get(f"gateway.{key}", None))


def configured_mapping(key: str) -> dict[str, Any]:
    """The mapping at ``gateway.<key>`` with each value's template filled."""
    mapping = dask.config.get(f"gateway.{key}", None) or {}
    return {name: expand_template(value) for name, value in mapping.items()}


register_defaults()


def notebook_image() -> str | None:
    """The image that this notebook server runs in, as JupyterHub's and Binder's spawners say.

    A gateway that is configured to gives new clusters the same one; others pass over it.
    """
    return os.environ.get("JUPYTER_IMAGE_SPEC") or os.environ.get("JUPYTER_IMAGE") or None
