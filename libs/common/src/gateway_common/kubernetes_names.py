"""Kubernetes' own rules for names, labels and annotations, checked before Kubernetes has to refuse a pod.

The rules are those of k8s.io/apimachinery/pkg/util/validation and of api/validation (1.30 to 1.34). Each `check_x`
raises ValueError with what was found and what is allowed.
"""

import re

_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_DNS_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_ENVIRONMENT_NAME = re.compile(r"[-._A-Za-z][-._A-Za-z0-9]*")
_SECRET_KEY = re.compile(r"[-._A-Za-z0-9]+")

_LONGEST_LABEL = 63
_LONGEST_SUBDOMAIN = 253
_ALLOWED = "letters, digits, '-', '_' and '.', with a letter or digit first and last, at most 63 in all"


def is_dns_label(text: str) -> bool:
    """RFC 1123: what the names of namespaces and Services are."""
    return _DNS_LABEL.fullmatch(text) is not None


def is_dns_subdomain(text: str) -> bool:
    """RFC 1123: what the names of most other objects are."""
    return len(text) <= _LONGEST_SUBDOMAIN and _DNS_SUBDOMAIN.fullmatch(text) is not None


def check_namespace(text: str) -> None:
    if not is_dns_label(text):
        raise ValueError(
            f"{_shown(text)} can't be a namespace: allowed are lower-case letters, digits and '-', with a letter or "
            "digit first and last, at most 63 in all"
        )


def check_object_name(text: str) -> None:
    """The name of a Secret, for instance."""
    if not is_dns_subdomain(text):
        raise ValueError(
            f"{_shown(text)} can't be an object's name: allowed are lower-case letters, digits, '-' and '.', with a "
            "letter or digit first and last"
        )


def check_secret_key(text: str) -> None:
    """A key in a Secret."""
    if len(text) > _LONGEST_SUBDOMAIN or _SECRET_KEY.fullmatch(text) is None or text.startswith("..") or text == ".":
        raise ValueError(f"{_shown(text)} can't be a key of a Secret: allowed are letters, digits, '-', '_' and '.'")


def check_label_key(text: str) -> None:
    """`name` or `prefix/name`."""
    _check_key(text, text, "a label's key")


def check_label_value(text: str) -> None:
    if text and not _is_label(text):
        raise ValueError(
            f"{_shown(text)} can't be a label's value: allowed are {_ALLOWED}, or nothing; replace what else there "
            "is, or use an annotation, which may hold any text"
        )


def check_annotation_key(text: str) -> None:
    """As a label's key, but capitals may stand before the slash, too."""
    _check_key(text, text.lower(), "an annotation's key")


def check_environment_name(text: str) -> None:
    """As all Kubernetes versions take it: later ones let more through."""
    if _ENVIRONMENT_NAME.fullmatch(text) is None or text == "." or text.startswith(".."):
        raise ValueError(
            f"{_shown(text)} can't be an environment variable's name: allowed are letters, digits, '_', '-' and '.', "
            "with no digit first"
        )


def _check_key(text: str, normal: str, what: str) -> None:
    prefix, slash, name = normal.rpartition("/")
    if slash and not is_dns_subdomain(prefix):
        raise ValueError(
            f"{_shown(text)} can't be {what}: what stands before '/' must be a DNS name in lower case, such as "
            "'example.com'"
        )
    if not _is_label(name):
        raise ValueError(f"{_shown(text)} can't be {what}: allowed are {_ALLOWED}, after an optional 'prefix/'")


def _is_label(text: str) -> bool:
    return len(text) <= _LONGEST_LABEL and _LABEL.fullmatch(text) is not None


def _shown(text: str) -> str:
    return repr(text if len(text) <= 80 else f"{text[:80]}...")
