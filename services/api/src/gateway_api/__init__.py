"""The REST API of the gateway: what clients, schedulers and browsers talk to.

A request goes endpoint -> service -> repository: endpoints know HTTP and no rules, services know the rules and
no HTTP, repositories know Kubernetes. All state is in Kubernetes objects, so that any number of replicas serve
the same clusters; this process only keeps caches. It writes metadata and `spec` of DaskClusters, nothing else.
"""
