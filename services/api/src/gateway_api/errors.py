"""What the rules of this service may answer instead of a result.

    GatewayError
    └── RequestRefused                the request can't be carried out; the text is for the caller
        ├── InvalidRequest            the body, a parameter or an option is wrong
        │   ├── NamespaceMissing
        │   └── BodyTooLarge
        ├── AuthenticationRequired    .challenges: what would be accepted
        ├── AuthenticatorFailed       .status: the operator's class gives up, in words of its own
        ├── TooManyAttempts           .retry_after: too many sign-ins have failed
        ├── PermissionDenied          known, but not allowed
        ├── ClusterNotFound
        ├── ClusterNotRunning         there, but not in a state for this
        ├── ClusterFailedToStart      there is nothing to wait for
        ├── SchedulerTooOld           it has no groups of workers
        ├── LimitReached              there is no room for another cluster
        ├── SchedulerUnreachable      the cluster's scheduler did not answer; the cluster is left alone
        └── TemporarilyUnavailable    .retry_after in seconds: a part of the gateway does not answer

What each means over HTTP is in http_errors.py alone.
"""

from gateway_common.errors import GatewayError


class RequestRefused(GatewayError):
    """A request that can't be carried out. The text is for the caller."""


class InvalidRequest(RequestRefused):
    """The request itself is wrong; the text names the field and what was expected."""


class NamespaceMissing(InvalidRequest):
    """The namespace in which a cluster would run does not exist."""

    def __init__(self, namespace: str) -> None:
        super().__init__(
            f"namespace: there is no namespace {namespace!r} in Kubernetes, and the gateway makes none. "
            "Ask its operator to make it."
        )


class BodyTooLarge(InvalidRequest):
    """The body is longer than this service reads."""


class AuthenticationRequired(RequestRefused):
    """Nobody has said who is calling, or not credibly. `challenges` are `WWW-Authenticate` values."""

    def __init__(self, challenges: tuple[str, ...]) -> None:
        super().__init__("Authentication required")
        self.challenges = challenges


class AuthenticatorFailed(RequestRefused):
    """The operator's class does not say who is calling, and has chosen the answer: its words, and a `status` from 500.

    One that is only away for a while is TemporarilyUnavailable.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class TooManyAttempts(RequestRefused):
    """Too many sign-ins of this user or from this address have failed; `retry_after` is in seconds."""

    def __init__(self, retry_after: float) -> None:
        super().__init__("Too many failed attempts to sign in")
        self.retry_after = retry_after


class SchedulerTooOld(RequestRefused):
    """The cluster runs, but the image of its scheduler can't do this."""


class PermissionDenied(RequestRefused):
    """The caller is known and may not do this."""


class ClusterNotFound(RequestRefused):
    """There is no such cluster."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Cluster {name} not found")


class ClusterNotRunning(RequestRefused):
    """The cluster is there, but it is not running."""

    def __init__(self, name: str) -> None:
        super().__init__(f"cluster {name} is not running")


class ClusterFailedToStart(RequestRefused):
    """Somebody waits for a cluster that will never run; the text says why."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"Cluster {name} failed to start: {why}")


class LimitReached(RequestRefused):
    """There is no room for another cluster; the text says what is used, what is allowed, and whose limit it is."""


class SchedulerUnreachable(RequestRefused):
    """The scheduler did not take the message."""


class TemporarilyUnavailable(RequestRefused):
    """A part of the gateway does not answer now; `retry_after` is in seconds."""

    def __init__(self, message: str, retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after
