"""A container's environment and command line, from its manifest. Pure but for the lookups that it is given."""

import base64
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from gateway_common.resources import Manifest
from gateway_local.kubelet.images import Image
from gateway_local.quantities import parse_quantity

#: ("Secret" | "ConfigMap", name) -> the object in the pod's namespace, or None.
Lookup = Callable[[str, str], Manifest | None]

_REFERENCE = re.compile(r"\$(?:(\$)|\(([^)]*)\))")
_KEYED_FIELD = re.compile(r"metadata\.(labels|annotations)\['([^']*)'\]")
_ENV_NAME = re.compile(r"[^=\0]+")


class ContainerConfigError(Exception):
    """The container can't be configured, in the words that Kubernetes puts in the pod's status."""


@dataclass(frozen=True, slots=True)
class PodContext:
    """What downward-API fields can tell a container."""

    pod: Manifest
    pod_ip: str
    host_ip: str
    issue_token: Callable[[], str] | None = None
    """Makes a token of the pod's service account; `KeyError` where there is no such account."""


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Replace `$(NAME)`; `$$` is a dollar sign; what isn't defined stays as it is.

    As k8s.io/kubernetes/third_party/forked/golang/expansion.
    """

    def value(found: re.Match[str]) -> str:
        if found[1]:
            return "$"
        return variables.get(found[2], found[0])

    return _REFERENCE.sub(value, text)


def command_line(container: Manifest, image: Image, read: Callable[[str], str]) -> list[str]:
    """`command` takes the place of the image's entry point and of its command, `args` that of its command.

    `read` makes of a text in the manifest what the program is to see.
    """
    command, args = container.get("command") or [], container.get("args") or []
    argv = [read(part) for part in command] or [*image.entrypoint]
    if args:
        argv += [read(part) for part in args]
    elif not command:
        argv += image.command
    if not argv:
        raise ContainerConfigError("no command specified: neither the container nor its image has one")
    return argv


def container_environment(container: Manifest, context: PodContext, lookup: Lookup) -> dict[str, str]:
    """The variables that the manifest asks for: `envFrom` first, then `env`, each seeing those before it."""
    variables: dict[str, str] = {}
    for source in container.get("envFrom") or []:
        variables.update(_from_source(source, context, lookup))
    for entry in container.get("env") or []:
        if "valueFrom" in entry:
            value = _from_reference(entry["valueFrom"], container, context, lookup)
            if value is None:
                continue
        else:
            value = expand(entry.get("value") or "", variables)
        variables[entry["name"]] = value
    return variables


def service_links(services: Iterable[Manifest]) -> dict[str, str]:
    """The variables that tell a pod of the services of its namespace, for a pod that does not decline them.

    As k8s.io/kubernetes/pkg/kubelet/envvars: JupyterHub's services, among others, find each other by these.
    """
    variables: dict[str, str] = {}
    for service in services:
        address = service["spec"].get("clusterIP")
        ports = service["spec"].get("ports") or []
        if address in (None, "", "None") or not ports:
            continue
        name = service["metadata"]["name"].upper().replace("-", "_")
        variables |= {f"{name}_SERVICE_HOST": address, f"{name}_SERVICE_PORT": str(ports[0]["port"])}
        variables[f"{name}_PORT"] = _port_url(address, ports[0])
        for port in ports:
            if port.get("name"):
                named = port["name"].upper().replace("-", "_")
                variables[f"{name}_SERVICE_PORT_{named}"] = str(port["port"])
            protocol = port.get("protocol") or "TCP"
            prefix = f"{name}_PORT_{port['port']}_{protocol}"
            variables |= {
                prefix: _port_url(address, port),
                f"{prefix}_PROTO": protocol.lower(),
                f"{prefix}_PORT": str(port["port"]),
                f"{prefix}_ADDR": address,
            }
    return variables


def _port_url(address: str, port: Manifest) -> str:
    return f"{(port.get('protocol') or 'TCP').lower()}://{address}:{port['port']}"


def object_data(manifest: Manifest) -> dict[str, bytes]:
    """What a Secret or a ConfigMap holds."""
    if manifest.get("kind") == "Secret":
        return {key: base64.b64decode(text) for key, text in (manifest.get("data") or {}).items()}
    data = {key: text.encode() for key, text in (manifest.get("data") or {}).items()}
    return data | {key: base64.b64decode(text) for key, text in (manifest.get("binaryData") or {}).items()}


def field_value(path: str, context: PodContext) -> str:
    """A downward-API field; raises ContainerConfigError for one that there isn't."""
    metadata = context.pod["metadata"]
    if keyed := _KEYED_FIELD.fullmatch(path):
        return str((metadata.get(keyed[1]) or {}).get(keyed[2], ""))
    if path in ("metadata.labels", "metadata.annotations"):
        entries = metadata.get(path.removeprefix("metadata.")) or {}
        return "\n".join(f'{key}="{value}"' for key, value in sorted(entries.items()))
    spec = context.pod["spec"]
    fields = {
        "metadata.name": metadata["name"],
        "metadata.namespace": metadata.get("namespace", ""),
        "metadata.uid": metadata.get("uid", ""),
        "spec.nodeName": spec.get("nodeName", ""),
        "spec.serviceAccountName": spec.get("serviceAccountName", "default"),
        "status.podIP": context.pod_ip,
        "status.podIPs": context.pod_ip,
        "status.hostIP": context.host_ip,
        "status.hostIPs": context.host_ip,
    }
    if path not in fields:
        raise ContainerConfigError(f"unsupported pod field path: {path}")
    return str(fields[path])


def resource_value(reference: Manifest, containers: Sequence[Manifest]) -> str:
    """A container's own request or limit, in units of `divisor`, rounded up; 0 when it has none."""
    name = reference.get("containerName")
    container = next((c for c in containers if c["name"] == name or name is None), None)
    if container is None:
        raise ContainerConfigError(f"unable to find container {name}")
    section, _, resource = reference["resource"].partition(".")
    amount = ((container.get("resources") or {}).get(section) or {}).get(resource, 0)
    divisor = parse_quantity(reference.get("divisor") or 1) or Decimal(1)
    return str(math.ceil(parse_quantity(amount) / divisor))


def _from_source(source: Manifest, context: PodContext, lookup: Lookup) -> dict[str, str]:
    prefix = source.get("prefix") or ""
    kind, field = ("Secret", "secretRef") if "secretRef" in source else ("ConfigMap", "configMapRef")
    manifest = _find(kind, source[field], lookup)
    data = object_data(manifest) if manifest else {}
    return {prefix + key: value.decode(errors="replace") for key, value in data.items() if _ENV_NAME.fullmatch(key)}


def _from_reference(source: Manifest, container: Manifest, context: PodContext, lookup: Lookup) -> str | None:
    if "fieldRef" in source:
        return field_value(source["fieldRef"]["fieldPath"], context)
    if "resourceFieldRef" in source:
        others = context.pod["spec"]["containers"]
        own = source["resourceFieldRef"].get("containerName") is None
        return resource_value(source["resourceFieldRef"], [container] if own else others)
    for field, kind in (("secretKeyRef", "Secret"), ("configMapKeyRef", "ConfigMap")):
        if field in source:
            return _key_value(kind, source[field], context, lookup)
    raise ContainerConfigError(f"unsupported source of a variable: {', '.join(source)}")


def _key_value(kind: str, reference: Manifest, context: PodContext, lookup: Lookup) -> str | None:
    manifest = _find(kind, reference, lookup)
    key = reference["key"]
    data = object_data(manifest) if manifest else {}
    if key in data:
        return data[key].decode(errors="replace")
    if reference.get("optional"):
        return None
    namespace = context.pod["metadata"].get("namespace", "")
    raise ContainerConfigError(f"couldn't find key {key} in {kind} {namespace}/{reference['name']}")


def _find(kind: str, reference: Manifest, lookup: Lookup) -> Manifest | None:
    manifest = lookup(kind, reference["name"])
    if manifest is None and not reference.get("optional"):
        raise ContainerConfigError(f'{kind.lower()} "{reference["name"]}" not found')
    return manifest
