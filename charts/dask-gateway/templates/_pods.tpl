{{/* What the pods of all components have in common. */}}

{{/*
A Deployment around a pod.
root; values: those of the component; name: of its objects; component: its label; account: its service account;
annotations, labels: more of its pods; elects: for those of which one pod acts at a time, whether they elect which;
spec: the rest of the pod's spec, as YAML.
*/}}
{{- define "dask-gateway.deployment" -}}
{{- $selector := include "dask-gateway.selector" (list .root .component) -}}
{{- $elects := "gateway.dask.org/leader-election" -}}
{{- $alone := false -}}
{{- if hasKey . "elects" -}}
{{- /* pods that are there and elect nobody have to be gone before: those of 2026.3.0, too */ -}}
{{- $there := lookup "apps/v1" "Deployment" .root.Release.Namespace .name -}}
{{- $alone = or (not .elects) (and $there (ne (dig "metadata" "annotations" $elects "" $there) "true")) -}}
{{- end -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace | quote }}
  labels:
    {{- include "dask-gateway.labels" (list .root .component) | nindent 4 }}
  {{- if hasKey . "elects" }}
  annotations:
    {{ $elects }}: {{ .elects | quote }}
  {{- end }}
spec:
  {{- if not (.values.autoscaling | default dict).enabled }}
  replicas: {{ .values.replicas }}
  {{- end }}
  selector:
    matchLabels:
      {{- $selector | nindent 6 }}
  strategy:
    {{- if $alone }}
    type: Recreate
    {{- else }}
    type: RollingUpdate
    rollingUpdate:
      maxSurge: 1
      maxUnavailable: 0
    {{- end }}
  template:
    metadata:
      labels:
        {{- mergeOverwrite (.values.labels | default dict | deepCopy) (include "dask-gateway.labels" (list .root .component) | fromYaml) (.labels | default dict) | toYaml | nindent 8 }}
      {{- with merge (.annotations | default dict) (.values.annotations | default dict) }}
      annotations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
    spec:
      serviceAccountName: {{ .account | quote }}
      securityContext:
        {{- include "dask-gateway.podSecurityContext" .values | nindent 8 }}
      {{- with .values.imagePullSecrets }}
      imagePullSecrets:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .values.priorityClassName }}
      priorityClassName: {{ . | quote }}
      {{- end }}
      {{- with .values.nodeSelector }}
      nodeSelector:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .values.affinity }}
      affinity:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .values.tolerations }}
      tolerations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      topologySpreadConstraints:
        {{- with .values.topologySpreadConstraints }}
        {{- toYaml . | nindent 8 }}
        {{- else }}
        {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
        - topologyKey: {{ . }}
          maxSkew: 1
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels:
              {{- $selector | nindent 14 }}
        {{- end }}
        {{- end }}
      {{- .spec | trim | nindent 6 }}
{{- end -}}

{{/* Pod Security "restricted", with what the operator says merged over it. */}}
{{- define "dask-gateway.podSecurityContext" -}}
{{- $restricted := dict "runAsNonRoot" true "runAsUser" 1000 "runAsGroup" 1000 "fsGroup" 1000 "seccompProfile" (dict "type" "RuntimeDefault") -}}
{{- mergeOverwrite $restricted (.podSecurityContext | default dict) | toYaml -}}
{{- end -}}

{{- define "dask-gateway.containerSecurityContext" -}}
{{- $restricted := dict "allowPrivilegeEscalation" false "readOnlyRootFilesystem" true "capabilities" (dict "drop" (list "ALL")) -}}
{{- mergeOverwrite $restricted (.containerSecurityContext | default dict) | toYaml -}}
{{- end -}}

{{/* name, tag and pullPolicy of an image; (list <values> <those it falls back to> <the tag without any>) */}}
{{- define "dask-gateway.image" -}}
{{- $own := index . 0 | default dict -}}
{{- $other := index . 1 | default dict -}}
image: {{ printf "%v:%v" ($own.name | default $other.name) ($own.tag | default $other.tag | default (index . 2)) | quote }}
{{- with $own.pullPolicy | default $other.pullPolicy }}
imagePullPolicy: {{ . }}
{{- end }}
{{- end -}}

{{/*
The pod of a service of ours: api, auth or controller.
root; values; service: which of them; image: as dask-gateway.image has it; port, portName;
env, volumes, mounts: more of them, as lists; probes: as YAML; grace: seconds; token: whether it calls Kubernetes;
links: whether it needs variables with the addresses of Services; drain: seconds that it still serves when it is to stop.
*/}}
{{- define "dask-gateway.servicePod" -}}
{{- $gateway := .root.Values.gateway -}}
{{- $path := "/etc/dask-gateway" -}}
{{- $ownEnv := list -}}
{{- $named := list -}}
{{- range $gateway.env -}}
{{- if and (eq .name "PYTHONPATH") .value -}}
{{- $path = printf "%s:%s" .value $path -}}
{{- else -}}
{{- $ownEnv = append $ownEnv . -}}
{{- $named = append $named .name -}}
{{- end -}}
{{- end -}}
{{- $env := list (dict "name" "DASK_GATEWAY__INSTANCE" "value" (include "dask-gateway.fullname" .root)) (dict "name" "PYTHONPATH" "value" $path) -}}
{{- $given := list -}}
{{- range concat $env (.env | default list) -}}
{{- /* a name may stand there once: what the operator says counts */ -}}
{{- if not (has .name $named) -}}
{{- $given = append $given . -}}
{{- end -}}
{{- end -}}
automountServiceAccountToken: {{ .token }}
enableServiceLinks: {{ .links | default false }}
terminationGracePeriodSeconds: {{ .grace }}
containers:
  - name: {{ .service }}
    {{- .image | nindent 4 }}
    # not `command`: an image's entry point may have something to prepare
    args: [dask-gateway-{{ .service }}]
    ports:
      - name: {{ .portName }}
        containerPort: {{ .port }}
    env:
      {{- concat $given $ownEnv | toYaml | nindent 6 }}
    {{- with .values.resources }}
    resources:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    securityContext:
      {{- include "dask-gateway.containerSecurityContext" .values | nindent 6 }}
    {{- with .probes }}
    {{- . | trim | nindent 4 }}
    {{- end }}
    {{- with .drain }}
    lifecycle:
      preStop:
        exec:
          # until nobody sends anything here any more
          command: [sleep, {{ . | quote }}]
    {{- end }}
    volumeMounts:
      # names that no volume of the operator's has
      - name: dask-gateway-config
        mountPath: /etc/dask-gateway
        readOnly: true
      - name: dask-gateway-tmp
        mountPath: /tmp
      {{- with concat (.mounts | default list) ($gateway.extraVolumeMounts | default list) }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
volumes:
  - name: dask-gateway-config
    secret:
      secretName: {{ include "dask-gateway.nameOf" (list .root "config") }}
  - name: dask-gateway-tmp
    emptyDir: {}
  {{- with concat (.volumes | default list) ($gateway.extraVolumes | default list) }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- define "dask-gateway.autoscaler" -}}
{{- $scaling := .values.autoscaling -}}
{{- if $scaling.enabled }}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace | quote }}
  labels:
    {{- include "dask-gateway.labels" (list .root .component) | nindent 4 }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: {{ .name }}
  minReplicas: {{ $scaling.minReplicas }}
  maxReplicas: {{ $scaling.maxReplicas }}
  metrics:
    - type: Resource
      resource:
        name: cpu
        target:
          type: Utilization
          averageUtilization: {{ $scaling.targetCPUUtilizationPercentage }}
{{- end }}
{{- end -}}
