"""The kubelet: runs the pods that are bound to its node, and reports on them as Kubernetes does.

`Kubelet` runs each container as a process of this machine, on a loopback address of the pod's own; `SimulatedKubelet`
runs nothing. Neither decides where pods go (`gateway_local.scheduling`) nor which pods a service has
(`gateway_local.endpoints`), and neither changes a pod's spec: what containers need of a network and a file system of
their own is made around their processes. Only mount paths are translated in commands, since nothing can be mounted.

    addresses  images  restarts  states  status     facts and rules, no I/O
    environment  volumes  sandbox  launch           what a container gets to see
    supervisor  runtime                             processes, and that none outlives the kubelet
    services  dns  podshim/                         a pod's network, as its processes see it
    forwarding                                      ways into it for all others
    logs  podlogs  probes  container  pod           what goes on in a pod
    node  kubelet  simulated                        the kubelets
"""

from gateway_local.kubelet.images import Image
from gateway_local.kubelet.kubelet import Kubelet
from gateway_local.kubelet.simulated import SimulatedKubelet

__all__ = ["Image", "Kubelet", "SimulatedKubelet"]
