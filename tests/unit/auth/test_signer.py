"""Signing: keys from files, their identifiers, rotation, and what can't be signed."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from jose import jws

from gateway_auth.signer import InvalidSigningKey, Signer, SigningKey, TokenTooLarge, load_signing_keys
from gateway_common.principal import Principal
from gateway_common.tokens import MAX_TOKEN_LENGTH, SessionVerifier

NOW = 1_800_000_000.9
ALICE = Principal("alice", ("art", "science"), admin=True)


def pem_file(path: Path, key: PrivateKeyTypes, form: PrivateFormat = PrivateFormat.PKCS8) -> Path:
    path.write_bytes(key.private_bytes(Encoding.PEM, form, NoEncryption()))
    return path


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_a_key_in_a_file_signs_the_same_after_a_restart(tmp_path: Path, form: PrivateFormat) -> None:
    path = pem_file(tmp_path / "key.pem", ec.generate_private_key(ec.SECP256R1()), form)
    before = Signer(load_signing_keys([path]), audience="prod", lifetime=60)
    after = Signer(load_signing_keys([path]), audience="prod", lifetime=60)
    assert before.jwks() == after.jwks()
    session = SessionVerifier(after.jwks(), audience="prod").verify(before.sign(ALICE, NOW), NOW)
    assert session.principal == ALICE
    assert session.expires_at == 1_800_000_060


def test_a_key_is_identified_by_its_rfc_7638_thumbprint() -> None:
    # the private value 1 has the curve's base point (NIST SP 800-186, 3.2.1.3) as its public key; the thumbprint
    # comes from the openssl command: printf '{"crv":...,"kty":...,"x":...,"y":...}' | openssl dgst -sha256 -binary
    key = SigningKey(ec.derive_private_key(1, ec.SECP256R1()))
    assert key.public_jwk() == {
        "kty": "EC",
        "crv": "P-256",
        "x": "axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY",
        "y": "T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU",
        "kid": "xx0BcA-wMohw8atYDJOe6peGModklG2wRHBlXHMvl0M",
        "use": "sig",
        "alg": "ES256",
    }


def test_the_first_key_signs_and_all_are_published() -> None:
    old, new = SigningKey.generate(), SigningKey.generate()
    token = Signer([old], audience="prod", lifetime=60).sign(ALICE, NOW)
    rotated = Signer([new, old], audience="prod", lifetime=60)
    assert [key["kid"] for key in rotated.jwks()["keys"]] == [new.key_id, old.key_id]
    assert jws.get_unverified_header(rotated.sign(ALICE, NOW))["kid"] == new.key_id
    assert SessionVerifier(rotated.jwks(), audience="prod").verify(token, NOW).principal == ALICE


def test_no_two_tokens_are_the_same() -> None:
    signer = Signer([SigningKey.generate()], audience="prod", lifetime=60)
    assert signer.sign(ALICE, NOW) != signer.sign(ALICE, NOW)


def test_a_coordinate_with_leading_zeros_keeps_its_length() -> None:
    for private_value in range(1, 400):
        public = SigningKey(ec.derive_private_key(private_value, ec.SECP256R1())).public_jwk()
        assert len(public["x"]) == len(public["y"]) == 43


def test_what_else_is_said_of_a_user_is_for_the_gateway_alone() -> None:
    signer = Signer([SigningKey.generate()], audience="prod", lifetime=60)
    alice = Principal("alice", attributes={"profiles": ["small"]})
    verifier = SessionVerifier(signer.jwks(), audience="prod")
    assert verifier.verify(signer.sign(alice, NOW), NOW).principal == alice
    page = signer.sign(alice, NOW, audience="prod/page")
    assert verifier.verify(page, NOW, audience="prod/page").principal == Principal("alice")


def test_more_groups_than_a_session_holds_are_refused_where_it_is_made() -> None:
    signer = Signer([SigningKey.generate()], audience="prod", lifetime=60)
    assert len(signer.sign(Principal("alice", ("g" * 30,) * 300), NOW)) <= MAX_TOKEN_LENGTH
    with pytest.raises(TokenTooLarge, match="500 groups"):
        signer.sign(Principal("alice", ("g" * 30,) * 500), NOW)


def test_a_signer_needs_a_key() -> None:
    with pytest.raises(ValueError, match="needs a key"):
        Signer([], audience="prod", lifetime=60)


def test_the_keys_of_a_directory_count_in_the_order_of_their_names(tmp_path: Path) -> None:
    """As Kubernetes mounts a Secret: its files are links to what is behind a link with a hidden name."""
    behind = tmp_path / "..2026"
    behind.mkdir()
    (tmp_path / "..data").symlink_to(behind.name)
    made = {name: ec.generate_private_key(ec.SECP256R1()) for name in ("2.pem", "0.pem", "1.pem")}
    for name, key in made.items():
        pem_file(behind / name, key)
        (tmp_path / name).symlink_to(f"..data/{name}")
    keys = [key.key_id for key in load_signing_keys([tmp_path])]
    assert keys == [SigningKey(made[name]).key_id for name in sorted(made)]


def test_a_directory_without_keys_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidSigningKey, match="no signing key"):
        load_signing_keys([tmp_path])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidSigningKey, match=r"key\.pem: No such file"):
        SigningKey.from_file(tmp_path / "key.pem")


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    for key in (ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 2048)):
        with pytest.raises(InvalidSigningKey, match=r"key\.pem is not an EC P-256 key"):
            SigningKey.from_file(pem_file(tmp_path / "key.pem", key))


def test_a_file_without_a_readable_private_key_is_refused(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    for content in (
        b"",
        b"secret words",
        key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"passphrase")),
    ):
        (tmp_path / "key.pem").write_bytes(content)
        with pytest.raises(InvalidSigningKey, match=r"key\.pem is not a PEM private key") as raised:
            SigningKey.from_file(tmp_path / "key.pem")
        assert "secret" not in str(raised.value)
