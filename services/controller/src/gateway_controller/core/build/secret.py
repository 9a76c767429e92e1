"""The Secret with a cluster's certificate, private key and API token (K-010)."""

from base64 import b64encode
from dataclasses import dataclass

from gateway_common.manifests.installation import Installation
from gateway_common.manifests.metadata import build_metadata
from gateway_common.names import (
    API_TOKEN_KEY,
    CERTIFICATE_KEY,
    CREDENTIALS_COMPONENT,
    PRIVATE_KEY_KEY,
    ClusterName,
    secret_name,
)
from gateway_common.resources import SECRETS, Manifest


@dataclass(frozen=True, slots=True)
class Credentials:
    """PEM documents, and the token by which scheduler and api know each other."""

    certificate: bytes
    private_key: bytes
    api_token: str

    def __repr__(self) -> str:
        return "Credentials(...)"


def build_secret(installation: Installation, cluster: ClusterName, credentials: Credentials) -> Manifest:
    values = {
        CERTIFICATE_KEY: credentials.certificate,
        PRIVATE_KEY_KEY: credentials.private_key,
        API_TOKEN_KEY: credentials.api_token.encode(),
    }
    return {
        "apiVersion": SECRETS.api_version,
        "kind": SECRETS.kind,
        "metadata": build_metadata(installation, cluster, secret_name(cluster.name), CREDENTIALS_COMPONENT),
        "type": "Opaque",
        "data": {key: b64encode(value).decode() for key, value in values.items()},
    }
