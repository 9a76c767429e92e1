"""What may be a label, an annotation and a variable: held against Kubernetes' own patterns."""

import re
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway_common.kubernetes_names import (
    check_annotation_key,
    check_environment_name,
    check_label_key,
    check_label_value,
    check_namespace,
    check_object_name,
    check_secret_key,
)

# as Kubernetes has them (k8s.io/apimachinery/pkg/util/validation/validation.go)
QUALIFIED_NAME = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
LABEL_VALUE = f"({QUALIFIED_NAME})?"
DNS_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
SUBDOMAIN = rf"{DNS_LABEL}(\.{DNS_LABEL})*"
ENVIRONMENT_NAME = "[-._a-zA-Z][-._a-zA-Z0-9]*"

TEXTS = st.text("abzAZ09-_./@ \né", max_size=8) | st.text(max_size=5) | st.sampled_from("a.-/").map(lambda c: c * 64)
LONG = st.integers(60, 66).map(lambda length: "a" * length)


def allows(check: Callable[[str], None], text: str) -> bool:
    try:
        check(text)
    except ValueError:
        return False
    return True


def is_key(text: str) -> bool:
    """IsQualifiedName."""
    parts = text.split("/")
    if len(parts) > 2:
        return False
    prefixed = len(parts) == 1 or (re.fullmatch(SUBDOMAIN, parts[0]) is not None and len(parts[0]) <= 253)
    return prefixed and len(parts[-1]) <= 63 and re.fullmatch(QUALIFIED_NAME, parts[-1]) is not None


@example("alice@example.com")
@example("")
@example("a\n")
@given(TEXTS | LONG)
def test_a_labels_value_is_allowed_as_kubernetes_allows_it(text: str) -> None:
    assert allows(check_label_value, text) == (len(text) <= 63 and re.fullmatch(LABEL_VALUE, text) is not None)


@example("gateway.dask.org/cluster")
@example("/a")
@example("a/")
@example("a/b/c")
@example("Example.com/a")
@example("a" * 253 + "/b")
@example("a" * 254 + "/b")
@given(TEXTS | LONG | st.tuples(TEXTS, TEXTS).map("/".join) | LONG.map(lambda name: f"a.b/{name}"))
def test_keys_are_allowed_as_kubernetes_allows_them(text: str) -> None:
    assert allows(check_label_key, text) == is_key(text)
    # ValidateAnnotations looks at them in lower case
    assert allows(check_annotation_key, text) == is_key(text.lower())


@given(TEXTS | LONG)
def test_names_are_allowed_as_kubernetes_allows_them(text: str) -> None:
    is_label = re.fullmatch(DNS_LABEL, text) is not None and len(text) <= 63
    assert allows(check_namespace, text) == is_label
    assert allows(check_object_name, text) == (re.fullmatch(SUBDOMAIN, text) is not None and len(text) <= 253)


@example(".")
@example("..a")
@example(".a")
@example("1A")
@given(TEXTS)
def test_variables_are_allowed_as_every_kubernetes_allows_them(text: str) -> None:
    # IsEnvVarName
    allowed = re.fullmatch(ENVIRONMENT_NAME, text) is not None and text != "." and not text.startswith("..")
    assert allows(check_environment_name, text) == allowed


@pytest.mark.parametrize(("text", "allowed"), [("a.b_c-D", True), ("", False), ("a/b", False), ("..", False)])
def test_keys_of_secrets(text: str, allowed: bool) -> None:
    assert allows(check_secret_key, text) == allowed


@pytest.mark.parametrize(
    "check",
    [
        check_label_key,
        check_label_value,
        check_annotation_key,
        check_environment_name,
        check_namespace,
        check_object_name,
        check_secret_key,
    ],
)
def test_what_is_wrong_is_shown_with_what_is_allowed_but_not_at_any_length(check: Callable[[str], None]) -> None:
    with pytest.raises(ValueError, match=r"'a b' can't be .*: allowed are .*letters, digits"):
        check("a b")
    with pytest.raises(ValueError, match=r"' a{79}\.\.\.' can't be ") as raised:
        check(" " + "a" * 10_000)
    assert len(str(raised.value)) < 400
