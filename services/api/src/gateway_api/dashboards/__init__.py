"""Clusters' web pages: Traefik asks here before it lets anybody see one (forwardAuth)."""
