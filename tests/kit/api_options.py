"""Options as an operator writes them."""

from typing import Any

from dask_gateway_server.models import User
from dask_gateway_server.options import FrozenAttrDict, Integer, Mapping, Options, Select


def handler(options: FrozenAttrDict, user: User) -> dict[str, Any]:
    if options.worker_cores == 3:
        raise ValueError(f"{user.name} may not have three cores")
    return {
        "worker_cores": options.worker_cores,
        "image": options.image,
        "environment": dict(options.environment),
        "cluster_max_workers": 4,
    }


options = Options(
    Integer("worker_cores", default=1, min=1, max=64, label="Worker cores"),
    Select("image", ["stable", ("next", "registry.example/next:1")], default="stable"),
    Mapping("environment", default={"TZ": "UTC"}),
    handler=handler,
)


def by_user(user: User) -> Options:
    """Choose options for a user; some users make it fail."""
    if user.name == "unlucky":
        raise RuntimeError("the options are broken")
    return options if user.name == "alice" else Options()


def by_profile(user: Any) -> Options:
    """Looks at what the operator's authenticator has put on the user."""
    return Options(Select("profile", user.profiles))
