"""JupyterHub: tokens of its users and services, and sign-in at it for browsers."""
