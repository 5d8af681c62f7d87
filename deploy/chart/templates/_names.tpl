{{/* The name of all objects: that of the release. */}}
{{- define "xdsready.name" -}}
{{- .Values.nameOverride | default .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{/* The name of what belongs to no namespace. */}}
{{- define "xdsready.clusterName" -}}
xdsready:{{ .Release.Namespace }}:{{ include "xdsready.name" . }}
{{- end -}}

{{/* Labels that a selector may use: they never change. */}}
{{- define "xdsready.selector" -}}
app.kubernetes.io/name: xdsready
app.kubernetes.io/instance: {{ include "xdsready.name" . }}
{{- end -}}

{{- define "xdsready.labels" -}}
{{ include "xdsready.selector" . }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end -}}

{{- define "xdsready.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (include "xdsready.name" .) -}}
{{- end -}}

{{/* The Secret of the xDS server's certificate. */}}
{{- define "xdsready.tlsSecret" -}}
{{- .Values.tls.secret | default (printf "%s-tls" (include "xdsready.name" .)) -}}
{{- end -}}

{{/* The headless Service by which replicas find one another. */}}
{{- define "xdsready.peers" -}}
{{ include "xdsready.name" . }}-peers
{{- end -}}

{{/* Where proxies find the xDS server. */}}
{{- define "xdsready.host" -}}
{{ include "xdsready.name" . }}.{{ .Release.Namespace }}.svc
{{- end -}}
