"""The Kubernetes API: verbs on plain dicts. The only module that imports kr8s.

kr8s finds the configuration and authenticates; what it sends goes through `kube_transport`. Answers go from bytes
through orjson to the caller and never become kr8s objects, whose wrapping costs ten times the rest. No cache and no
rules of the gateway here.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import kr8s
from kr8s.asyncio import Api

from gateway_common.configuration.groups import KubeSettings
from gateway_common.errors import Invalid, KubeUnavailable
from gateway_common.kube_calls import Call, Caller, CallHook, Channel, Permit, resource_path
from gateway_common.kube_configuration import kr8s_configuration
from gateway_common.kube_decode import WatchEvent, parse_events
from gateway_common.kube_errors import error_from_transport
from gateway_common.kube_transport import AiohttpTransport
from gateway_common.resources import PODS, Resource
from gateway_common.token_bucket import TokenBucket

#: A Kubernetes object as JSON.
KubeObject = dict[str, Any]
KubeObjects = list[KubeObject]

MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
#: JSON is YAML, and older servers know no other media type for server-side apply.
APPLY_PATCH = "application/apply-patch+yaml"

#: A line may be of any length. The limit cuts off the end, which is what matters: it only guards against nonsense.
LONGEST_LOG = 1 << 20

_HEADERS = {
    # Also what the server records as the writer of a field.
    "User-Agent": "dask-gateway",
    # Unpacking costs more than the bytes of a network that is this near; and a watch is read as it comes.
    "Accept-Encoding": "identity",
}


class ObjectList(NamedTuple):
    """Objects as they were together at `resource_version`."""

    items: KubeObjects
    resource_version: str


class KubeClient:
    """Calls to one Kubernetes API server with one identity, from one event loop.

    Every method raises a KubeError. A call that never arrived, and one that may be repeated without harm, is
    repeated a few times; so is whatever the server refuses with 429 and a short Retry-After.
    """

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    @classmethod
    async def connect(
        cls, settings: KubeSettings, *, on_call: CallHook | None = None, permit: Permit | None = None
    ) -> "KubeClient":
        """Load configuration and credentials. The server itself is not asked yet: it may be away.

        `permit` is asked each time before something is sent that may change an object, and raises to prevent it.
        Raises KubeUnavailable if there is no usable configuration.
        """
        open_session = partial(_Kr8sSession.open, settings)
        requests = await Channel.open(open_session)
        try:
            watches = await Channel.open(open_session)
        except BaseException:
            await requests.close()
            raise
        rate = settings.rate_limit
        limit = TokenBucket(rate, settings.rate_limit_burst) if rate else None
        timeout = settings.request_timeout
        return cls(Caller(requests, watches, timeout=timeout, limit=limit, on_call=on_call, permit=permit))

    async def close(self) -> None:
        """Close all connections, those of running watches too."""
        await self._caller.close()

    async def get(self, resource: Resource, name: str, *, namespace: str | None = None) -> KubeObject:
        return await self._call("get", "GET", resource, resource_path(resource, namespace, name))

    async def list(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        label_selector: str = "",
        field_selector: str = "",
        page_size: int = 500,
    ) -> ObjectList:
        """All objects of a namespace, or of all namespaces."""
        items: KubeObjects = []
        version = ""
        async for page in self.pages(
            resource,
            namespace=namespace,
            label_selector=label_selector,
            field_selector=field_selector,
            page_size=page_size,
        ):
            items += page.items
            version = page.resource_version
        return ObjectList(items, version)

    async def pages(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        label_selector: str = "",
        field_selector: str = "",
        page_size: int = 500,
    ) -> AsyncGenerator[ObjectList, None]:
        """The same page by page, for those who keep little of each object. All pages show one moment.

        Raises Expired when reading takes so long that the server has forgotten that moment (5 minutes).
        """
        params = _present(labelSelector=label_selector, fieldSelector=field_selector, limit=page_size)
        identity = {"apiVersion": resource.api_version, "kind": resource.kind}
        while True:
            answer = await self._call("list", "GET", resource, resource.path(namespace), params=params)
            metadata = answer["metadata"]
            # Built-in kinds come without these two in a list, but with them everywhere else.
            items = [{**identity, **item} for item in answer.get("items") or ()]
            yield ObjectList(items, metadata.get("resourceVersion", ""))
            if not metadata.get("continue"):
                return
            params = {**params, "continue": metadata["continue"]}

    async def create(
        self,
        resource: Resource,
        manifest: Mapping[str, Any],
        *,
        namespace: str | None = None,
        dry_run: bool = False,
    ) -> KubeObject:
        """Raises AlreadyExists. Not repeated once sent: after KubeUnavailable the object may be there."""
        path = resource_path(resource, namespace or manifest["metadata"].get("namespace"))
        params = _present(dryRun="All" if dry_run else "")
        return await self._call("create", "POST", resource, path, params=params, body=manifest, idempotent=dry_run)

    async def patch(
        self,
        resource: Resource,
        name: str,
        patch: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        *,
        namespace: str | None = None,
        subresource: str = "",
    ) -> KubeObject:
        """A mapping is a merge patch (RFC 7386), a sequence a JSON patch (RFC 6902)."""
        merge = isinstance(patch, Mapping)
        path = resource_path(resource, namespace, name, subresource)
        media = MERGE_PATCH if merge else JSON_PATCH
        return await self._call("patch", "PATCH", resource, path, body=patch, content_type=media, idempotent=merge)

    async def apply(
        self,
        resource: Resource,
        manifest: Mapping[str, Any],
        *,
        field_manager: str,
        namespace: str | None = None,
        force: bool = False,
    ) -> KubeObject:
        """Server-side apply. Raises Conflict where another manager owns a field, unless `force`."""
        metadata = manifest["metadata"]
        path = resource_path(resource, namespace or metadata.get("namespace"), metadata["name"])
        params = _present(fieldManager=field_manager, force="true" if force else "")
        body = {"apiVersion": resource.api_version, "kind": resource.kind, **manifest}
        return await self._call("apply", "PATCH", resource, path, params=params, body=body, content_type=APPLY_PATCH)

    async def delete(
        self,
        resource: Resource,
        name: str,
        *,
        namespace: str | None = None,
        uid: str = "",
        grace_period_seconds: int | None = None,
        propagation_policy: str = "",
    ) -> None:
        """With `uid`, raises Conflict if the object of that name is another one by now."""
        options = _present(
            preconditions={"uid": uid} if uid else None,
            gracePeriodSeconds=grace_period_seconds,
            propagationPolicy=propagation_policy,
        )
        await self._call("delete", "DELETE", resource, resource_path(resource, namespace, name), body=options or None)

    async def delete_collection(self, resource: Resource, *, namespace: str, label_selector: str) -> None:
        """Delete every object that the selector selects. An empty one, which selects all, raises Invalid."""
        if not label_selector:
            raise Invalid(f"deleting {resource.plural} by selector takes a selector")
        params = {"labelSelector": label_selector}
        await self._call("deletecollection", "DELETE", resource, resource_path(resource, namespace), params=params)

    async def pod_log(self, name: str, *, namespace: str, container: str, tail_lines: int) -> str:
        """The last lines that a container has written, at most `LONGEST_LOG` bytes of them.

        Of one that is between two runs those of the last one. Raises Invalid while there is none. Not repeated: the
        server asks the pod's node, which may be what is broken.
        """
        params = {"container": container, "tailLines": tail_lines, "limitBytes": LONGEST_LOG}
        path = resource_path(PODS, namespace, name, "log")
        text: str = await self._caller.call(Call("log", "GET", PODS, path, params, idempotent=False, is_text=True))
        return text

    @asynccontextmanager
    async def watch(
        self,
        resource: Resource,
        *,
        resource_version: str,
        timeout_seconds: int,
        silence_seconds: float,
        namespace: str | None = None,
        label_selector: str = "",
    ) -> AsyncGenerator[AsyncIterator[WatchEvent], None]:
        """Changes after `resource_version`, with bookmarks; entered once the server has accepted the watch.

        The server ends the stream after `timeout_seconds`. A connection that brings nothing for `silence_seconds`
        is taken for dead and raises KubeUnavailable: a healthy server sends a bookmark about once a minute.
        """
        params = _present(
            labelSelector=label_selector,
            watch="true",
            allowWatchBookmarks="true",
            resourceVersion=resource_version,
            timeoutSeconds=timeout_seconds,
        )
        call = Call("watch", "GET", resource, resource.path(namespace), params)
        async with self._caller.stream(call, silence_seconds) as response:
            yield parse_events(response.aiter_raw())

    async def _call(self, verb: str, method: str, resource: Resource, path: str, **options: Any) -> KubeObject:
        answer: KubeObject = await self._caller.call(Call(verb, method, resource, path, **options))
        return answer


class _Kr8sSession:
    """A kr8s Api that is ours alone, with its HTTP session; the one place that knows kr8s' inside (0.20.15).

    `kr8s.api()` would hand the same object to everyone who asks with the same arguments, and would ask for the
    server's version and warn about it. `call_api` answers a 401 or 403 by closing the session under all calls in
    flight unless it is told not to look at the status, and two first calls at once close each other's session
    unless it is there before.
    """

    def __init__(self, api: Api) -> None:
        self._api = api
        self._closed = False

    @classmethod
    async def open(cls, settings: KubeSettings) -> "_Kr8sSession":
        try:
            api = Api(bypass_factory=True, **kr8s_configuration(settings))
            await api.auth
            await api._create_session()
            await _replace_transport(api)
            _remove_temporary_files(api.auth)
        except Exception as error:  # files, YAML, programs that print credentials: kr8s lets all of it through
            raise KubeUnavailable(f"no usable Kubernetes configuration: {error!r}") from error
        return cls(api)

    async def close(self) -> None:
        self._closed = True
        await self._api._session.aclose()

    @asynccontextmanager
    async def send(
        self,
        method: str,
        path: str,
        *,
        stream: bool,
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> AsyncGenerator[httpx.Response, None]:
        if self._closed:
            # kr8s would quietly open another session, which nobody closes.
            raise KubeUnavailable("the Kubernetes client is closed")
        base, _, last = path.rpartition("/")
        try:
            async with self._api.call_api(
                method,
                version="",
                base=base,
                url=last,
                raise_for_status=False,
                stream=stream,
                headers={**_HEADERS, **(headers or {})},
                **options,
            ) as response:
                yield response
        except kr8s.APITimeoutError as error:
            raise error_from_transport(error.__cause__) from error
        except httpx.HTTPError as error:
            raise error_from_transport(error) from error


async def _replace_transport(api: Api) -> None:
    """Ours for all but what goes through a proxy: httpx has a transport for each, chosen as the environment says."""
    session = api._session
    context = httpx.create_ssl_context(await api.auth.ssl_context())
    await session._transport.aclose()
    session._transport = AiohttpTransport(context)


def _remove_temporary_files(auth: Any) -> None:
    """kr8s writes keys that are inside a kubeconfig to files and leaves them there; the session has read them."""
    for section, key, path in (
        (auth._user, "client-key-data", auth.client_key_file),
        (auth._user, "client-certificate-data", auth.client_cert_file),
        (auth._cluster, "certificate-authority-data", auth.server_ca_file),
    ):
        if key in section:
            Path(path).unlink(missing_ok=True)


def _present(**params: Any) -> dict[str, Any]:
    """Without what is empty; a zero counts, but asks for no limit where it is one."""
    return {key: value for key, value in params.items() if value not in (None, "")}
