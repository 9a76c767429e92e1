"""The JSON that this service takes and answers."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

#: A namespace, a dot and an object's name.
MAX_CLUSTER_NAME = 63 + 1 + 253


class AuthenticateRequest(BaseModel):
    """What a user sent to the gateway."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "method": "GET",
                    "path": "/api/v1/clusters/",
                    "headers": {"authorization": "Basic YWxpY2U6c2VjcmV0"},
                    "client": "10.1.2.3",
                }
            ]
        }
    )

    method: str = Field(default="GET", description="The method of the user's request.")
    path: str = Field(default="/", description="The path of the user's request.")
    query: str = Field(default="", description="The query of the user's request, without the question mark.")
    headers: dict[str, str] = Field(description="The headers of the user's request, by lower-case name.")
    client: str = Field(default="", description="The user's address.")
    dashboard: str = Field(
        default="",
        max_length=MAX_CLUSTER_NAME,
        description="A cluster's name: the session shall be good for its web pages, and for nothing else.",
    )


class PrincipalModel(BaseModel):
    """An authenticated user."""

    name: str = Field(description="The user's name.", examples=["alice"])
    groups: list[str] = Field(description="The groups that the user is in.", examples=[["science"]])
    admin: bool = Field(description="Whether the user administers the gateway.")
    attributes: dict[str, Any] = Field(description="What an authenticator of the operator's says of the user besides.")


class SessionModel(BaseModel):
    """Who the user is, and the token that proves it."""

    principal: PrincipalModel
    token: str = Field(
        description="A session token: a JWT signed with ES256 by one of the keys in the JWKS.",
        examples=["eyJhbGciOiJFUzI1NiIsImtpZCI6Ii4uLiIsInR5cCI6IkpXVCJ9..."],
    )
    expires_in: int = Field(description="Seconds that the token is good for.", examples=[3600])
    reusable_for: float = Field(
        description="Seconds that the caller may answer the same Authorization header without asking again; "
        "0 for credentials that are good for one request only.",
        examples=[60],
    )
    headers: dict[str, str] = Field(description="Headers that the answer to the user must carry.")


class PublicKey(BaseModel):
    """A public key as a JWK (RFC 7517)."""

    kty: Literal["EC"]
    crv: Literal["P-256"]
    x: str
    y: str
    kid: Annotated[str, Field(description="The key's RFC 7638 thumbprint, as in the header of a token.")]
    use: Literal["sig"]
    alg: Literal["ES256"]


class KeySet(BaseModel):
    """A JWKS document."""

    keys: list[PublicKey]


class MethodsModel(BaseModel):
    """How users can prove who they are."""

    challenges: list[str] = Field(
        description="The WWW-Authenticate values of the answer to a request without credentials.", examples=[["Basic"]]
    )
    reads_whole_request: bool = Field(
        description="Whether credentials may be elsewhere than in the Authorization header, so that requests without "
        "it have to be asked about, too."
    )
    login: bool = Field(description="Whether browsers can sign in by redirect.")


class StartLoginRequest(BaseModel):
    """A browser that is to sign in."""

    redirect_uri: str = Field(
        max_length=2048,
        description="Where the browser shall come back to.",
        examples=["https://gateway.example.org/oauth_callback"],
    )
    return_to: str = Field(max_length=8192, description="Where the user wanted to go; it is given back in the end.")
    dashboard: str = Field(
        default="", max_length=MAX_CLUSTER_NAME, description="The cluster whose pages the session shall be good for."
    )


class StartedLoginModel(BaseModel):
    """A sign-in that has begun."""

    location: str = Field(description="Where to send the browser.")
    state: str = Field(description="What the browser will come back with, as `state`.")
    flow: str = Field(description="What the browser keeps until then, and nobody else gets.")
    expires_in: int = Field(description="Seconds that the user may take.")


class FinishLoginRequest(BaseModel):
    """A browser that came back."""

    flow: str = Field(description="What it kept.")
    state: str = Field(description="As it came back.")
    code: str = Field(description="As it came back.")
    client: str = Field(default="", description="The user's address.")


class FinishedLoginModel(BaseModel):
    """A user who has signed in."""

    session: SessionModel
    return_to: str = Field(description="Where they wanted to go.")
    dashboard: str = Field(description="The cluster whose pages the session is good for.")


class Health(BaseModel):
    """The service's own state."""

    status: Literal["pass"]


class ErrorModel(BaseModel):
    """What went wrong, in words."""

    error: str = Field(examples=["Authentication required"])


class ClassErrorModel(ErrorModel):
    """What the operator's class says, in its own words."""

    from_class: bool


class UnexpectedErrorModel(ErrorModel):
    """An unexpected failure, with the request id to look for in the log."""

    request_id: str = Field(examples=["0f8fad5bd9cb469fa16570867728950e"])


#: An entry of FastAPI's `responses`.
Responses = dict[int | str, dict[str, Any]]
