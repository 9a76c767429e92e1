"""Requests and answers, free of any web framework."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
import yaml

from gateway_common.resources import Manifest
from gateway_local.apiserver import protobuf
from gateway_local.apiserver.errors import StatusError, bad_request, unsupported_media_type

Query = Mapping[str, str]

JSON = "application/json"
YAML = "application/yaml"


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, its body read. Header names are in lower case; of a repeated query key the first counts."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def media_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def document(self, accepted: tuple[str, ...] = (JSON, YAML, protobuf.MEDIA_TYPE)) -> Any:
        """The body, decoded. `StatusError` 415 for other media types, 400 for what is not what it says it is."""
        media_type = self.media_type or JSON
        if media_type not in accepted:
            raise unsupported_media_type(accepted)
        try:
            if media_type.endswith("yaml"):
                # what YAML can say and JSON can't is refused; its dates become texts
                return orjson.loads(orjson.dumps(yaml.safe_load(self.body)))
            if media_type == protobuf.MEDIA_TYPE:
                return protobuf.decode(self.body)
            return orjson.loads(self.body)
        except protobuf.NotUnderstood as error:
            raise bad_request(f"unable to decode protobuf: {error}") from error
        except (orjson.JSONDecodeError, orjson.JSONEncodeError, yaml.YAMLError) as error:
            raise bad_request(f"couldn't get version/kind; json parse error: {error}") from error

    def manifest(self, accepted: tuple[str, ...] = (JSON, YAML, protobuf.MEDIA_TYPE)) -> Manifest:
        """The body, which has to be an object."""
        document = self.document(accepted)
        if not isinstance(document, dict):
            raise bad_request("couldn't get version/kind; json parse error: the body is not an object")
        return document


@dataclass(frozen=True, slots=True)
class Response:
    """An answer that is there as a whole."""

    body: bytes
    status: int = 200
    media_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Stream:
    """An answer that comes piece by piece."""

    pieces: AsyncIterator[bytes]
    media_type: str = JSON
    watched: str = field(default="", kw_only=True)
    """The resource whose watch this is."""


Answer = Response | Stream


def json_response(document: object, status: int = 200) -> Response:
    return Response(orjson.dumps(document), status)


def error_response(error: StatusError) -> Response:
    headers: tuple[tuple[str, str], ...] = ()
    if error.retry_after is not None:
        headers = (("retry-after", str(error.retry_after)),)
    return Response(orjson.dumps(error.body()), error.code, headers=headers)
