"""The whole gateway on one machine, without Kubernetes and without containers.

`python -m gateway_local up` starts it. Its parts:

apiserver   a Kubernetes API server in memory, over HTTP
kubelet     runs pods as processes, each on a loopback address of its own
endpoints   keeps the EndpointSlices of services
gateway     puts it together: these three, the gateway's own services, and Traefik

It is what people try the gateway on and what the tests run on. No part of it is for production: state is in
memory, and pods are not isolated from each other.
"""
