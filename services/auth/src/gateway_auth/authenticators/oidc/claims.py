"""From an issuer's claims to a user. Pure."""

from collections.abc import Mapping
from typing import Any

from gateway_common.configuration.auth import OidcSettings
from gateway_common.principal import Principal


class UnfitClaims(Exception):
    """The claims are genuine and not good here; the text is for the log, and holds no claim's value."""


def check_claims(claims: Mapping[str, Any], settings: OidcSettings, audience: frozenset[str], now: float) -> float:
    """Check that a token is for us and good now (RFC 7519, 4.1); returns when it expires. Raises UnfitClaims."""
    if claims.get("iss") != settings.issuer:
        raise UnfitClaims("it is from another issuer")
    meant = claims.get("aud")
    meant_for = (
        {meant} if isinstance(meant, str) else set(filter(_is_text, meant)) if isinstance(meant, list) else set()
    )
    if audience.isdisjoint(meant_for):
        raise UnfitClaims("it is for another audience")
    expires_at = _time(claims, "exp")
    if expires_at is None or now >= expires_at + settings.clock_skew:
        raise UnfitClaims("it has expired, or says not when it does")
    for claim in ("nbf", "iat"):
        begins = _time(claims, claim)
        if begins is not None and now < begins - settings.clock_skew:
            raise UnfitClaims(f"it is not valid yet ({claim})")
    return expires_at


def read_principal(claims: Mapping[str, Any], settings: OidcSettings) -> Principal:
    """The user that the claims describe; raises UnfitClaims."""
    name = find_claim(claims, settings.username_claim)
    if not isinstance(name, str) or not name:
        raise UnfitClaims(f"its claim {settings.username_claim} is no name")
    if settings.username_claim == "email" and not _is_verified(claims, settings):
        raise UnfitClaims("its email is not verified, or does not say so: see gateway.auth.oidc.acceptUnverifiedEmail")
    groups = _groups(claims, settings)
    admin = bool(settings.admin_claim) and find_claim(claims, settings.admin_claim) is True
    return Principal(name, groups, admin or not set(settings.admin_groups).isdisjoint(groups))


def _is_verified(claims: Mapping[str, Any], settings: OidcSettings) -> bool:
    """By OpenID Connect Core 5.1 it is a boolean; some issuers write text."""
    said = claims.get("email_verified")
    return settings.accept_unverified_email or said is True or said == "true"


def find_claim(claims: Mapping[str, Any], name: str) -> Any:
    """A claim by its name, which may have dots in it, else by its way through claims within claims."""
    if name in claims:
        return claims[name]
    found: Any = claims
    for part in name.split("."):
        if not isinstance(found, Mapping):
            return None
        found = found.get(part)
    return found


def _groups(claims: Mapping[str, Any], settings: OidcSettings) -> tuple[str, ...]:
    found = find_claim(claims, settings.groups_claim) if settings.groups_claim else None
    if found is None:
        return ()
    if isinstance(found, str):
        return (found,)
    if isinstance(found, list) and all(map(_is_text, found)):
        return tuple(found)
    raise UnfitClaims(f"its claim {settings.groups_claim} is no list of names")


def _time(claims: Mapping[str, Any], claim: str) -> float | None:
    value = claims.get(claim)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UnfitClaims(f"its claim {claim} is no time")
    return float(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)
