"""Sign-in at an issuer: the authorization code flow with PKCE, state and nonce (OpenID Connect Core 1.0, 3.1)."""

import hmac
from urllib.parse import urlencode

import httpx

from gateway_auth.authenticators.oidc.claims import UnfitClaims, read_principal
from gateway_auth.authenticators.oidc.issuer import Issuer
from gateway_auth.authenticators.oidc.tokens import TokenVerifier
from gateway_auth.logins.provider import AuthorizationCode, AuthorizationRequest
from gateway_auth.outcomes import Accepted, Refused
from gateway_common.clock import Clock
from gateway_common.configuration.auth import OidcSettings


class OidcLogin:
    """Sends browsers to the issuer, and reads the ID token that comes of it."""

    name = "oidc"

    def __init__(self, issuer: Issuer, settings: OidcSettings, clock: Clock, max_age: float | None = None) -> None:
        self._issuer = issuer
        self._settings = settings
        self._secret = settings.client_secret.get_secret_value() if settings.client_secret else ""
        self._tokens = TokenVerifier(issuer, settings, clock)
        self._max_age = max_age

    async def authorization_url(self, request: AuthorizationRequest) -> str:
        """The issuer's page; raises SourceUnavailable."""
        query = {
            "response_type": "code",
            "client_id": self._settings.client_id,
            "redirect_uri": request.redirect_uri,
            "scope": " ".join(self._settings.scopes),
            "state": request.state,
            "nonce": request.nonce,
            "code_challenge": request.code_challenge,
            "code_challenge_method": "S256",
        }
        address = (await self._issuer.endpoints()).authorization
        return f"{address}{'&' if '?' in address else '?'}{urlencode(query)}"

    async def redeem(self, code: AuthorizationCode) -> Accepted | Refused:
        """Change the code for an ID token and read it; raises SourceUnavailable."""
        endpoints = await self._issuer.endpoints()
        form = {
            "grant_type": "authorization_code",
            "code": code.code,
            "redirect_uri": code.redirect_uri,
            "client_id": self._settings.client_id,
            "code_verifier": code.code_verifier,
        }
        basic = None
        if self._secret and endpoints.takes_basic:
            basic = httpx.BasicAuth(self._settings.client_id, self._secret)
        elif self._secret:
            form["client_secret"] = self._secret
        answer = await self._issuer.redeem(endpoints.token, form, basic)
        if answer is None:
            return Refused((), "the issuer does not take the code", attempted=True)
        return await self._read(str(answer.get("id_token", "")), code.nonce)

    async def _read(self, token: str, nonce: str) -> Accepted | Refused:
        client = self._settings.client_id
        try:
            claims, _ = await self._tokens.verify(token, frozenset({client}))
            said = claims.get("nonce")
            if not isinstance(said, str) or not hmac.compare_digest(said.encode(), nonce.encode()):
                raise UnfitClaims("it belongs to another sign-in")
            # Core 3.1.3.7: a token for several audiences has to say which of them asked for it
            if claims.get("azp", client) != client:
                raise UnfitClaims("somebody else asked for it")
            return Accepted(read_principal(claims, self._settings), valid_for=self._max_age)
        except UnfitClaims as error:
            return Refused((), f"the ID token is refused: {error}", attempted=True)
