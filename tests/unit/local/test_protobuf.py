"""Objects in Kubernetes' protobuf form. The bytes were put together by hand after the format's description."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_local.apiserver.protobuf import NotUnderstood, decode


def varint(number: int) -> bytes:
    low, rest = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + varint(rest) if rest else bytes([low])


def field(number: int, content: bytes | str | int) -> bytes:
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    data = content.encode() if isinstance(content, str) else content
    return varint(number << 3 | 2) + varint(len(data)) + data


def entry(number: int, key: str, value: bytes | str) -> bytes:
    return field(number, field(1, key) + field(2, value))


def envelope(api_version: str, kind: str, raw: bytes) -> bytes:
    about = field(1, api_version) + field(2, kind)
    return b"k8s\0" + field(1, about) + field(2, raw) + field(3, "") + field(4, "")


METADATA = (
    field(1, "sh.helm.release.v1.hello.v1")
    + field(2, "")
    + field(3, "")
    + field(8, b"")
    + entry(11, "owner", "helm")
    + entry(12, "empty", "")
    + field(13, field(1, "Pod") + field(3, "a") + field(4, "u-1") + field(5, "v1") + field(6, 1))
    + field(14, "one")
    + field(14, "two")
)


def test_a_secret_is_what_it_would_be_as_json() -> None:
    raw = field(1, METADATA) + entry(2, "release", b"\x00\xff") + field(3, "helm.sh/release.v1") + entry(4, "a", "b")
    assert decode(envelope("v1", "Secret", raw)) == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": "sh.helm.release.v1.hello.v1",
            "labels": {"owner": "helm"},
            "annotations": {"empty": ""},
            "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "a", "uid": "u-1", "controller": True}],
            "finalizers": ["one", "two"],
        },
        "data": {"release": "AP8="},
        "type": "helm.sh/release.v1",
        "stringData": {"a": "b"},
    }


def test_times_are_texts_and_go_s_zero_time_is_none() -> None:
    zero = field(1, (1 << 64) - 62135596800)
    metadata = field(1, "a") + field(8, field(1, 1_795_736_436)) + field(9, zero)
    found = decode(envelope("v1", "ConfigMap", field(1, metadata)))
    assert found["metadata"] == {"name": "a", "creationTimestamp": "2026-11-26T23:40:36Z"}


def test_options_of_a_delete_keep_a_grace_period_of_zero() -> None:
    raw = field(1, 0) + field(2, field(1, "u-1")) + field(4, "Background")
    found = decode(envelope("meta.k8s.io/v1", "DeleteOptions", raw))
    assert found["gracePeriodSeconds"] == 0
    assert (found["preconditions"], found["propagationPolicy"]) == ({"uid": "u-1"}, "Background")


def test_fields_that_are_not_known_are_left_out() -> None:
    unknown = field(99, "x") + varint(98 << 3 | 1) + bytes(8) + varint(97 << 3 | 5) + bytes(4)
    raw = field(1, field(1, "a")) + unknown
    assert decode(envelope("v1", "ConfigMap", raw))["metadata"] == {"name": "a"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"k8s\0",
        envelope("v1", "Pod", b""),
        envelope("v1", "Secret", field(1, 7)),
        envelope("v1", "Secret", b"\x0a\x7f"),
        envelope("v1", "Secret", b"\x0b"),
        b"k8s\0" + b"\xff" * 12,
    ],
    ids=["nothing", "JSON", "no kind", "another kind", "a number for a message", "cut off", "a group", "no end"],
)
def test_what_is_no_message_is_refused(body: bytes) -> None:
    with pytest.raises(NotUnderstood):
        decode(body)


@given(st.binary(max_size=200))
def test_nothing_but_a_refusal_comes_of_noise(noise: bytes) -> None:
    for body in (b"k8s\0" + noise, envelope("v1", "Secret", noise)):
        with contextlib.suppress(NotUnderstood):
            decode(body)
