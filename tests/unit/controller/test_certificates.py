"""Credentials with which Distributed's mutual TLS works."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from gateway_controller.certificates import generate_credentials, make_credentials
from gateway_controller.core.build.secret import Credentials


def context(purpose: ssl.Purpose, credentials: Credentials, directory: Path) -> ssl.SSLContext:
    """As Distributed makes it, and as strict as Python 3.13 is."""
    certificate, key = directory / "dask.crt", directory / "dask.pem"
    certificate.write_bytes(credentials.certificate)
    key.write_bytes(credentials.private_key)
    result = ssl.create_default_context(purpose=purpose, cafile=str(certificate))
    result.verify_flags |= ssl.VERIFY_X509_STRICT
    result.verify_mode = ssl.CERT_REQUIRED
    result.check_hostname = False
    result.load_cert_chain(certificate, key)
    return result


def shake_hands(server: ssl.SSLContext, client: ssl.SSLContext) -> None:
    """A TLS handshake in memory; raises SSLError if one side does not trust the other."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        client.wrap_bio(to_client, to_server, server_hostname="daskgateway-dask.c0ffee"),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for _ in range(10):
        for side in list(sides):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            sides.remove(side)
    assert not sides


def test_both_sides_trust_each_other_by_the_one_certificate(tmp_path: Path) -> None:
    credentials = generate_credentials("c0ffee", datetime.now(UTC))
    server = context(ssl.Purpose.CLIENT_AUTH, credentials, tmp_path)
    client = context(ssl.Purpose.SERVER_AUTH, credentials, tmp_path)
    shake_hands(server, client)


def test_another_clusters_certificate_opens_nothing(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    server = context(ssl.Purpose.CLIENT_AUTH, generate_credentials("c0ffee", now), tmp_path)
    client = context(ssl.Purpose.SERVER_AUTH, generate_credentials("another", now), tmp_path)
    with pytest.raises(ssl.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
        shake_hands(server, client)


def test_the_certificate_outlives_any_cluster_and_allows_for_clocks_that_differ() -> None:
    now = datetime(2026, 11, 23, 12, tzinfo=UTC)
    certificate = x509.load_pem_x509_certificate(generate_credentials("c0ffee", now).certificate)
    assert certificate.not_valid_after_utc >= now + timedelta(days=3650)
    assert certificate.not_valid_before_utc < now
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["c0ffee", "dask-internal"]
    key = certificate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert isinstance(key.curve, ec.SECP256R1)


async def test_every_cluster_has_credentials_of_its_own() -> None:
    now = datetime.now(UTC)
    one, other = await make_credentials("c0ffee", now), await make_credentials("c0ffee", now)
    assert one.private_key != other.private_key
    assert one.api_token != other.api_token
    assert len(bytes.fromhex(one.api_token)) == 16
