"""The import path that operators' configuration code uses: options and users.

A thin face that keeps existing `extraConfig` code working. It must not import a web framework or a service,
and nothing of ours may depend on where in here a name is defined.
"""
