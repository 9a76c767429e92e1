"""Sign-in at a JupyterHub, which is an OAuth provider for its services."""

from urllib.parse import urlencode

from gateway_auth.authenticators.jupyterhub.hub import JupyterHub, read_document
from gateway_auth.logins.provider import AuthorizationCode, AuthorizationRequest
from gateway_auth.outcomes import Accepted, Refused


class JupyterHubLogin:
    """The authorization code grant (RFC 6749, 4.1) with PKCE.

    Parameters
    ----------
    public_url
        Where browsers find the hub, `/` at the end; a path where that is on the gateway's own host.
    client_id, client_secret
        The gateway as a service of the hub, and its API token, by which the hub says the former where it is empty.
    max_age
        Seconds for which the hub's word counts.
    """

    name = "jupyterhub"

    def __init__(self, hub: JupyterHub, *, public_url: str, client_id: str, client_secret: str, max_age: float) -> None:
        self._hub = hub
        self._public_url = public_url
        self._client_id = client_id
        self._client_secret = client_secret
        self._max_age = max_age

    async def authorization_url(self, request: AuthorizationRequest) -> str:
        """The hub's page.

        It is not told where to come back to: it has one address for each service, often a path alone, and refuses
        whatever is not the same to the letter.
        """
        query = {
            "client_id": await self._client(),
            "response_type": "code",
            "state": request.state,
            "code_challenge": request.code_challenge,
            "code_challenge_method": "S256",
        }
        return f"{self._public_url}api/oauth2/authorize?{urlencode(query)}"

    async def redeem(self, code: AuthorizationCode) -> Accepted | Refused:
        """Change the code for a token, and ask the hub whose that is."""
        form = {
            "client_id": await self._client(),
            "client_secret": self._client_secret,
            "grant_type": "authorization_code",
            "code": code.code,
            "code_verifier": code.code_verifier,
        }
        answer = await self._hub.ask("POST", "/oauth2/token", data=form)
        if answer.status_code in (400, 401, 403):
            return Refused((), f"the hub does not take the code ({answer.status_code})", attempted=True)
        user = await self._hub.user(str(read_document(answer).get("access_token", "")))
        if isinstance(user, str):
            return Refused((), user, attempted=True)
        return Accepted(user, valid_for=self._max_age)

    async def _client(self) -> str:
        if not self._client_id:
            self._client_id = await self._hub.oauth_client(self._client_secret)
        return self._client_id
