"""The manifests of a cluster's pods, one kind a file.

The controller creates them, and the api asks Kubernetes beforehand whether it would take them: both build the very
same. Each function takes values and returns a manifest without ownerReferences: an owner's uid may not be known before
the owner has been created. No I/O, no clock, no randomness.
"""
