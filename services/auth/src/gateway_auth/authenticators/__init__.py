"""How users prove who they are: one module a scheme.

An authenticator turns a request's credentials into a Principal or refuses them. It signs nothing, keeps no
sessions and knows nothing of this service's own HTTP.
"""
