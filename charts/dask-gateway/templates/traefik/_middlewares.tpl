{{/*
What requests go through, by name. The same for a proxy of ours, which reads it from a file, and for a Traefik that was
there before, which reads it from Middleware objects. libs/local's manifests.py is its counterpart without a cluster.
*/}}
{{- define "dask-gateway.middlewares" -}}
{{- $prefix := include "dask-gateway.prefix" . -}}
{{- $dashboards := .Values.gateway.dashboards -}}
{{- if $dashboards.private }}
dashboard-access:
  forwardAuth:
    address: {{ include "dask-gateway.apiAddress" . }}/dashboards/access
    # the caller's word about what it asked for would open every door
    trustForwardHeader: false
    # of these two the user's program gets what the api answers: no cookie of ours, and no credentials
    authResponseHeaders: [Cookie, Authorization]
    addAuthCookiesToResponse: [dask-gateway-dashboard]
{{- end }}
dashboard-headers:
  headers:
    # what is empty is taken away: as DashboardsGroup.headers of the configuration has it, a test compares the two
    customResponseHeaders:
      Accept-CH: ""
      Access-Control-Allow-Credentials: ""
      Access-Control-Allow-Headers: ""
      Access-Control-Allow-Methods: ""
      Access-Control-Allow-Origin: ""
      Access-Control-Expose-Headers: ""
      Alt-Svc: ""
      Clear-Site-Data: ""
      NEL: ""
      Report-To: ""
      Reporting-Endpoints: ""
      Service-Worker-Allowed: ""
      Set-Login: ""
      Strict-Transport-Security: ""
      Use-As-Dictionary: ""
      WWW-Authenticate: ""
      Content-Security-Policy: frame-ancestors {{ join " " $dashboards.frameAncestors | default "'none'" }}
      Cross-Origin-Opener-Policy: unsafe-none
      Referrer-Policy: same-origin
      X-Content-Type-Options: nosniff
clusters-prefix:
  stripPrefixRegex:
    regex: [{{ printf "%s/clusters/[a-zA-Z0-9.-]+" $prefix | quote }}]
{{- if $prefix }}
api-prefix:
  stripPrefix:
    prefixes: [{{ $prefix | quote }}]
{{- end }}
{{- end -}}
