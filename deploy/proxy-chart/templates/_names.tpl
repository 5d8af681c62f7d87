{{/* The name of all objects but the ServiceAccount: that of the release. */}}
{{- define "proxy.name" -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "proxy.namespace" -}}
{{- .Values.gateway.namespace | default .Release.Namespace -}}
{{- end -}}

{{/* Labels that a selector may use: they never change. */}}
{{- define "proxy.selector" -}}
app.kubernetes.io/name: xdsready-proxy
app.kubernetes.io/instance: {{ include "proxy.name" . }}
{{- end -}}

{{- define "proxy.labels" -}}
{{ include "proxy.selector" . }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
gateway.networking.k8s.io/gateway-name: {{ .Values.gateway.name }}
{{- end -}}

{{- define "proxy.caConfigMap" -}}
{{- .Values.controlPlane.caConfigMap | default (printf "%s-ca" (include "proxy.name" .)) -}}
{{- end -}}
