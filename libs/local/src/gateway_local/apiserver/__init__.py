"""An embedded Kubernetes API server: the part of the API that the gateway, its tools and Traefik use.

In memory, in one process, on one event loop, over HTTP and TLS. It behaves as Kubernetes' own API machinery does
(resourceVersions, watches, patches, server-side apply, schemas, finalizers, garbage collection), and one contract
suite, `tests/contract/kube/`, holds it to that: it runs on this server and on the real one.

What it must not do: answer success to something that it did not do. A resource, verb, content type or schema
construct that is not here is refused with the status that Kubernetes has for it (404, 405, 415, 422).

How the parts stand on each other, from the bottom:

    errors                         what goes wrong, as Kubernetes `Status` objects
    storage                        versioned objects, their history, and who watches them
    schema selectors mergepatch    algorithms on text and trees that know no storage
      strategic fieldsets
    kinds builtin pods workloads   which kinds there are, what their objects must look like, how they are shown
      rbac columns catalog crds
      validation
    writes managedfields           the rules of writing: create, update, patch, apply, delete
      deletion admission operations
    queries watching               lists in pages, streams of changes
    garbage terminating            the controllers that belong to the API itself
    messages protobuf              the wire: requests and answers, forms of objects, verbs, documents, paths
      representations scale
      podlogs endpoints
      discovery openapi faults
    authentication authorization   who asks, and whether they may
    http serving                   all of it at a socket
    objects server                 the two faces: Python calls in the same process, and a URL
"""
