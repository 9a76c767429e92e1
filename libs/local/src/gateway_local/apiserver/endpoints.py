"""What can be asked about objects: one method for each verb, from a request to an answer."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from gateway_common.resources import Manifest
from gateway_local.apiserver.deletion import DeleteOptions, parse_delete_options
from gateway_local.apiserver.errors import (
    StatusError,
    bad_request,
    method_not_allowed,
    no_such_path,
)
from gateway_local.apiserver.kinds import Kind
from gateway_local.apiserver.mergepatch import apply_json_patch, merge
from gateway_local.apiserver.messages import Answer, Request, Response, Stream, json_response
from gateway_local.apiserver.operations import Operations, WriteOptions
from gateway_local.apiserver.podlogs import LogSource, pod_log
from gateway_local.apiserver.queries import list_page, parse_selection
from gateway_local.apiserver.representations import Representation, negotiate
from gateway_local.apiserver.scale import build_scale, scaling
from gateway_local.apiserver.storage import Storage, Stored
from gateway_local.apiserver.strategic import strategic_merge
from gateway_local.apiserver.watching import parse_watch_options, watch

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_YAML = "application/apply-patch+yaml"

_FIELD_VALIDATION = ("Ignore", "Warn", "Strict")


@dataclass(frozen=True, slots=True)
class Target:
    """What a path names. `namespace` is None for all; `name` and `subresource` may be empty."""

    kind: Kind
    namespace: str | None
    name: str
    subresource: str

    @property
    def scope(self) -> str:
        """The namespace under which the object is stored."""
        return self.namespace or ""


def classify_verb(method: str, target: Target, query: dict[str, str]) -> str:
    """The API's verb for a method on a path, "" where there is none."""
    if target.name:
        verbs = {"GET": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
        if target.subresource == "log":
            verbs = {"GET": "get"}
        elif target.subresource:
            del verbs["DELETE"]
        return verbs.get(method, "")
    whole_collection = not target.kind.namespaced or target.namespace is not None
    if method == "GET":
        return "watch" if query.get("watch", "").lower() in ("true", "1") else "list"
    if not whole_collection:
        return ""
    return {"POST": "create", "DELETE": "deletecollection"}.get(method, "")


class Endpoints:
    """Answers requests about objects. `log_source` says where pods' logs are."""

    def __init__(self, storage: Storage, operations: Operations) -> None:
        self._storage = storage
        self._operations = operations
        self.log_source: LogSource | None = None
        self.bookmark_interval = 60.0
        self._verbs: dict[str, Callable[[Target, Request], Answer]] = {
            "get": self._get,
            "list": self._list,
            "watch": self._watch,
            "create": self._create,
            "update": self._update,
            "patch": self._patch,
            "delete": self._delete,
            "deletecollection": self._delete_collection,
        }

    async def answer(self, verb: str, target: Target, request: Request) -> Answer:
        """Do what a verb asks. Raises `StatusError`."""
        if target.subresource == "log" and target.kind.key == ("", "pods"):
            pod = self._operations.get(target.kind, target.scope, target.name)
            return await pod_log(self.log_source, pod, request.query)
        if target.subresource and not _has_subresource(target):
            raise no_such_path()
        if not verb:
            raise method_not_allowed()
        return self._verbs[verb](target, request)

    def _get(self, target: Target, request: Request) -> Answer:
        stored = self._operations.get(target.kind, target.scope, target.name)
        return _written(target, request, stored)

    def _list(self, target: Target, request: Request) -> Answer:
        representation = _representation(target, request)
        page = list_page(self._storage, target.kind, target.namespace, request.query)
        return Response(representation.many(page.items, page.metadata()))

    def _watch(self, target: Target, request: Request) -> Answer:
        representation = _representation(target, request)
        options = parse_watch_options(target.kind, target.namespace, request.query)
        options = replace(options, bookmark_interval=self.bookmark_interval)
        events = watch(self._storage, target.kind, options, representation.one, representation.key)
        return Stream(events, watched=target.kind.plural)

    def _create(self, target: Target, request: Request) -> Answer:
        options = _write_options(request)
        stored = self._operations.create(target.kind, target.scope, request.manifest(), options)
        return _written(target, request, stored, 201, options)

    def _update(self, target: Target, request: Request) -> Answer:
        options = _write_options(request)
        if target.subresource == "scale":
            scale = request.manifest()
            return self._scale(target, request, lambda _: scale, options)
        stored = self._operations.update(
            target.kind, target.scope, target.name, request.manifest(), options, target.subresource
        )
        return _written(target, request, stored, 200, options)

    def _patch(self, target: Target, request: Request) -> Answer:
        kind = target.kind
        options = _write_options(request)
        accepted: tuple[str, ...] = (JSON_PATCH, MERGE_PATCH, APPLY_YAML)
        if not kind.is_custom:
            accepted = (JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, APPLY_YAML)
        elif target.subresource == "scale":
            accepted = (JSON_PATCH, MERGE_PATCH)
        if request.media_type == APPLY_YAML and APPLY_YAML in accepted:
            return self._apply(target, request, options)
        if options.force:
            raise _bad_patch_options("force: Forbidden: may not be specified for non-apply patch")
        patch = request.document(accepted) if request.media_type else request.document(())
        if request.media_type == JSON_PATCH:
            transform = _checked(lambda document: apply_json_patch(document, patch))
        elif not isinstance(patch, dict):
            raise bad_request("error decoding patch: a merge patch is an object")
        elif request.media_type == MERGE_PATCH:
            transform = _checked(lambda document: merge(document, patch))
        else:
            transform = _checked(lambda document: strategic_merge(kind.schema, document, patch))
        if target.subresource == "scale":
            return self._scale(target, request, transform, options)
        stored = self._operations.patch(kind, target.scope, target.name, transform, options, target.subresource)
        return _written(target, request, stored, 200, options)

    def _scale(
        self, target: Target, request: Request, change: Callable[[Manifest], Manifest], options: WriteOptions
    ) -> Answer:
        transform = scaling(target.kind, change)
        stored = self._operations.patch(target.kind, target.scope, target.name, transform, options)
        return _written(target, request, stored, 200, options)

    def _apply(self, target: Target, request: Request, options: WriteOptions) -> Answer:
        if not request.query.get("fieldManager"):
            raise _bad_patch_options("fieldManager: Required value: is required for apply patch")
        manifest = request.manifest((APPLY_YAML,))
        for name in ("apiVersion", "kind"):
            if not manifest.get(name):
                raise bad_request(f"error decoding patch: {name} must be set")
        stored, is_new = self._operations.apply(
            target.kind, target.scope, target.name, manifest, options, target.subresource
        )
        return _written(target, request, stored, 201 if is_new else 200, options)

    def _delete(self, target: Target, request: Request) -> Answer:
        options = _delete_options(request)
        stored, is_gone = self._operations.delete(target.kind, target.scope, target.name, options)
        if not is_gone:
            return _written(target, request, stored)
        details = {
            "name": stored.name,
            "group": target.kind.group,
            "kind": target.kind.plural,
            "uid": stored.uid,
        }
        return json_response(
            {
                "kind": "Status",
                "apiVersion": "v1",
                "metadata": {},
                "status": "Success",
                "details": {key: value for key, value in details.items() if value},
            }
        )

    def _delete_collection(self, target: Target, request: Request) -> Answer:
        options = _delete_options(request)
        selection = parse_selection(target.kind, request.query)
        table = self._storage.open(target.kind.key)
        chosen = [s for s in table.snapshot(self._storage.version, target.namespace) if selection(s)]
        for stored in chosen:
            self._operations.delete(target.kind, stored.namespace, stored.name, options)
        metadata = {"resourceVersion": str(self._storage.version)}
        return Response(_representation(target, request).many(chosen, metadata))


def _has_subresource(target: Target) -> bool:
    kind = target.kind
    return (target.subresource == "status" and kind.has_status) or (target.subresource == "scale" and bool(kind.scale))


def _representation(target: Target, request: Request) -> Representation:
    form = negotiate(request.headers.get("accept", ""))
    return Representation(target.kind, form, request.query.get("includeObject", "Metadata"))


def _written(
    target: Target, request: Request, stored: Stored, status: int = 200, options: WriteOptions | None = None
) -> Response:
    warnings = options.warnings if options else []
    headers = tuple(("warning", f'299 - "{_quoted(text)}"') for text in warnings)
    if target.subresource == "scale":
        return replace(json_response(build_scale(target.kind, stored.object), status), headers=headers)
    return Response(_representation(target, request).one(stored), status, headers=headers)


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _checked(transform: Callable[[Manifest], Any]) -> Callable[[Manifest], Manifest]:
    """A patch's function, whose result has to be an object still."""

    def checked(document: Manifest) -> Manifest:
        result = transform(document)
        if not isinstance(result, dict) or not isinstance(result.get("metadata"), dict):
            raise bad_request("the patched document is not an object")
        return result

    return checked


def _write_options(request: Request) -> WriteOptions:
    query = request.query
    validation = query.get("fieldValidation") or "Warn"
    if validation not in _FIELD_VALIDATION:
        choices = ", ".join(f'"{choice}"' for choice in _FIELD_VALIDATION)
        raise _bad_options(request, f'fieldValidation: Unsupported value: "{validation}": supported values: {choices}')
    manager = query.get("fieldManager") or request.headers.get("user-agent", "unknown").partition("/")[0]
    if len(manager) > 128:
        raise _bad_options(request, f'fieldManager: Too long: may not be more than 128 bytes: "{manager}"')
    return WriteOptions(
        manager=manager,
        dry_run=_dry_run(request),
        force=query.get("force", "").lower() in ("true", "1"),
        field_validation=validation,
    )


def _dry_run(request: Request) -> bool:
    text = request.query.get("dryRun", "")
    if text not in ("", "All"):
        raise _bad_options(request, f'dryRun: Unsupported value: "{text}": supported values: "All"')
    return text == "All"


def _bad_options(request: Request, why: str) -> StatusError:
    kind = {"POST": "CreateOptions", "PUT": "UpdateOptions"}.get(request.method, "PatchOptions")
    message = f'{kind}.meta.k8s.io "" is invalid: {why}'
    return StatusError(422, "Invalid", message, {"group": "meta.k8s.io", "kind": kind})


def _bad_patch_options(why: str) -> StatusError:
    message = f'PatchOptions.meta.k8s.io "" is invalid: {why}'
    return StatusError(422, "Invalid", message, {"group": "meta.k8s.io", "kind": "PatchOptions"})


def _delete_options(request: Request) -> DeleteOptions:
    """From the body, or where there is none from the query."""
    if request.body:
        raw = request.manifest()
    else:
        query = request.query
        raw = {name: query[name] for name in ("propagationPolicy",) if query.get(name)}
        if grace := query.get("gracePeriodSeconds"):
            raw["gracePeriodSeconds"] = int(grace) if grace.isdigit() else grace
        if "orphanDependents" in query:
            raw["orphanDependents"] = query["orphanDependents"] == "true"
    if request.query.get("dryRun"):
        raw = {**raw, "dryRun": [request.query["dryRun"]]}
    return parse_delete_options(raw)
