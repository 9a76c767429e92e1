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
