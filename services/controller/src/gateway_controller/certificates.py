"""A cluster's key pair and token. Everything random about a cluster is made here."""

import asyncio
import secrets
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gateway_controller.core.build.secret import Credentials

#: A cluster can't renew its certificate while it runs, so it outlives any cluster (E-16).
VALIDITY = timedelta(days=3653)
#: Clocks of nodes differ.
BACKDATING = timedelta(hours=1)
#: Distributed checks no host names; the certificate is its own authority, so having it is what counts.
COMMON_NAME = "dask-internal"


async def make_credentials(cluster_name: str, now: datetime) -> Credentials:
    """New credentials for a cluster, made in a thread: the event loop serves other clusters meanwhile."""
    return await asyncio.to_thread(generate_credentials, cluster_name, now)


def generate_credentials(cluster_name: str, now: datetime) -> Credentials:
    """An EC P-256 key, a self-signed certificate for it, and a token of 128 random bits."""
    key = ec.generate_private_key(ec.SECP256R1())
    private_key = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    certificate = _self_signed(key, cluster_name, now).public_bytes(serialization.Encoding.PEM)
    return Credentials(certificate, private_key, secrets.token_hex(16))


def _self_signed(key: ec.EllipticCurvePrivateKey, cluster_name: str, now: datetime) -> x509.Certificate:
    """Both an authority and the server's and client's certificate: Distributed trusts the one it presents.

    It has the extensions that OpenSSL's strict mode asks of an authority; Python 3.13 turned that mode on.
    """
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, COMMON_NAME)])
    subject_key = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        key_agreement=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    extended_usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    hosts = x509.SubjectAlternativeName([x509.DNSName(cluster_name), x509.DNSName(COMMON_NAME)])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now.astimezone(UTC) - BACKDATING)
        .not_valid_after(now.astimezone(UTC) + VALIDITY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(extended_usage, critical=False)
        .add_extension(subject_key, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(subject_key), critical=False)
        .add_extension(hosts, critical=False)
        .sign(key, hashes.SHA256())
    )
