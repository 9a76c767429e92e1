"""The security context of Dask's containers: that of Pod Security "restricted", where the operator says nothing."""

from collections.abc import Mapping
from typing import Any

from gateway_common.merge import deep_merge

#: The user of dask-gateway's own images, of Jupyter's and of most others. An image whose user is root runs as this one.
USER = 1000


def restricted(container: Mapping[str, Any], pod: Mapping[str, Any]) -> dict[str, Any]:
    """A container's security context, from what the operator says of the container and of its pod (E-12).

    What is said counts. A container that is to be privileged, or to have capabilities, is left as it is there.
    """
    if container.get("privileged"):
        return dict(container)
    said = {**pod, **container}
    context: dict[str, Any] = {"capabilities": {"drop": ["ALL"]}}
    if not (container.get("capabilities") or {}).get("add"):
        context["allowPrivilegeEscalation"] = False
    if "seccompProfile" not in said:
        context["seccompProfile"] = {"type": "RuntimeDefault"}
    if "runAsUser" not in said and "runAsNonRoot" not in said:
        context["runAsUser"] = USER
    if "runAsNonRoot" not in said and said.get("runAsUser") != 0:
        context["runAsNonRoot"] = True
    return deep_merge(context, container)
