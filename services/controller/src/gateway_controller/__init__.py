"""The controller: turns every DaskCluster into a Secret, pods, a Service and routes, and writes its status.

Informers keep a copy of the cluster's objects, `observe` gathers from it, `core` decides, `execute` acts. All of its
state is in Kubernetes: it may be killed between any two calls.
"""
