"""The entry point of what stands for Traefik's image: `python traefik_entrypoint.py TRAEFIK ARGUMENT...`, in a pod.

Traefik is a program in Go, so nothing of the pod shim reaches it. What a container would give it is given in other ways
before it takes this process over:

- its entry points listen on the pod's address, not on all of the machine's;
- the service account is told by a kubeconfig, since Go's client knows one path only, at which nothing can be mounted;
- requests that it makes itself (forwardAuth) find names of services by the kubelet's proxy; Go asks no proxy for
  addresses of this machine, so all else goes straight to the pods.

It imports the standard library only.
"""

import json
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

_SHIM = "GATEWAY_LOCAL_POD_"
_SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
_ADDRESS = re.compile(r"(--entrypoints\.[\w-]+\.address)=(?:0\.0\.0\.0|\[::\])?(:\d+(?:/(?:tcp|udp))?)", re.IGNORECASE)
#: Where Traefik answers pings and serves its own pages; it makes this entry point itself where nobody names it.
_OWN = "--entrypoints.traefik.address"


def bind(arguments: list[str], address: str) -> list[str]:
    """The arguments with all entry points on one address."""
    bound = [_ADDRESS.sub(rf"\g<1>={address}\g<2>", argument) for argument in arguments]
    named = any(argument.lower().startswith(f"{_OWN}=") for argument in arguments)
    return bound if named else [*bound, f"{_OWN}={address}:8080"]


def service_account(environment: Mapping[str, str]) -> Path | None:
    """The directory that stands for the mount of the pod's service account, if it has one."""
    mounts = dict(line.split("\t") for line in environment.get(f"{_SHIM}MOUNTS", "").splitlines())
    return Path(mounts[_SERVICE_ACCOUNT]) if _SERVICE_ACCOUNT in mounts else None


def kubeconfig(account: Path, host: str, port: str) -> dict[str, object]:
    """For the API server, as the service account; read anew when the token is."""
    name = "in-cluster"
    cluster = {"server": f"https://{host}:{port}", "certificate-authority": str(account / "ca.crt")}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": name, "user": {"tokenFile": str(account / "token")}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }


def main() -> None:
    """Become Traefik."""
    program, *arguments = sys.argv[1:]
    environment = dict(os.environ)
    environment["HTTP_PROXY"] = environment[f"{_SHIM}PROXY"]
    host, port = (environment.pop(f"KUBERNETES_SERVICE_{part}", "") for part in ("HOST", "PORT"))
    if host and (account := service_account(environment)):
        path = Path(environment["HOME"]) / "kubeconfig"
        path.write_text(json.dumps(kubeconfig(account, host, port)))
        environment["KUBECONFIG"] = str(path)
    os.execve(program, [program, *bind(arguments, environment[f"{_SHIM}IP"])], environment)  # noqa: S606  # no shell


if __name__ == "__main__":
    main()
