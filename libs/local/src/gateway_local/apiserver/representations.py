"""The forms in which a client may ask for objects: as they are, as tables for people, or their metadata alone.

Content negotiation as in k8s.io/apiserver/pkg/endpoints/handlers/negotiation: the first of the accepted media types
that the server has.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from gateway_local.apiserver.errors import not_acceptable
from gateway_local.apiserver.kinds import Column, Kind
from gateway_local.apiserver.storage import Stored

Document = dict[str, Any]

_OFFERED = ("application/json", "application/json;as=Table;v=v1;g=meta.k8s.io")
_DEFAULT_COLUMNS = (
    Column("Name", "string", lambda manifest: manifest["metadata"]["name"]),
    Column("Created At", "date", lambda manifest: manifest["metadata"]["creationTimestamp"]),
)


def negotiate(accept: str) -> str:
    """ "json", "Table", "PartialObjectMetadata" or "APIGroupDiscoveryList". `StatusError` 406 for none of them."""
    for part in (accept or "*/*").split(","):
        media_type, *parameters = (piece.strip() for piece in part.split(";"))
        if media_type not in ("application/json", "application/*", "*/*"):
            continue
        settings = dict(parameter.split("=", 1) for parameter in parameters if "=" in parameter)
        form = settings.get("as", "").removesuffix("List")
        if not form:
            return "json"
        if form in ("Table", "PartialObjectMetadata") and settings.get("v") == "v1":
            return form
        if form == "APIGroupDiscovery" and settings.get("v") == "v2":
            return "APIGroupDiscoveryList"
    raise not_acceptable(_OFFERED)


@dataclass(frozen=True, slots=True)
class Representation:
    """How objects of a kind are written for one request. `include` is for tables: None, Metadata or Object."""

    kind: Kind
    form: str = "json"
    include: str = "Metadata"

    @property
    def key(self) -> str:
        """Equal for requests whose objects look the same."""
        return f"{self.form}/{self.include}" if self.form == "Table" else self.form

    def one(self, stored: Stored) -> bytes:
        if self.form == "Table":
            return orjson.dumps(self._table([stored], {"resourceVersion": str(stored.version)}))
        if self.form == "PartialObjectMetadata":
            return orjson.dumps(_metadata_only(stored))
        return stored.json

    def many(self, items: Sequence[Stored], metadata: Document) -> bytes:
        if self.form == "Table":
            return orjson.dumps(self._table(items, metadata))
        if self.form == "PartialObjectMetadata":
            head = {"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": metadata}
            return orjson.dumps({**head, "items": [_metadata_only(stored) for stored in items]})
        head = {"kind": self.kind.list_kind, "apiVersion": self.kind.api_version, "metadata": metadata}
        return orjson.dumps(head)[:-1] + b',"items":[' + b",".join([stored.json for stored in items]) + b"]}"

    def _table(self, items: Sequence[Stored], metadata: Document) -> Document:
        columns = self.kind.columns or _DEFAULT_COLUMNS
        return {
            "kind": "Table",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": metadata,
            "columnDefinitions": [
                {
                    "name": column.name,
                    "type": column.type,
                    "format": "name" if column.name == "Name" else "",
                    "description": "",
                    "priority": column.priority,
                }
                for column in columns
            ],
            "rows": [
                {"cells": [column.value(stored.object) for column in columns], **self._included(stored)}
                for stored in items
            ],
        }

    def _included(self, stored: Stored) -> Document:
        if self.include == "None":
            return {}
        return {"object": stored.object if self.include == "Object" else _metadata_only(stored)}


def _metadata_only(stored: Stored) -> Document:
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": stored.object["metadata"],
    }
