"""What operators write in values is what the services in the pods then know."""

import json
from base64 import b64decode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from dask_gateway_server.models import User
from gateway_common.configuration.loading import configured_files, load_configuration
from gateway_common.configuration.model import Configuration
from gateway_common.configuration.python_code import forget_modules
from tests.kit.chart import FULLNAME, Manifest, find, operators_values, pods, render


def services_configuration(manifests: list[Manifest], service: str, directory: Path, **secrets: str) -> Configuration:
    """What a service finds where its pod puts it."""
    pod = pods(manifests)[f"{service}-{FULLNAME}"]
    (container,) = pod["containers"]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    for mount in container["volumeMounts"]:
        secret = volumes[mount["name"]].get("secret")
        known = [
            m for m in manifests if m["kind"] == "Secret" and secret and m["metadata"]["name"] == secret["secretName"]
        ]
        place = directory / mount["mountPath"].lstrip("/")
        place.mkdir(parents=True, exist_ok=True)
        for name, text in known[0]["data"].items() if known else ():
            (place / name).write_bytes(b64decode(text))
    environment = {entry["name"]: _value(entry, secrets) for entry in container["env"]}
    files = [directory / str(file).lstrip("/") for file in configured_files(environment)]
    return load_configuration(files, environment).configuration


def _value(entry: Mapping[str, Any], secrets: Mapping[str, str]) -> str:
    if "valueFrom" not in entry:
        return str(entry["value"])
    source = entry["valueFrom"]
    return secrets[source["secretKeyRef"]["key"]] if "secretKeyRef" in source else "a-field"
