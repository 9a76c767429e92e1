"""Kerberos tickets by SPNEGO (RFC 4559)."""
