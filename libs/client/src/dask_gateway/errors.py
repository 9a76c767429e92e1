"""What goes wrong at a gateway, as its users see it.

::

    Exception
     +-- GatewayClusterError     a cluster did not start, or is not in a state to do what was asked
     +-- GatewayServerError      the gateway itself failed, or what answered is not a gateway
     +-- GatewayResponseError    the gateway refused: not authenticated, not permitted, busy
    UserWarning
     +-- GatewayWarning          the gateway did less than was asked, and says why

Wrong input (an unknown cluster, an invalid option) is a ``ValueError``, an unreachable gateway a ``ConnectionError``,
and a gateway that does not answer in time a ``TimeoutError``.
"""


class GatewayClusterError(Exception):
    """A cluster could not be started, stopped or scaled."""


class GatewayServerError(Exception):
    """The gateway failed to answer a request that was in order."""


class GatewayResponseError(Exception):
    """The gateway refused a request.

    ``status`` is the HTTP status of its answer, ``message`` its text.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message or f"The gateway answered with HTTP status {status}")
        self.status = status
        self.message = message


class GatewayWarning(UserWarning):
    """The gateway did something else than was asked, for example scaled to a limit."""
