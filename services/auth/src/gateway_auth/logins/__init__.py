"""Sign-in by redirect: a browser is sent to a JupyterHub or an issuer and comes back with a code (RFC 6749, 4.1).

The state, the nonce and the PKCE verifier of a sign-in that has begun are in a signed token that the browser keeps:
this service remembers nothing, so that any replica can finish what another has begun.
"""
