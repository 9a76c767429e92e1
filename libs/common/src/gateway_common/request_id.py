"""The id by which one request is found in the logs of every service that it passes."""

import re
from uuid import uuid4

HEADER = "X-Request-ID"

_ACCEPTABLE = re.compile(r"[A-Za-z0-9._:-]{1,128}")


def choose_request_id(given: str | None) -> str:
    """The caller's id, so that one id goes through all services, unless it could forge a log line; else a new one."""
    return given if given and _ACCEPTABLE.fullmatch(given) else uuid4().hex
