"""The authentication service: who is calling, and a signed session token that proves it to the other services.

A request goes endpoint -> service -> authenticator, then signer: endpoints know HTTP and decide nothing, the service
knows the rules and no HTTP, an authenticator knows one scheme and signs nothing, and only the signer holds private
keys. The service keeps no state and touches nothing in Kubernetes.
"""
