{{/* Service accounts, and the rights that go with them. */}}

{{/*
A service account with roles, unless the operator brings one.
root; key: of the component in `rbac`; name: of its objects; component: its label;
local: rules in the gateway's own namespace, or in localNamespace; backend: rules wherever clusters run; wide: rules in the whole cluster.
*/}}
{{- define "dask-gateway.rights" -}}
{{- $root := .root -}}
{{- $name := .name -}}
{{- $wideName := printf "%s-%s" $name $root.Release.Namespace -}}
{{- $labels := include "dask-gateway.labels" (list .root .component) -}}
{{- if and $root.Values.rbac.enabled (not (index $root.Values.rbac .key).serviceAccountName) }}
{{- $namespaces := include "dask-gateway.backendNamespaces" $root | fromJson -}}
{{- $inNamespaces := dict -}}
{{- range $namespaces.names -}}
{{- $_ := set $inNamespaces . ($.backend | default list) -}}
{{- end -}}
{{- $home := .localNamespace | default $root.Release.Namespace -}}
{{- $local := concat (index $inNamespaces $home | default list) (.local | default list) | uniq -}}
{{- if $local -}}
{{- $_ := set $inNamespaces $home $local -}}
{{- end -}}
{{- $wide := concat (.wide | default list) (ternary (.backend | default list) list $namespaces.all) -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ $name }}
  namespace: {{ $root.Release.Namespace | quote }}
  labels:
    {{- $labels | nindent 4 }}
automountServiceAccountToken: false
{{- range $namespace, $rules := $inNamespaces }}
{{- if $rules }}
{{- /* another installation may run clusters there, too */}}
{{- $roleName := ternary $name $wideName (eq $namespace $root.Release.Namespace) }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: {{ $roleName }}
  namespace: {{ $namespace | quote }}
  labels:
    {{- $labels | nindent 4 }}
rules:
  {{- toYaml $rules | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {{ $roleName }}
  namespace: {{ $namespace | quote }}
  labels:
    {{- $labels | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: {{ $roleName }}
subjects:
  - kind: ServiceAccount
    name: {{ $name }}
    namespace: {{ $root.Release.Namespace | quote }}
{{- end }}
{{- end }}
{{- if $wide }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: {{ $wideName }}
  labels:
    {{- $labels | nindent 4 }}
rules:
  {{- toYaml $wide | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: {{ $wideName }}
  labels:
    {{- $labels | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: {{ $wideName }}
subjects:
  - kind: ServiceAccount
    name: {{ $name }}
    namespace: {{ $root.Release.Namespace | quote }}
{{- end }}
{{- end }}
{{- end -}}
