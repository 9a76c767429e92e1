"""An embedded Kubernetes API server: the part of the API that the gateway, its tools and Traefik use.

In memory, in one process, on one event loop, over plain HTTP. It behaves as Kubernetes' own API machinery does
(resourceVersions, watches, patches, server-side apply, schemas, finalizers, garbage collection), and one contract
suite, `tests/contract/kube/`, holds it to that: it runs on this server and on the real one.

What it must not do: answer success to something that it did not do. A resource, verb, content type or schema
construct that is not here is refused with the status that Kubernetes has for it (404, 405, 415, 422).

How the parts stand on each other, from the bottom:

    errors          what goes wrong, as Kubernetes `Status` objects
    storage         versioned objects, their history, and who watches them
    selectors  schema  mergepatch  strategic  fieldsets      text and tree algorithms that know no storage
    kinds  catalog  crds  defaults  validation               which kinds there are and what their objects must look like
    operations      create, update, patch, apply, delete: the rules of writing
    queries  watching                                        lists in pages, streams of changes
    garbage  namespaces                                      the controllers that belong to the API itself
    http  discovery  openapi  tables  faults                 the wire
    server  objects                                          the two faces: a URL, and Python calls in the same process
"""
