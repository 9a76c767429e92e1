"""Session tokens: genuine ones are read, everything else is refused with a reason."""

import hashlib
import hmac
import json
from base64 import urlsafe_b64encode
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jose import jwk, jws

from gateway_common.errors import InvalidToken
from gateway_common.principal import Principal
from gateway_common.tokens import MAX_TOKEN_LENGTH, Session, SessionVerifier, UnknownKey

# the machine may be busy: slow is not wrong
relaxed = settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])

NOW = 1_800_000_000.0
KEY = ec.generate_private_key(ec.SECP256R1())
OTHER_KEY = ec.generate_private_key(ec.SECP256R1())


def public_jwk(key: ec.EllipticCurvePrivateKey, key_id: str = "one", **changes: Any) -> dict[str, Any]:
    document = jwk.construct(key.public_key(), "ES256").to_dict()
    return {**document, "kid": key_id, "use": "sig", "alg": "ES256", **changes}


def claims(**changes: Any) -> dict[str, Any]:
    valid = {
        "iss": "dask-gateway",
        "aud": "prod",
        "sub": "alice",
        "groups": ["science"],
        "admin": True,
        "iat": NOW,
        "nbf": NOW,
        "exp": NOW + 60,
    }
    return {name: value for name, value in {**valid, **changes}.items() if value is not None}


def signed(
    payload: Any = None, *, key: Any = KEY, algorithm: str = "ES256", header: dict[str, Any] | None = None
) -> str:
    token: str = jws.sign(
        claims() if payload is None else payload,
        jwk.construct(key, algorithm),
        {"kid": "one"} if header is None else header,
        algorithm,
    )
    return token


def by_hand(header: Any, payload: Any, signature: bytes = b"none") -> str:
    parts = (json.dumps(header).encode(), json.dumps(payload).encode(), signature)
    return b".".join(urlsafe_b64encode(part).rstrip(b"=") for part in parts).decode()


@pytest.fixture
def verifier() -> SessionVerifier:
    return SessionVerifier({"keys": [public_jwk(KEY)]}, audience="prod", leeway=5)


def test_a_genuine_token_says_who_and_until_when(verifier: SessionVerifier) -> None:
    assert verifier.verify(signed(), NOW) == Session(Principal("alice", ("science",), True), NOW + 60)


def test_groups_and_admin_may_be_absent(verifier: SessionVerifier) -> None:
    assert verifier.verify(signed(claims(groups=None, admin=None)), NOW).principal == Principal("alice")


def test_the_audience_may_be_one_of_several(verifier: SessionVerifier) -> None:
    assert verifier.verify(signed(claims(aud=["other", "prod"])), NOW).principal.name == "alice"


def test_after_a_rotation_tokens_of_both_keys_are_genuine() -> None:
    verifier = SessionVerifier({"keys": [public_jwk(OTHER_KEY, "two"), public_jwk(KEY)]}, audience="prod")
    assert verifier.key_ids == {"one", "two"}
    assert verifier.verify(signed(), NOW).principal.name == "alice"
    assert verifier.verify(signed(key=OTHER_KEY, header={"kid": "two"}), NOW).principal.name == "alice"


def test_a_token_without_a_signature_is_refused(verifier: SessionVerifier) -> None:
    for algorithm in ("none", "None", "", None):
        with pytest.raises(InvalidToken, match="not signed with ES256"):
            verifier.verify(by_hand({"alg": algorithm, "kid": "one"}, claims()), NOW)
    with pytest.raises(InvalidToken, match="three base64url segments"):
        verifier.verify(by_hand({"alg": "none", "kid": "one"}, claims(), b""), NOW)


def test_a_token_signed_with_the_public_key_as_a_password_is_refused(verifier: SessionVerifier) -> None:
    pem = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for algorithm, text in (("HS256", "not signed with ES256"), ("ES256", "signature is not valid")):
        unsigned = by_hand({"alg": algorithm, "kid": "one"}, claims()).rpartition(".")[0]
        signature = hmac.new(pem, unsigned.encode(), hashlib.sha256).digest()
        token = f"{unsigned}.{urlsafe_b64encode(signature).rstrip(b'=').decode()}"
        with pytest.raises(InvalidToken, match=text):
            verifier.verify(token, NOW)


def test_a_token_in_another_algorithm_is_refused(verifier: SessionVerifier) -> None:
    rsa_key = rsa.generate_private_key(65537, 2048)
    with pytest.raises(InvalidToken, match="not signed with ES256"):
        verifier.verify(signed(key=rsa_key, algorithm="RS256"), NOW)


def test_a_token_of_an_unknown_key_says_so_since_newer_keys_may_help(verifier: SessionVerifier) -> None:
    with pytest.raises(UnknownKey):
        verifier.verify(signed(key=OTHER_KEY, header={"kid": "two"}), NOW)


def test_a_token_that_borrows_a_known_key_id_is_refused(verifier: SessionVerifier) -> None:
    with pytest.raises(InvalidToken, match="signature is not valid"):
        verifier.verify(signed(key=OTHER_KEY), NOW)


def test_a_key_that_the_token_brings_along_is_not_used(verifier: SessionVerifier) -> None:
    token = signed(key=OTHER_KEY, header={"kid": "one", "jwk": public_jwk(OTHER_KEY)})
    with pytest.raises(InvalidToken, match="signature is not valid"):
        verifier.verify(token, NOW)


@pytest.mark.parametrize("header", [{"kid": ""}, {"kid": None}, {"kid": ["one"]}, {"kid": 1}, {}])
def test_a_token_that_names_no_key_is_refused(verifier: SessionVerifier, header: dict[str, Any]) -> None:
    with pytest.raises(InvalidToken, match=r"name its key|unknown key"):
        verifier.verify(signed(header=header), NOW)


def test_a_token_with_critical_extensions_is_refused(verifier: SessionVerifier) -> None:
    for critical in ([], ["b64"], None):
        with pytest.raises(InvalidToken, match="extension"):
            verifier.verify(signed(header={"kid": "one", "crit": critical}), NOW)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"iss": "other"}, "another issuer"),
        ({"iss": None}, "another issuer"),
        ({"aud": "test"}, "another audience"),
        ({"aud": None}, "another audience"),
        ({"aud": ["test"]}, "another audience"),
        ({"aud": {"prod": 1}}, "another audience"),
        ({"exp": NOW - 60}, "expired"),
        ({"exp": None}, "exp is not a time"),
        ({"exp": "never"}, "exp is not a time"),
        ({"exp": True}, "exp is not a time"),
        ({"nbf": NOW + 60}, "not valid yet"),
        ({"nbf": None}, "nbf is not a time"),
        ({"iat": NOW + 60}, "from the future"),
        ({"iat": None}, "iat is not a time"),
        ({"sub": None}, "names no user"),
        ({"sub": ""}, "names no user"),
        ({"sub": 7}, "names no user"),
        ({"groups": "science"}, "groups"),
        ({"groups": [1]}, "groups"),
        ({"admin": "yes"}, "admin"),
    ],
)
def test_a_claim_that_is_wrong_is_named(verifier: SessionVerifier, changes: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidToken, match=text):
        verifier.verify(signed(claims(**changes)), NOW)


def test_clocks_may_differ_by_the_leeway_and_no_more(verifier: SessionVerifier) -> None:
    token = signed()
    for early_or_late in (NOW - 5, NOW + 64.9):
        assert verifier.verify(token, early_or_late).expires_at == NOW + 60
    for too_early_or_late in (NOW - 5.1, NOW + 65):
        with pytest.raises(InvalidToken):
            verifier.verify(token, too_early_or_late)


def test_a_token_can_be_written_in_one_way_only(verifier: SessionVerifier) -> None:
    token = signed()
    for variant in (f"{token}=", f" {token}", f"{token}\n", token.replace(".", ".!", 1), f"{token}.e30"):
        with pytest.raises(InvalidToken, match="three base64url segments"):
            verifier.verify(variant, NOW)


def test_an_oversized_token_is_refused_before_it_is_read(verifier: SessionVerifier) -> None:
    with pytest.raises(InvalidToken, match="longer than 16384"):
        verifier.verify("." * (MAX_TOKEN_LENGTH + 1), NOW)


def test_a_header_nested_beyond_reason_is_refused(verifier: SessionVerifier) -> None:
    header = urlsafe_b64encode(b"[" * 9000).rstrip(b"=").decode()
    with pytest.raises(InvalidToken, match="header"):
        verifier.verify(f"{header}.e30.e30", NOW)


@pytest.mark.parametrize("payload", [b"", b"null", b"[]", b"not json", b'"text"', b"\xff"])
def test_claims_that_are_not_an_object_are_refused(verifier: SessionVerifier, payload: bytes) -> None:
    with pytest.raises(InvalidToken, match=r"claims|segments"):
        verifier.verify(signed(payload), NOW)


def test_no_error_quotes_the_token(verifier: SessionVerifier) -> None:
    token = signed(key=OTHER_KEY, header={"kid": "a-secret-key-id"})
    with pytest.raises(InvalidToken) as raised:
        verifier.verify(token, NOW)
    assert "a-secret-key-id" not in str(raised.value)
    assert not any(part in str(raised.value) for part in token.split("."))


@relaxed
@given(st.text(max_size=80) | st.from_regex(r"[\w-]{1,40}(\.[\w-]{1,40}){2}", fullmatch=True))
def test_any_text_is_either_genuine_or_an_invalid_token(text: str) -> None:
    verifier = SessionVerifier({"keys": [public_jwk(KEY)]}, audience="prod")
    with pytest.raises(InvalidToken):
        verifier.verify(text, NOW)


@relaxed
@given(st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit"]), st.none() | st.text() | st.integers()))
def test_any_header_on_an_unsigned_token_is_refused(header: dict[str, Any]) -> None:
    verifier = SessionVerifier({"keys": [public_jwk(KEY)]}, audience="prod")
    with pytest.raises(InvalidToken):
        verifier.verify(by_hand({"alg": "ES256", "kid": "one", **header}, claims()), NOW)


@pytest.mark.parametrize(
    "unusable",
    [
        {"kty": "oct", "k": "c2VjcmV0", "kid": "one", "alg": "HS256"},
        public_jwk(KEY, use="enc"),
        public_jwk(KEY, alg="ES384"),
        public_jwk(KEY, crv="P-384"),
        public_jwk(KEY, kid=None),
        public_jwk(KEY, x="AAAA"),
        public_jwk(KEY, x=None),
        public_jwk(KEY, y="not base64!"),
        "text",
        None,
    ],
)
def test_keys_that_cannot_verify_are_ignored(unusable: Any) -> None:
    verifier = SessionVerifier({"keys": [unusable, public_jwk(OTHER_KEY, "two")]}, audience="prod")
    assert verifier.key_ids == {"two"}


@pytest.mark.parametrize("document", [{}, {"keys": None}, {"keys": {}}, [], "text", None])
def test_a_document_that_is_no_key_set_is_refused(document: Any) -> None:
    with pytest.raises(ValueError, match="Not a JWKS"):
        SessionVerifier(document, audience="prod")
