"""The manifests of a cluster's objects other than its pods, one kind a file.

Each function takes views and values and returns a manifest without ownerReferences: an owner's uid may not be known
before the owner has been created.
"""
