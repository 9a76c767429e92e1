"""What users send to say who they are."""

from base64 import b64encode


def basic_credentials(user: str, password: str = "", encoding: str = "utf-8") -> dict[str, str]:
    """The headers of a request with Basic credentials, by lower-case name."""
    return {"authorization": f"Basic {b64encode(f'{user}:{password}'.encode(encoding)).decode()}"}
