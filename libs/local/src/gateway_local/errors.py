"""What can go wrong at the start, in one line for the person who started it."""


class LocalGatewayError(Exception):
    """The gateway can't start on this machine; the text says what to do."""
