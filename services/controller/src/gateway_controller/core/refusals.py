"""What it means that the API server refuses an object: for good, for want of quota, or for want of rights."""

from gateway_common.errors import Forbidden, Invalid, KubeError
from gateway_common.reasons import Reason

#: In the messages of admission plugins, which answer 403 as missing rights do: LimitRanger, a quota that demands
#: limits, Pod Security, webhooks and ValidatingAdmissionPolicies (k8s.io/apiserver/pkg/admission).
_FOR_GOOD = (
    "violates PodSecurity",
    "denied the request",
    "denied request",
    "failed quota",
    "usage per Pod",
    "usage per Container",
    "limit to request ratio per",
)


def classify_refusal(error: KubeError) -> str:
    """The reason in one word. PodRejected: the same object would be refused again."""
    text = str(error)
    if isinstance(error, Forbidden) and "exceeded quota" in text:
        return Reason.QUOTA_EXCEEDED
    if isinstance(error, Invalid) or (isinstance(error, Forbidden) and any(words in text for words in _FOR_GOOD)):
        return Reason.POD_REJECTED
    return type(error).__name__
