"""Backends and the configurations of their clusters. There is one backend: Kubernetes."""
