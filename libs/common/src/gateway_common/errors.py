"""The errors that cross module borders.

    GatewayError
    ├── InvalidClusterName        a name that no cluster can have
    ├── InvalidConfig             a configuration that no cluster can have
    ├── InvalidToken              a session token that proves nothing
    └── KubeError                 an answer of the Kubernetes API, or none
        ├── NotFound
        ├── AlreadyExists
        ├── Conflict              the object changed meanwhile
        ├── Expired               the resourceVersion is too old: list again
        ├── Forbidden             the service account may not do this
        ├── Unauthorized          the credentials are not accepted
        ├── Invalid               the API server refuses the object, and says why
        ├── TooManyRequests       .retry_after in seconds
        └── KubeUnavailable       no answer, or a 5xx

They carry text for people and no HTTP status: what an error means to a caller is the caller's business.
"""


class GatewayError(Exception):
    """Base of all errors that the gateway raises on purpose."""


class InvalidClusterName(GatewayError, ValueError):
    """A name that no cluster can have."""


class InvalidConfig(GatewayError, ValueError):
    """A cluster configuration that can't be: the text names the field and what was expected."""


class InvalidToken(GatewayError):
    """A session token that proves nothing. The text says why and never holds the token."""


class KubeError(GatewayError):
    """Something that the Kubernetes API answered, or that it did not answer."""


class NotFound(KubeError):
    """There is no such object."""


class AlreadyExists(KubeError):
    """An object of this name is there already."""


class Conflict(KubeError):
    """The object changed since it was read, or another manager owns the field."""


class Expired(KubeError):
    """The resourceVersion or continue token is too old: list again."""


class Unauthorized(KubeError):
    """The API server does not accept our credentials."""


class Forbidden(KubeError):
    """Our service account may not do this, or a quota or admission rule forbids it."""


class Invalid(KubeError):
    """The API server refuses the object; the text is its explanation."""


class TooManyRequests(KubeError):
    """The API server asks for a pause of `retry_after` seconds."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class KubeUnavailable(KubeError):
    """The API server did not answer, or failed."""
