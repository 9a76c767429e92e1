"""Every name that Python configuration code knows: traitlets of the reference system, and what each sets here."""

from collections.abc import Iterator, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from gateway_common.config import ClusterConfig
from gateway_common.configuration.model import Configuration
from gateway_common.configuration.sources import Path
from gateway_common.setting import traits_of

#: A class and the name of its traitlet.
Trait = tuple[str, str]

CLUSTER_SECTIONS = ("ClusterConfig", "KubeClusterConfig")
AUTHENTICATORS = ("SimpleAuthenticator", "KerberosAuthenticator", "JupyterHubAuthenticator")

_CHART = "the chart decides it"
_KUBERNETES = "it has no meaning on Kubernetes"
_REPLACED = "nothing needs it any more"

#: Traitlets of the reference system that set nothing here, and why.
_PASSED_OVER: Mapping[Trait, str] = {
    ("DaskGateway", "address"): _CHART,
    ("DaskGateway", "backend_class"): _KUBERNETES,
    ("DaskGateway", "config_file"): _CHART,
    ("DaskGateway", "show_config"): _REPLACED,
    ("DaskGateway", "show_config_json"): _REPLACED,
    ("DaskGateway", "log_datefmt"): _REPLACED,
    ("DaskGateway", "log_format"): _REPLACED,
    ("DaskGateway", "logging_config"): _REPLACED,
    ("KubeController", "address"): _CHART,
    ("KubeController", "config_file"): _CHART,
    ("KubeController", "log_datefmt"): _REPLACED,
    ("KubeController", "log_format"): _REPLACED,
    ("KubeController", "logging_config"): _REPLACED,
    ("Authenticator", "cookie_name"): "sessions are tokens",
    **{
        (section, name): _REPLACED
        for section in ("KubeBackendAndControllerMixin", "KubeBackend", "KubeController")
        for name in ("crd_version", "label_selector")
    },
    **{(section, name): _KUBERNETES for section in ("Backend", "KubeBackend") for name in ("scheduler_api_retries",)},
}

#: Classes of the reference system that there are not on Kubernetes.
_ABSENT_SECTIONS: Mapping[str, str] = {
    "Application": _REPLACED,
    **dict.fromkeys(
        (
            "DBBackendBase",
            "DBBackend",
            "LocalBackend",
            "LocalClusterConfig",
            "UnsafeLocalBackend",
            "YarnBackend",
            "YarnClusterConfig",
            "JobQueueBackend",
            "JobQueueClusterConfig",
            "PBSBackend",
            "PBSClusterConfig",
            "SlurmBackend",
            "SlurmClusterConfig",
            "Proxy",
            "ProxyApp",
        ),
        _KUBERNETES,
    ),
}


@cache
def settings_by_trait() -> Mapping[Trait, tuple[Path, ...]]:
    """The settings that each traitlet sets."""
    found: dict[Trait, tuple[Path, ...]] = {}
    for path, info in _leaves(Configuration, ()):
        for text in traits_of(info):
            section, _, name = text.partition(".")
            found[section, name] = (*found.get((section, name), ()), path)
    for section in CLUSTER_SECTIONS:
        found.update({(section, name): (("backend", name),) for name in ClusterConfig.model_fields})
    return MappingProxyType(found)


@cache
def traits_by_setting() -> Mapping[Path, tuple[Trait, ...]]:
    """The traitlets that set each setting, the one that wins last."""
    found: dict[Path, tuple[Trait, ...]] = {}
    for path, info in _leaves(Configuration, ()):
        if traits := traits_of(info):
            found[path] = tuple((section, name) for section, _, name in (text.partition(".") for text in traits))
    for name in ClusterConfig.model_fields:
        found["backend", name] = tuple((section, name) for section in CLUSTER_SECTIONS)
    return MappingProxyType(found)


@cache
def secret_settings() -> frozenset[Path]:
    """Settings whose values nobody may see."""
    return frozenset(path for path, info in _leaves(Configuration, ()) if "SecretStr" in str(info.annotation))


def default_of(path: Path) -> Any:
    """The built-in default of a setting that a traitlet sets."""
    model: Any = ClusterConfig if path[0] == "backend" else Configuration
    *groups, name = path[1:] if path[0] == "backend" else path
    for group in groups:
        model = model.model_fields[group].annotation
    info: FieldInfo = model.model_fields[name]
    default = None if info.is_required() else info.default
    return default.get_secret_value() if isinstance(default, SecretStr) else default


def why_passed_over(section: str, name: str) -> str | None:
    """Why a traitlet of the reference system sets nothing here; None: it does, or there is no such."""
    return _ABSENT_SECTIONS.get(section) or _PASSED_OVER.get((section, name))


def names_of(section: str) -> set[str]:
    """All traitlets of a class, by its name."""
    return {name for known, name in (*settings_by_trait(), *_PASSED_OVER) if known == section}


def sections() -> set[str]:
    """The names of all classes."""
    return {section for section, _ in (*settings_by_trait(), *_PASSED_OVER)} | set(_ABSENT_SECTIONS)


def _leaves(model: type[BaseModel], where: Path) -> Iterator[tuple[Path, FieldInfo]]:
    for name, info in model.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            yield from _leaves(info.annotation, (*where, name))
        else:
            yield (*where, name), info
