{{/* Every name and label of the chart's objects. What users know, and what upgrades depend on, stays as it was. */}}

{{- define "dask-gateway.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* What the installation is called: the label of everything that belongs to it. */}}
{{- define "dask-gateway.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* The name of a part: (list $ "api") is api-<fullname>. */}}
{{- define "dask-gateway.nameOf" -}}
{{- printf "%s-%s" (index . 1) (include "dask-gateway.fullname" (index . 0)) | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* Whether this chart installs the proxy, a Traefik: "true" or nothing. */}}
{{- define "dask-gateway.installsTraefik" -}}
{{- if and (eq .Values.proxy.kind "traefik") .Values.traefik.installTraefik }}true{{ end -}}
{{- end -}}

{{/* A Traefik middleware: an object where Traefik was there before, else an entry of the proxy's file. */}}
{{- define "dask-gateway.middlewareRef" -}}
{{- $root := index . 0 -}}
{{- if include "dask-gateway.installsTraefik" $root -}}
name: {{ index . 1 }}@file
{{- else -}}
name: {{ include "dask-gateway.nameOf" . }}
namespace: {{ $root.Release.Namespace | quote }}
{{- end -}}
{{- end -}}

{{/* What selects a component's pods: the selector of a Deployment can't be changed. (list $ "gateway") */}}
{{- define "dask-gateway.selector" -}}
app.kubernetes.io/name: {{ include "dask-gateway.name" (index . 0) | quote }}
app.kubernetes.io/instance: {{ (index . 0).Release.Name | quote }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* The labels of a component's objects. (list $ "gateway") */}}
{{- define "dask-gateway.labels" -}}
{{- $root := index . 0 -}}
{{ include "dask-gateway.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
gateway.dask.org/instance: {{ include "dask-gateway.fullname" $root | quote }}
{{- end -}}

{{/* The service account of a component: (list $ "gateway" "api") */}}
{{- define "dask-gateway.serviceAccount" -}}
{{- $root := index . 0 -}}
{{- $own := (index $root.Values.rbac (index . 1) | default dict).serviceAccountName -}}
{{- if $own -}}
{{- $own -}}
{{- else if $root.Values.rbac.enabled -}}
{{- include "dask-gateway.nameOf" (list $root (index . 2)) -}}
{{- else -}}
default
{{- end -}}
{{- end -}}

{{/* Where requests for the api go inside of the cluster. */}}
{{- define "dask-gateway.apiAddress" -}}
http://{{ include "dask-gateway.nameOf" (list . "api") }}.{{ .Release.Namespace }}:8000
{{- end -}}

{{/* The path below which the proxy serves the gateway; empty for the root. */}}
{{- define "dask-gateway.prefix" -}}
{{- $path := .Values.gateway.prefix | default "" | trimAll "/" -}}
{{- if $path }}/{{ $path }}{{ end -}}
{{- end -}}

{{/* Whether the proxy that this chart installs speaks TLS: "true" or nothing. */}}
{{- define "dask-gateway.tls" -}}
{{- if or .Values.traefik.tls.secretName .Values.traefik.tls.certManager.issuerName }}true{{ end -}}
{{- end -}}

{{/* Whether a Traefik that was there before shows HTTPS: "true" or nothing. */}}
{{- define "dask-gateway.existingTls" -}}
{{- $existing := .Values.traefik.existing -}}
{{- if and (not (include "dask-gateway.installsTraefik" .)) (or $existing.tls $existing.tlsSecretName) }}true{{ end -}}
{{- end -}}

{{- define "dask-gateway.tlsSecret" -}}
{{- .Values.traefik.tls.secretName | default (include "dask-gateway.nameOf" (list . "tls")) -}}
{{- end -}}

{{/* The entry points of routes. */}}
{{- define "dask-gateway.webEntryPoint" -}}
{{- if not (include "dask-gateway.installsTraefik" .) -}}
{{- .Values.traefik.existing.webEntryPoint -}}
{{- else -}}
{{- ternary "websecure" "web" (eq (include "dask-gateway.tls" .) "true") -}}
{{- end -}}
{{- end -}}

{{/* Whether schedulers have a port of their own at the proxy's Service: "true" or nothing. */}}
{{- define "dask-gateway.ownTcpPort" -}}
{{- $ports := .Values.traefik.service.ports -}}
{{- $web := index $ports (ternary "websecure" "web" (eq (include "dask-gateway.tls" .) "true")) -}}
{{- if not (has (toString $ports.tcp.port) (list "web" (toString $web.port))) }}true{{ end -}}
{{- end -}}

{{- define "dask-gateway.tcpEntryPoint" -}}
{{- $existing := .Values.traefik.existing.tcpEntryPoint -}}
{{- if and $existing (not (include "dask-gateway.installsTraefik" .)) -}}
{{- $existing -}}
{{- else if include "dask-gateway.ownTcpPort" . -}}
tcp
{{- else -}}
{{- include "dask-gateway.webEntryPoint" . -}}
{{- end -}}
{{- end -}}

{{/* Where clusters run, as JSON: {"all": false, "names": [...]}. The services find the same by themselves. */}}
{{- define "dask-gateway.backendNamespaces" -}}
{{- $backend := .Values.gateway.backend -}}
{{- $names := $backend.namespaces | default list -}}
{{- if not $names -}}
{{- $names = list ($backend.namespace | default .Release.Namespace) -}}
{{- range $name, $group := .Values.gateway.groups -}}
{{- with (($group | default dict).backend | default dict).namespace -}}
{{- $names = append $names . -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $all := has "*" $names -}}
{{- range $names -}}
{{- if contains "{" . -}}
{{- $all = true -}}
{{- end -}}
{{- end -}}
{{- dict "all" $all "names" (ternary list (uniq $names) $all) | toJson -}}
{{- end -}}
