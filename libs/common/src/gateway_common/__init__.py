"""What every part of the gateway agrees on: models, names, errors, tokens, settings, the Kubernetes client.

It imports no service and no web framework, and holds no rule that only one service needs.
"""

__version__ = "2026.11.0"
