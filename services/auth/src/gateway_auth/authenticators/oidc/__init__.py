"""OpenID Connect: bearer tokens of an issuer, and sign-in at it for browsers."""
