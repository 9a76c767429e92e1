"""One line a request (R-100): status, method, path, duration."""

import logging

logger = logging.getLogger(__name__)

#: Probes ask for this every few seconds.
QUIET_PATH = "/api/health"


def log_request(status: int, method: str, path: str, seconds: float) -> None:
    """Write the line, at a level that fits the status."""
    level = classify_level(status, path)
    if logger.isEnabledFor(level):
        # a path may hold anything, line breaks included
        logger.log(
            level, "%d %s %s %.3fms", status, method, path if path.isprintable() else ascii(path), seconds * 1000
        )


def classify_level(status: int, path: str) -> int:
    """ERROR for our failures, WARNING for the caller's, DEBUG for probes, INFO for the rest."""
    if status >= 500:
        return logging.ERROR
    if status >= 400:
        return logging.WARNING
    return logging.DEBUG if path == QUIET_PATH else logging.INFO
