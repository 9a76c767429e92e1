"""What FastAPI can't derive for the OpenAPI document: error answers, and bodies that we read ourselves."""

from typing import Any

from pydantic import BaseModel, Field

from gateway_api.cookies import SESSION_COOKIE

Responses = dict[int | str, dict[str, Any]]


class ErrorModel(BaseModel):
    """What went wrong, in words for people."""

    error: str = Field(examples=["Cluster dask.2b5d4f7e8c1a4b6f9d3e5a7c9b1d3f5e not found"])


class UnexpectedErrorModel(ErrorModel):
    """An unexpected failure, with the request id to look for in the log."""

    request_id: str = Field(examples=["0f8fad5bd9cb469fa16570867728950e"])


_DESCRIPTIONS = {
    401: "Nobody has said who is calling. `WWW-Authenticate` says what to send.",
    403: "The cluster is, or the clusters are, another user's, and the caller is no administrator.",
    404: "There is no such cluster.",
    409: "Not possible in the cluster's present state, or beyond a limit, or its scheduler does not answer, or "
    "Kubernetes forbids it, or the cluster that is waited for has failed to start.",
    413: "The body is too long.",
    422: "The request is wrong; the text names the field and what was expected.",
    429: "Too many sign-ins of this user or from this address have failed. `Retry-After` says when to try again.",
    503: "A part of the gateway does not answer. `Retry-After` says when to try again.",
}


def errors(*codes: int) -> Responses:
    """The error answers of a route: these, and those that every route may give."""
    # whoever has to sign in may have failed to
    slowed = (429,) if 401 in codes else ()
    documented: Responses = {
        code: {"model": ErrorModel, "description": _DESCRIPTIONS[code]} for code in (*codes, *slowed, 503)
    }
    documented[500] = {"model": UnexpectedErrorModel, "description": "An unexpected failure."}
    return documented


def body_of(model: type[BaseModel]) -> dict[str, Any]:
    """The `requestBody` of a route that parses its body itself, so that its errors have our form."""
    schema = model.model_json_schema()
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


_SECURITY_SCHEMES = {
    "credentials": {
        "type": "http",
        "scheme": "basic",
        "description": "A user's name and the gateway's password, or what else the operator has configured: see the "
        "`WWW-Authenticate` of a 401. The answer sets a cookie, which is enough from then on.",
    },
    "session": {"type": "apiKey", "in": "cookie", "name": SESSION_COOKIE, "description": "A user's session."},
    "cluster": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "`token <token>`, where the token is the cluster's own. For schedulers.",
    },
}

_USER: list[dict[str, list[str]]] = [{"credentials": []}, {"session": []}]


def describe_security(document: dict[str, Any]) -> dict[str, Any]:
    """Add to an OpenAPI document who may call what."""
    document.setdefault("components", {})["securitySchemes"] = _SECURITY_SCHEMES
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if path.endswith("/heartbeat"):
                operation["security"] = [{"cluster": []}]
            elif path.endswith("/logout"):
                operation["security"] = []
            elif path.startswith(("/api/v1/", "/api/v2/")):
                operation["security"] = [*_USER, {"cluster": []}] if method == "delete" else _USER
    return document
