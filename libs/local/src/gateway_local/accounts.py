"""What every namespace has by itself: the service account `default`, and the certificate of the API server to trust.

Kubernetes' serviceaccount and root-ca-certificate-publisher controllers.
"""

import contextlib

from gateway_common.resources import CONFIGMAPS, NAMESPACES, SERVICEACCOUNTS, Manifest, Resource
from gateway_local.apiserver.admission import DEFAULT_ACCOUNT, ROOT_CA
from gateway_local.apiserver.errors import StatusError
from gateway_local.apiserver.objects import Objects
from gateway_local.following import Loops


class AccountsController:
    """Makes both for each namespace, and anew when somebody deletes them, between start() and stop().

    Parameters
    ----------
    certificate
        The API server's, in PEM.
    """

    def __init__(self, objects: Objects, certificate: bytes) -> None:
        self._objects = objects
        self._certificate = certificate.decode()
        self._loops = Loops()

    async def start(self) -> None:
        """Begin; what there is already is seen first."""
        self._loops.follow(self._objects, NAMESPACES, self._namespace_changed)
        for resource in (SERVICEACCOUNTS, CONFIGMAPS):
            self._loops.follow(self._objects, resource, self._object_changed)

    async def stop(self) -> None:
        await self._loops.stop()

    def _namespace_changed(self, change: str, namespace: Manifest) -> None:
        if change == "ADDED":
            self._complete(namespace["metadata"]["name"])

    def _object_changed(self, change: str, manifest: Manifest) -> None:
        if change == "DELETED" and manifest["metadata"]["name"] in (DEFAULT_ACCOUNT, ROOT_CA):
            self._complete(manifest["metadata"]["namespace"])

    def _complete(self, namespace: str) -> None:
        self._ensure(SERVICEACCOUNTS, namespace, DEFAULT_ACCOUNT)
        self._ensure(CONFIGMAPS, namespace, ROOT_CA, data={"ca.crt": self._certificate})

    def _ensure(self, resource: Resource, namespace: str, name: str, **parts: Manifest) -> None:
        if self._objects.get(resource, namespace, name) is not None:
            return
        metadata = {"name": name, "namespace": namespace}
        manifest = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata, **parts}
        with contextlib.suppress(StatusError):  # the namespace is going, or gone
            self._objects.create(resource, manifest)
