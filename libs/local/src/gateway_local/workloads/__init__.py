"""The controllers that make pods: for Deployments (by way of ReplicaSets) and Jobs.

Each is a decision and its execution in two modules. Decisions see manifests and a time and do nothing; controllers read
the stored objects, which are never behind, so that what was done a moment ago need not be remembered.

    pods  conditions                     facts and rules that they share, no I/O
    rollout  replicas  completion        decisions, no I/O
    reconciling  controller              when to look at an object again, and what all controllers do
    deployments  replicasets  jobs       the controllers

Pods and ReplicaSets that nobody owns are not adopted, and a Deployment that is scaled in the middle of a rollout grows
in its new ReplicaSet alone, not in proportion.
"""

from gateway_local.workloads.deployments import DeploymentController
from gateway_local.workloads.jobs import JobController
from gateway_local.workloads.replicasets import ReplicaSetController

__all__ = ["DeploymentController", "JobController", "ReplicaSetController"]
