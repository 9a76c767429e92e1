"""The command line: `dask-gateway-local up`, `dask-gateway-local run -- COMMAND`, `dask-gateway-local cluster`."""

import argparse
import asyncio
import os
import re
import signal
import sys
import tempfile
from pathlib import Path

from gateway_local.cluster import Cluster, gateway_images
from gateway_local.errors import LocalGatewayError
from gateway_local.gateway import LocalGateway, LocalSettings

_SCREEN = """\
Dask Gateway is up.

  address      {address}
  Swagger UI   {address}/docs
  logs         {logs}
  Kubernetes   kubectl --kubeconfig {kubeconfig} get pods

From Python:

  from dask_gateway import Gateway
  cluster = Gateway("{address}"{auth}).new_cluster()

Ctrl-C stops it and everything that it started.
"""

_CLUSTER_SCREEN = """\
A Kubernetes cluster of one node is up. Its pods are processes of this machine, and their images are this environment.

  export KUBECONFIG={kubeconfig}
  helm upgrade --install dask-gateway charts/dask-gateway --namespace dask-gateway --create-namespace
  kubectl get pods,services --all-namespaces

  logs of pods  {logs}

Ctrl-C stops it and everything that it started.
"""


def main() -> None:
    """Run the command that the arguments name; exits with its status."""
    arguments = _parser().parse_args()
    work = {"up": _up, "run": _run, "cluster": _cluster}[arguments.command]
    try:
        sys.exit(asyncio.run(work(arguments)))
    except LocalGatewayError as error:
        sys.exit(f"dask-gateway-local: {error}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dask-gateway-local", description="The whole gateway on this machine, without Kubernetes."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="start the gateway and keep it running until Ctrl-C")
    run = commands.add_parser("run", help="start the gateway, run a command with its address, stop the gateway")
    cluster = commands.add_parser("cluster", help="start a bare Kubernetes cluster, for Helm to install charts into")
    for command in (up, run, cluster):
        command.add_argument("--directory", type=Path, help="where logs and pods' files go (default: a new one)")
        command.add_argument(
            "--image",
            type=_image,
            action="append",
            default=[],
            metavar="NAME=ENVIRONMENT",
            help="let the virtual environment in a directory stand for a container image; may be repeated",
        )
    for command in (up, run):
        command.add_argument("--port", type=_port, default=8000, help="port on 127.0.0.1; 0: any (default: 8000)")
        command.add_argument("--password", help="shared password of all users (default: any password will do)")
        command.add_argument(
            "--namespace", type=_namespace, default="dask-gateway", help="where clusters run (default: %(default)s)"
        )
        command.add_argument(
            "--config",
            type=Path,
            action="append",
            default=[],
            metavar="FILE",
            help="a values file (YAML, JSON) or Python configuration code; may be repeated",
        )
    run.add_argument("--keep", action="store_true", help="leave the gateway up after the command, until Ctrl-C")
    run.add_argument("argv", nargs="+", metavar="COMMAND", help="what to run, after --")
    return parser


def _port(text: str) -> int:
    if not (text.isdecimal() and int(text) < 2**16):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: expected a number from 0 to 65535")
    return int(text)


def _namespace(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a namespace: expected lower-case letters, digits and '-'")
    return text


def _image(text: str) -> tuple[str, Path]:
    name, equals, environment = text.partition("=")
    if not (name and equals and (Path(environment) / "bin").is_dir()):
        raise argparse.ArgumentTypeError(
            f"{text!r}: expected an image's name, =, and a virtual environment's directory"
        )
    return name, Path(environment)


def _gateway(arguments: argparse.Namespace) -> LocalGateway:
    return LocalGateway(
        LocalSettings(
            port=arguments.port,
            password=arguments.password,
            namespace=arguments.namespace,
            directory=arguments.directory,
            images=dict(arguments.image),
            config=arguments.config,
        )
    )


async def _up(arguments: argparse.Namespace) -> int:
    interrupted = _interruption()
    async with _gateway(arguments) as gateway:
        _show(gateway)
        await interrupted.wait()
    return 0


async def _cluster(arguments: argparse.Namespace) -> int:
    interrupted = _interruption()
    directory = arguments.directory or Path(tempfile.mkdtemp(prefix="dask-gateway-"))
    directory.mkdir(parents=True, exist_ok=True)
    pods = directory / "pods"
    async with Cluster(directory=pods, images={**gateway_images(), **dict(arguments.image)}) as cluster:
        kubeconfig = cluster.server.kubeconfig(directory / "kubeconfig")
        sys.stdout.write(_CLUSTER_SCREEN.format(kubeconfig=kubeconfig, logs=pods / "logs"))
        sys.stdout.flush()
        await interrupted.wait()
    return 0


async def _run(arguments: argparse.Namespace) -> int:
    interrupted = _interruption()
    async with _gateway(arguments) as gateway:
        environment = {**os.environ, "DASK_GATEWAY__ADDRESS": gateway.address}
        if gateway.settings.password is not None:
            environment["DASK_GATEWAY__AUTH__KWARGS__PASSWORD"] = gateway.settings.password
        process = await asyncio.create_subprocess_exec(*arguments.argv, env=environment)
        waiting = asyncio.create_task(interrupted.wait())
        finished = asyncio.create_task(process.wait())
        await asyncio.wait([waiting, finished], return_when=asyncio.FIRST_COMPLETED)
        if not finished.done():
            process.send_signal(signal.SIGINT)
        status = await finished
        if arguments.keep and not interrupted.is_set():
            _show(gateway)
            await interrupted.wait()
        waiting.cancel()
    return status if status >= 0 else 128 - status


def _interruption() -> asyncio.Event:
    """Set by Ctrl-C and by SIGTERM, so that an orderly stop follows both."""
    interrupted = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, interrupted.set)
    return interrupted


def _show(gateway: LocalGateway) -> None:
    auth = ', auth=BasicAuth(password="...")' if gateway.settings.password is not None else ""
    screen = _SCREEN.format(address=gateway.address, logs=gateway.logs, kubeconfig=gateway.kubeconfig, auth=auth)
    if auth:
        screen = screen.replace("import Gateway\n", "import BasicAuth, Gateway\n")
    sys.stdout.write(screen)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
