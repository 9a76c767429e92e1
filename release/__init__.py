"""What a release is made of, and its one version. `python -m release` says what it can do; docs/releasing.md, when.

It imports nothing of ours: it runs in an environment of its own, with what requirements/release.in names.
"""
