"""The rules of Pods: defaults, validation, what may change. No I/O.

Those of Kubernetes' rules (pkg/apis/core) that decide whether a pod of the gateway would be accepted by a cluster.
"""

from collections.abc import Iterator, Sequence

from gateway_common.resources import Manifest
from gateway_local.apiserver.errors import FieldProblem
from gateway_local.apiserver.validation import DNS_LABEL, LABEL_RULE

_RESTART_POLICIES = ("Always", "OnFailure", "Never")
_PULL_POLICIES = ("Always", "IfNotPresent", "Never")
_DEFAULTS: Manifest = {
    "restartPolicy": "Always",
    "dnsPolicy": "ClusterFirst",
    "schedulerName": "default-scheduler",
    "terminationGracePeriodSeconds": 30,
    "enableServiceLinks": True,
}
_CONTAINER_DEFAULTS = {"terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File"}
_PROBE_DEFAULTS: Manifest = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}


def set_pod_defaults(pod: Manifest) -> None:
    spec = pod.setdefault("spec", {})
    set_pod_spec_defaults(spec)
    if not pod.get("status"):
        pod["status"] = {"phase": "Pending", "qosClass": _quality_of_service(spec)}


def set_pod_spec_defaults(spec: Manifest) -> None:
    """For pods, and for templates of pods."""
    for name, value in _DEFAULTS.items():
        spec.setdefault(name, value)
    spec.setdefault("securityContext", {})
    for container in (*spec.get("initContainers", ()), *spec.get("containers", ())):
        _set_container_defaults(container)


def _set_container_defaults(container: Manifest) -> None:
    for name, value in _CONTAINER_DEFAULTS.items():
        container.setdefault(name, value)
    image = str(container.get("image", ""))
    untagged = ":" not in image.rsplit("/", 1)[-1] and "@" not in image
    container.setdefault("imagePullPolicy", "Always" if untagged or image.endswith(":latest") else "IfNotPresent")
    resources = container.setdefault("resources", {})
    if limits := resources.get("limits"):
        resources["requests"] = {**limits, **resources.get("requests", {})}
    for port in container.get("ports", ()):
        port.setdefault("protocol", "TCP")
    for variable in container.get("env", ()):
        if field := variable.get("valueFrom", {}).get("fieldRef"):
            field.setdefault("apiVersion", "v1")
    for probe in ("readinessProbe", "livenessProbe", "startupProbe"):
        if probe in container:
            for name, value in _PROBE_DEFAULTS.items():
                container[probe].setdefault(name, value)
            if get := container[probe].get("httpGet"):
                get.setdefault("path", "/")
                get.setdefault("scheme", "HTTP")


def _quality_of_service(spec: Manifest) -> str:
    resources = [container.get("resources", {}) for container in spec.get("containers", ())]
    if not any(part.get("requests") or part.get("limits") for part in resources):
        return "BestEffort"
    bound = all(
        {"cpu", "memory"} <= part.get("limits", {}).keys() and part.get("requests") == part.get("limits")
        for part in resources
    )
    return "Guaranteed" if bound else "Burstable"


def check_pod(pod: Manifest, old: Manifest | None) -> Iterator[FieldProblem]:
    yield from check_pod_spec("spec", pod["spec"])
    if old is not None and _fixed(pod["spec"], old["spec"]) != _fixed(old["spec"], old["spec"]):
        yield FieldProblem.forbidden(
            "spec",
            "pod updates may not change fields other than `spec.containers[*].image`,"
            "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to "
            "existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously "
            "negative)",
        )


def check_pod_spec(
    where: str, spec: Manifest, restart_policies: Sequence[str] = _RESTART_POLICIES
) -> Iterator[FieldProblem]:
    """What is wrong with the spec of a pod, or of a template of pods at a path."""
    if not spec.get("containers"):
        yield FieldProblem.required(f"{where}.containers")
    if spec["restartPolicy"] not in restart_policies:
        yield FieldProblem.not_supported(f"{where}.restartPolicy", spec["restartPolicy"], restart_policies)
    volumes = {volume.get("name") for volume in spec.get("volumes", ())}
    seen: set[str] = set()
    for part in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(part, ())):
            yield from _check_container(f"{where}.{part}[{index}]", container, volumes, seen)
    for index, volume in enumerate(spec.get("volumes", ())):
        yield from _check_name(f"{where}.volumes[{index}].name", volume.get("name"))


def _fixed(spec: Manifest, old: Manifest) -> Manifest:
    """The part of a pod's spec that can't change. The node can be set once: that is scheduling."""
    free = {"activeDeadlineSeconds", "tolerations"} | (set() if old.get("nodeName") else {"nodeName"})
    fixed = {name: value for name, value in spec.items() if name not in free}
    for part in ("initContainers", "containers"):
        fixed[part] = [
            {name: value for name, value in container.items() if name != "image"} for container in spec.get(part, ())
        ]
    return fixed


def _check_container(
    field: str, container: Manifest, volumes: set[str | None], seen: set[str]
) -> Iterator[FieldProblem]:
    name = container.get("name")
    yield from _check_name(f"{field}.name", name)
    if name in seen:
        yield FieldProblem.duplicate(f"{field}.name", name)
    seen.add(str(name))
    if not container.get("image"):
        yield FieldProblem.required(f"{field}.image")
    if container["imagePullPolicy"] not in _PULL_POLICIES:
        yield FieldProblem.not_supported(f"{field}.imagePullPolicy", container["imagePullPolicy"], _PULL_POLICIES)
    for index, port in enumerate(container.get("ports", ())):
        yield from _check_port(f"{field}.ports[{index}].containerPort", port.get("containerPort"))
    for index, variable in enumerate(container.get("env", ())):
        if not variable.get("name"):
            yield FieldProblem.required(f"{field}.env[{index}].name")
        if variable.get("value") and variable.get("valueFrom"):
            yield FieldProblem.invalid(
                f"{field}.env[{index}].valueFrom", "", "may not be specified when `value` is not empty"
            )
    for index, mount in enumerate(container.get("volumeMounts", ())):
        if mount.get("name") not in volumes:
            yield FieldProblem(
                f"{field}.volumeMounts[{index}].name", "FieldValueNotFound", f'Not found: "{mount.get("name")}"'
            )
        if not mount.get("mountPath"):
            yield FieldProblem.required(f"{field}.volumeMounts[{index}].mountPath")


def _check_name(field: str, name: str | None) -> Iterator[FieldProblem]:
    if not name:
        yield FieldProblem.required(field)
    elif len(name) > 63 or not DNS_LABEL.fullmatch(name):
        yield FieldProblem.invalid(field, name, LABEL_RULE)


def _check_port(field: str, port: int | None) -> Iterator[FieldProblem]:
    if port is None:
        yield FieldProblem.required(field)
    elif not 0 < port < 65536:
        yield FieldProblem.invalid(field, port, "must be between 1 and 65535, inclusive")
