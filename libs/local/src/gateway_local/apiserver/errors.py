"""What goes wrong, as the `Status` objects that Kubernetes answers.

Messages and details follow k8s.io/apimachinery/pkg/api/errors, because clients (kubectl, client-go) read them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


class StatusError(Exception):
    """An answer other than success: the HTTP code, a reason in one word, and a message for people.

    A few errors have no reason (""), because Kubernetes has none for them.
    """

    def __init__(self, code: int, reason: str, message: str, details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details or {}

    @property
    def retry_after(self) -> int | None:
        """Seconds that a client should wait before it tries again."""
        seconds = self.details.get("retryAfterSeconds")
        return int(seconds) if seconds is not None else None

    def body(self) -> dict[str, Any]:
        """The error as a `Status` object."""
        status: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            status["reason"] = self.reason
        if token := self.details.get("continue"):
            status["metadata"] = {"continue": token}
        if details := {key: value for key, value in self.details.items() if key != "continue"}:
            status["details"] = details
        status["code"] = self.code
        return status


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """Something wrong with one field of an object, as k8s.io/apimachinery/pkg/util/validation/field words it."""

    field: str
    reason: str
    message: str

    @classmethod
    def required(cls, field: str, detail: str = "") -> "FieldProblem":
        return cls(field, "FieldValueRequired", f"Required value{': ' if detail else ''}{detail}")

    @classmethod
    def invalid(cls, field: str, value: object, detail: str) -> "FieldProblem":
        return cls(field, "FieldValueInvalid", f"Invalid value: {go_value(value)}: {detail}")

    @classmethod
    def not_supported(cls, field: str, value: object, supported: Sequence[object]) -> "FieldProblem":
        choices = ", ".join(go_value(choice) for choice in supported)
        return cls(
            field, "FieldValueNotSupported", f"Unsupported value: {go_value(value)}: supported values: {choices}"
        )

    @classmethod
    def forbidden(cls, field: str, detail: str) -> "FieldProblem":
        return cls(field, "FieldValueForbidden", f"Forbidden: {detail}")

    @classmethod
    def duplicate(cls, field: str, value: object) -> "FieldProblem":
        return cls(field, "FieldValueDuplicate", f"Duplicate value: {go_value(value)}")

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


def go_value(value: object) -> str:
    """A value as Go's field errors print it."""
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    if isinstance(value, dict | list):
        return '"object"' if isinstance(value, dict) else '"array"'
    return str(value)


def qualified(plural: str, group: str) -> str:
    return f"{plural}.{group}" if group else plural


def _about(plural: str, group: str, name: str) -> dict[str, Any]:
    details = {"name": name, "group": group, "kind": plural}
    return {key: value for key, value in details.items() if value}


def not_found(plural: str, group: str, name: str) -> StatusError:
    return StatusError(404, "NotFound", f'{qualified(plural, group)} "{name}" not found', _about(plural, group, name))


def no_such_path() -> StatusError:
    return StatusError(404, "NotFound", "the server could not find the requested resource")


def already_exists(plural: str, group: str, name: str) -> StatusError:
    return StatusError(
        409, "AlreadyExists", f'{qualified(plural, group)} "{name}" already exists', _about(plural, group, name)
    )


STALE = "the object has been modified; please apply your changes to the latest version and try again"


def conflict(plural: str, group: str, name: str, why: str = STALE) -> StatusError:
    message = f'Operation cannot be fulfilled on {qualified(plural, group)} "{name}": {why}'
    return StatusError(409, "Conflict", message, _about(plural, group, name))


def invalid(kind: str, group: str, name: str, problems: Sequence[FieldProblem]) -> StatusError:
    """422: the object as a whole was understood, and is not acceptable."""
    texts = [str(problem) for problem in problems]
    joined = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    title = f"{kind}.{group}" if group else kind
    causes = [{"reason": p.reason, "message": p.message, "field": p.field} for p in problems]
    return StatusError(
        422, "Invalid", f'{title} "{name}" is invalid: {joined}', {**_about(kind, group, name), "causes": causes}
    )


def bad_request(message: str) -> StatusError:
    return StatusError(400, "BadRequest", message)


def forbidden(plural: str, group: str, name: str, why: str) -> StatusError:
    message = f'{qualified(plural, group)} "{name}" is forbidden: {why}'
    return StatusError(403, "Forbidden", message, _about(plural, group, name))


def method_not_allowed() -> StatusError:
    return StatusError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")


def unsupported_media_type(accepted: Sequence[str]) -> StatusError:
    return StatusError(
        415,
        "UnsupportedMediaType",
        f"the body of the request was in an unknown format - accepted media types include: {', '.join(accepted)}",
    )


def not_acceptable(offered: Sequence[str]) -> StatusError:
    return StatusError(406, "NotAcceptable", f"only the following media types are accepted: {', '.join(offered)}")


def unauthorized() -> StatusError:
    return StatusError(401, "Unauthorized", "Unauthorized")


def expired(message: str, continue_token: str = "") -> StatusError:
    return StatusError(410, "Expired", message, {"continue": continue_token} if continue_token else None)


def too_large_version(wanted: int, current: int) -> StatusError:
    """A client that knows a newer resourceVersion than this server has."""
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    return StatusError(
        504,
        "Timeout",
        f"Timeout: Too large resource version: {wanted}, current: {current}",
        {"causes": [cause], "retryAfterSeconds": 1},
    )
