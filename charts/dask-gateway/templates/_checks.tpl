{{/* What can't work is said before anything is changed. Types and typos are values.schema.json's to find. */}}
{{- define "dask-gateway.checks" -}}
{{- $auth := .Values.gateway.auth -}}
{{- $types := $auth.types | default (list $auth.type) -}}
{{- if and (has "custom" $types) (not $auth.custom.class) -}}
{{- fail "\ngateway.auth.custom.class: set it to the authenticator class, with its module" -}}
{{- end -}}
{{- if and (has "oidc" $types) (not $auth.oidc.issuer) -}}
{{- fail "\ngateway.auth.oidc.issuer: set it to the issuer's address" -}}
{{- end -}}
{{- if and (has "kerberos" $types) (not $auth.kerberos.keytab) (not $auth.kerberos.keytabFromSecretName) -}}
{{- fail "\ngateway.auth.kerberos: set keytabFromSecretName to a Secret with the keytab, or keytab to a file that gateway.extraVolumes brings" -}}
{{- end -}}
{{- if and (has "jupyterhub" $types) (not $auth.jupyterhub.apiToken) (not $auth.jupyterhub.apiTokenFromSecretName) -}}
{{- fail "\ngateway.auth.jupyterhub: set apiToken, or apiTokenFromSecretName to a Secret with it" -}}
{{- end -}}
{{- if eq .Values.proxy.kind "gatewayAPI" -}}
{{- if not .Values.proxy.gatewayAPI.gateway -}}
{{- fail "\nproxy.gatewayAPI.gateway: set it to the name of the Gateway that serves the routes" -}}
{{- end -}}
{{- if and .Values.gateway.dashboards.private (not .Values.proxy.gatewayAPI.dashboardFilters) -}}
{{- fail "\nproxy.gatewayAPI.dashboardFilters: the Gateway API has no filter of its own that asks the api who may see a cluster's pages. Set it to one of your Gateway's, or gateway.dashboards.private to false if everybody may see them" -}}
{{- end -}}
{{- end -}}
{{- if and (include "dask-gateway.tls" .) (not (include "dask-gateway.installsTraefik" .)) -}}
{{- fail "\ntraefik.tls is for the Traefik that this chart installs: for one that is there already use traefik.existing" -}}
{{- end -}}
{{- if and (include "dask-gateway.installsTraefik" .) (not .Values.traefik.image.tag) -}}
{{- fail "\ntraefik.image.tag: set it to a version of Traefik" -}}
{{- end -}}
{{- with .Values.traefik.tls.certManager -}}
{{- if and .issuerName (not .hosts) -}}
{{- fail "\ntraefik.tls.certManager.hosts: name the hosts that the certificate is for" -}}
{{- end -}}
{{- end -}}
{{- range $name, $values := dict "gateway" .Values.gateway "gateway.auth" $auth "traefik" .Values.traefik -}}
{{- with $values.autoscaling -}}
{{- $resources := $values.resources | default dict -}}
{{- /* Kubernetes takes a limit for a request where there is none */ -}}
{{- if and .enabled (not (or (dig "requests" "cpu" "" $resources) (dig "limits" "cpu" "" $resources))) -}}
{{- fail (printf "\n%s.autoscaling: set %s.resources.requests.cpu, of which the utilization is a part" $name $name) -}}
{{- end -}}
{{- if and .enabled (lt (int .minReplicas) 1) -}}
{{- fail (printf "\n%s.autoscaling.minReplicas: at least 1" $name) -}}
{{- end -}}
{{- if and .enabled (gt (int .minReplicas) (int .maxReplicas)) -}}
{{- fail (printf "\n%s.autoscaling: minReplicas is more than maxReplicas" $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- include "dask-gateway.checkAbandoned" . -}}
{{- if and (gt (int .Values.controller.replicas) 1) (not .Values.controller.leaderElection) -}}
{{- fail "\ncontroller.leaderElection: without it there must never be two controllers; set controller.replicas to 1" -}}
{{- end -}}
{{- end -}}


{{/*
Clusters in a namespace that the release before this had, and this one has not, would be nobody's. Where somebody has
deleted the definition there are none, and to ask for them is an error; one that Helm doesn't make it may not see, either.
*/}}
{{- define "dask-gateway.checkAbandoned" -}}
{{- $before := lookup "v1" "Secret" .Release.Namespace (include "dask-gateway.nameOf" (list . "config")) -}}
{{- $values := index ($before.data | default dict) "values.json" | default "e30=" | b64dec | fromJson -}}
{{- $isDefined := true -}}
{{- if .Values.crds.enabled -}}
{{- $isDefined = lookup "apiextensions.k8s.io/v1" "CustomResourceDefinition" "" "daskclusters.gateway.dask.org" -}}
{{- end -}}
{{- with and $isDefined $values.gateway -}}
{{- $then := include "dask-gateway.backendNamespaces" (dict "Values" $values "Release" $.Release) | fromJson -}}
{{- $now := include "dask-gateway.backendNamespaces" $ | fromJson -}}
{{- range $namespace := ternary list $then.names $now.all -}}
{{- if not (has $namespace $now.names) -}}
{{- range (lookup "gateway.dask.org/v1alpha1" "DaskCluster" $namespace "").items -}}
{{- $isOurs := eq (include "dask-gateway.fullname" $) (dig "labels" "gateway.dask.org/instance" "" .metadata) -}}
{{- if and $isOurs (not (has (dig "phase" "" (.status | default dict)) (list "Stopped" "Failed"))) -}}
{{- fail (printf "\ngateway.backend.namespace: cluster %s still runs in %s, and nobody would look after it any more. Add %s to gateway.backend.namespaces until its clusters have ended, or stop them" .metadata.name $namespace $namespace) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
