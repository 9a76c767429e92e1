"""Objects in Kubernetes' protobuf form, as far as typed Go clients (Helm keeps its releases by one) send them. No I/O.

The envelope is k8s.io/apimachinery/pkg/runtime/serializer/protobuf; the numbers of the fields are those of the
`generated.proto` of k8s.io/api/core/v1 and k8s.io/apimachinery/pkg/apis/meta/v1. Answers are JSON, which these clients
take as well.
"""

import base64
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from gateway_common.resources import Manifest

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\0"
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

#: What is on the wire: a number, or bytes that may be a text, bytes, a map's entry or a message.
_Raw = int | bytes
_Decode = Callable[[_Raw], Any]


class NotUnderstood(ValueError):
    """The bytes are no message, or one of a kind that is not known here."""


@dataclass(frozen=True, slots=True)
class _Field:
    """A field of a message. `gather` puts a further value to those that came before."""

    name: str
    decode: _Decode
    gather: Callable[[Any, Any], Any] | None = None


def decode(body: bytes) -> Manifest:
    """The object in a request's body. Raises NotUnderstood."""
    if not body.startswith(_MAGIC):
        raise NotUnderstood("the body does not begin as Kubernetes' protobuf does")
    try:
        envelope = _message(_UNKNOWN)(body[len(_MAGIC) :])
        about = envelope.get("typeMeta") or {}
        fields = _KINDS.get(about.get("kind", ""))
        if fields is None:
            raise NotUnderstood(f"objects of kind {about.get('kind')!r} are understood as JSON only")
        return {**about, **_message(fields)(envelope.get("raw", b""))}
    except (UnicodeDecodeError, OverflowError, OSError) as error:  # no text, no time
        raise NotUnderstood(str(error)) from error


def _entries(data: bytes) -> Iterator[tuple[int, _Raw]]:
    """(number, value) of each field on the wire (https://protobuf.dev/programming-guides/encoding/)."""
    position = 0
    while position < len(data):
        key, position = _read_varint(data, position)
        number, wire_type = key >> 3, key & 7
        if wire_type == _VARINT:
            value, position = _read_varint(data, position)
            yield number, value
            continue
        if wire_type == _BYTES:
            length, position = _read_varint(data, position)
        elif wire_type in (_FIXED64, _FIXED32):
            length = 8 if wire_type == _FIXED64 else 4
        else:
            raise NotUnderstood(f"wire type {wire_type} is not in use")
        if position + length > len(data):
            raise NotUnderstood("the message is cut off")
        yield number, data[position : position + length]
        position += length


def _read_varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while position < len(data) and shift < 64:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
    raise NotUnderstood("a number is cut off")


def _message(fields: Mapping[int, _Field]) -> _Decode:
    """A decoder of messages with these fields, by number. What is not among them is left out, as protobuf has it.

    So are empty texts: Go writes them into protobuf for what it leaves out of JSON.
    """

    def decode_message(raw: _Raw) -> Manifest:
        found: Manifest = {}
        for number, value in _entries(_bytes(raw)):
            if (field := fields.get(number)) and (decoded := field.decode(value)) not in ("", None):
                found[field.name] = field.gather(found.get(field.name), decoded) if field.gather else decoded
        return found

    return decode_message


def _bytes(raw: _Raw) -> bytes:
    if not isinstance(raw, bytes):
        raise NotUnderstood("a number is where bytes have to be")
    return raw


def _text(raw: _Raw) -> str:
    return _bytes(raw).decode()


def _base64(raw: _Raw) -> str:
    return base64.b64encode(_bytes(raw)).decode()


def _integer(raw: _Raw) -> int:
    if not isinstance(raw, int):
        raise NotUnderstood("bytes are where a number has to be")
    return raw - (1 << 64) if raw >> 63 else raw


def _truth(raw: _Raw) -> bool:
    return bool(_integer(raw))


def _time(raw: _Raw) -> str | None:
    """RFC 3339; None for Go's zero time, which is an empty message or lies before our era."""
    seconds = _message({1: _Field("seconds", _integer)})(raw).get("seconds", 0)
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if seconds > 0 else None


def _one(name: str, decode: _Decode = _text) -> _Field:
    return _Field(name, decode)


def _list(name: str, decode: _Decode = _text) -> _Field:
    return _Field(name, decode, lambda before, value: [*(before or ()), value])


def _map(name: str, decode: _Decode = _text) -> _Field:
    entry = _message({1: _one("key"), 2: _one("value", decode)})

    def gather(before: Manifest | None, item: Manifest) -> Manifest:
        # what is empty is not on the wire
        return {**(before or {}), item.get("key", ""): item.get("value", "")}

    return _Field(name, entry, gather)


_UNKNOWN = {1: _one("typeMeta", _message({1: _one("apiVersion"), 2: _one("kind")})), 2: _one("raw", _bytes)}
_OWNER_REFERENCE = {
    1: _one("kind"),
    3: _one("name"),
    4: _one("uid"),
    5: _one("apiVersion"),
    6: _one("controller", _truth),
    7: _one("blockOwnerDeletion", _truth),
}
_METADATA = {
    1: _one("name"),
    2: _one("generateName"),
    3: _one("namespace"),
    5: _one("uid"),
    6: _one("resourceVersion"),
    7: _one("generation", _integer),
    8: _one("creationTimestamp", _time),
    9: _one("deletionTimestamp", _time),
    10: _one("deletionGracePeriodSeconds", _integer),
    11: _map("labels"),
    12: _map("annotations"),
    13: _list("ownerReferences", _message(_OWNER_REFERENCE)),
    14: _list("finalizers"),
}
_KINDS: Mapping[str, Mapping[int, _Field]] = {
    "ConfigMap": {
        1: _one("metadata", _message(_METADATA)),
        2: _map("data"),
        3: _map("binaryData", _base64),
        4: _one("immutable", _truth),
    },
    "Secret": {
        1: _one("metadata", _message(_METADATA)),
        2: _map("data", _base64),
        3: _one("type"),
        4: _map("stringData"),
        5: _one("immutable", _truth),
    },
    "DeleteOptions": {
        1: _one("gracePeriodSeconds", _integer),
        2: _one("preconditions", _message({1: _one("uid"), 2: _one("resourceVersion")})),
        3: _one("orphanDependents", _truth),
        4: _one("propagationPolicy"),
        5: _list("dryRun"),
    },
}
