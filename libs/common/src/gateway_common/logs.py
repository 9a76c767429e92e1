"""One log format for all services."""

import logging

from gateway_common.configuration.groups import LogLevel


def configure_logging(level: LogLevel) -> None:
    """Send every record at or above `level` to standard error."""
    logging.basicConfig(level=level, format="%(asctime)s %(levelname).1s %(name)s: %(message)s", force=True)
    # httpx logs every request at INFO; our own access log has what matters
    for noisy in ("httpx", "httpcore"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
