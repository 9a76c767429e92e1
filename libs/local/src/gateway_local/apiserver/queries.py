"""Lists: selectors, pages that belong together, and versions of the past. No wire format.

Continue tokens hold the version of the first page, and later pages are read as of that version; when the history no
longer reaches back, the answer is 410 with a token that goes on as of now (k8s.io/apiserver/pkg/storage/continue.go).
"""

import base64
import binascii
from dataclasses import dataclass
from typing import Any

import orjson

from gateway_local.apiserver.errors import StatusError, bad_request, expired, too_large_version
from gateway_local.apiserver.kinds import Kind
from gateway_local.apiserver.messages import Query
from gateway_local.apiserver.selectors import (
    FieldSelector,
    LabelPredicate,
    match_everything,
    parse_field_selector,
    parse_label_selector,
)
from gateway_local.apiserver.storage import Compacted, Storage, Stored

_TOO_OLD = "The provided continue parameter is too old to display a consistent list result. "
_CONTINUE_TOO_OLD = (
    _TOO_OLD + "You can start a new list without the continue parameter, or use the continue token in this response "
    "to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - "
    "objects that were created, modified, or deleted between the time the first chunk was returned and now may show "
    "up in the list."
)
_AS_OF_NOW = -1


@dataclass(frozen=True, slots=True)
class Selection:
    """Which objects of a kind somebody wants to see."""

    labels: LabelPredicate
    fields: FieldSelector

    def __call__(self, stored: Stored) -> bool:
        return self.labels(stored.labels) and (not self.fields or self.fields(stored.object))

    @property
    def is_everything(self) -> bool:
        return self.labels is match_everything and not self.fields


def parse_selection(kind: Kind, query: Query) -> Selection:
    """The selectors of a request. `StatusError` 400."""
    return Selection(
        parse_label_selector(query.get("labelSelector", "")),
        parse_field_selector(query.get("fieldSelector", ""), kind.selectable),
    )


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list, or all of it."""

    items: list[Stored]
    version: int
    continue_token: str = ""
    remaining: int | None = None

    def metadata(self) -> dict[str, Any]:
        metadata: dict[str, Any] = {"resourceVersion": str(self.version)}
        if self.continue_token:
            metadata["continue"] = self.continue_token
        if self.remaining:
            metadata["remainingItemCount"] = self.remaining
        return metadata


def parse_version(text: str) -> int:
    """A resourceVersion: digits. `StatusError` 400."""
    if not text.isdigit():
        raise bad_request(f'Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax')
    return int(text)


def invalid_list_options(field: str, why: str) -> StatusError:
    details = {
        "group": "meta.k8s.io",
        "kind": "ListOptions",
        "causes": [{"reason": "FieldValueForbidden", "message": f"Forbidden: {why}", "field": field}],
    }
    message = f'ListOptions.meta.k8s.io "" is invalid: {field}: Forbidden: {why}'
    return StatusError(422, "Invalid", message, details)


def list_page(storage: Storage, kind: Kind, namespace: str | None, query: Query) -> Page:
    """The page that a request asks for. `StatusError` 400, 410, 422, 504."""
    selection = parse_selection(kind, query)
    limit = _parse_limit(query.get("limit", ""))
    table = storage.open(kind.key)
    start: tuple[str, str] | None = None
    if token := query.get("continue", ""):
        if query.get("resourceVersion", "") not in ("", "0"):
            raise bad_request("specifying resource version is not allowed when using continue")
        version, start = _read_token(token)
        if version == _AS_OF_NOW:
            version = storage.version
    else:
        version = _version_of(storage, query, limit)
    try:
        objects = table.snapshot(version, namespace)
    except Compacted as error:
        if start is None:
            raise expired("The resourceVersion for the provided list is too old.") from error
        raise expired(_CONTINUE_TOO_OLD, _make_token(_AS_OF_NOW, start)) from error
    if start is not None:
        objects = [stored for stored in objects if (stored.namespace, stored.name) > start]
    chosen = objects if selection.is_everything else [stored for stored in objects if selection(stored)]
    if not limit or len(chosen) <= limit:
        return Page(chosen, version)
    page = chosen[:limit]
    token = _make_token(version, (page[-1].namespace, page[-1].name))
    # with a selector, the real one does not count what is left
    return Page(page, version, token, len(chosen) - limit if selection.is_everything else None)


def _parse_limit(text: str) -> int:
    if text and not text.isdigit():
        raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    return int(text or 0)


def _version_of(storage: Storage, query: Query, limit: int) -> int:
    text, match = query.get("resourceVersion", ""), query.get("resourceVersionMatch", "")
    if match and not text:
        raise invalid_list_options(
            "resourceVersionMatch", "resourceVersionMatch is forbidden unless resourceVersion is provided"
        )
    if match not in ("", "Exact", "NotOlderThan"):
        raise invalid_list_options("resourceVersionMatch", "supported values: Exact, NotOlderThan")
    wanted = parse_version(text) if text else 0
    if match == "Exact" and wanted == 0:
        raise invalid_list_options(
            "resourceVersionMatch", 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
        )
    if wanted > storage.version:
        raise too_large_version(wanted, storage.version)
    exact = match == "Exact" or (not match and limit and wanted)
    return wanted if exact else storage.version


def _make_token(version: int, start: tuple[str, str]) -> str:
    body = {"v": "meta.k8s.io/v1", "rv": version, "start": "/".join(start) + "\0"}
    return base64.urlsafe_b64encode(orjson.dumps(body)).decode().rstrip("=")


def _read_token(token: str) -> tuple[int, tuple[str, str]]:
    try:
        body = orjson.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        namespace, slash, name = body["start"].removesuffix("\0").rpartition("/")
        if body["v"] != "meta.k8s.io/v1" or not slash:
            raise ValueError(body)
        return int(body["rv"]), (namespace, name)
    except (binascii.Error, ValueError, KeyError, TypeError, AttributeError) as error:
        raise bad_request("continue key is not valid") from error
