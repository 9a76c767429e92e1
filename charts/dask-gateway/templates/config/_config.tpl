{{/* What the services read: the values themselves, in two parts. */}}

{{/* The secrets that only auth may know, by their place below gateway.auth. */}}
{{- define "dask-gateway.authSecrets" -}}
simple: [password, users]
jupyterhub: [apiToken]
oidc: [clientSecret]
custom: [config]
{{- end -}}

{{/* The values for all services, as JSON. */}}
{{- define "dask-gateway.config" -}}
{{- $values := deepCopy .Values -}}
{{- $_ := unset $values "global" -}}
{{- range $part, $keys := include "dask-gateway.authSecrets" . | fromYaml -}}
{{- range $keys -}}
{{- $_ := unset (index $values.gateway.auth $part) . -}}
{{- end -}}
{{- end -}}
{{- toJson $values -}}
{{- end -}}

{{/* The files that all services have: the values, and the operator's extensions. */}}
{{- define "dask-gateway.configData" -}}
values.json: {{ include "dask-gateway.config" . | b64enc }}
{{- range $path, $content := .Files.Glob "extensions/gateway/*" }}
{{- if not (hasPrefix "." (base $path)) }}
{{ base $path }}: {{ toString $content | b64enc }}
{{- end }}
{{- end }}
{{- end -}}

{{/*
What services start anew for: all that they read but what says how pods and policies are made. Code may look at that,
too, and finds it as it is at its next start.
*/}}
{{- define "dask-gateway.configChecksum" -}}
{{- $values := deepCopy .Values -}}
{{- range list "networkPolicies" "podDisruptionBudgets" "metrics" "crds" "rbac" -}}
{{- $_ := unset $values . -}}
{{- end -}}
{{- range $pods := list $values.gateway $values.gateway.auth $values.controller $values.traefik -}}
{{- range list "affinity" "annotations" "autoscaling" "containerSecurityContext" "image" "imagePullSecrets" "labels" "livenessProbe" "nodeSelector" "podSecurityContext" "priorityClassName" "readinessProbe" "replicas" "resources" "tolerations" "topologySpreadConstraints" -}}
{{- $_ := unset $pods . -}}
{{- end -}}
{{- end -}}
{{- include "dask-gateway.configData" (dict "Values" $values "Files" .Files) | sha256sum -}}
{{- end -}}

{{/* The values for auth alone, as JSON. */}}
{{- define "dask-gateway.authConfig" -}}
{{- $secrets := dict -}}
{{- range $part, $keys := include "dask-gateway.authSecrets" . | fromYaml -}}
{{- $known := dict -}}
{{- range $key := $keys -}}
{{- with index $.Values.gateway.auth $part $key -}}
{{- $_ := set $known $key . -}}
{{- end -}}
{{- end -}}
{{- $_ := set $secrets $part $known -}}
{{- end -}}
{{- dict "gateway" (dict "auth" $secrets) | toJson -}}
{{- end -}}
