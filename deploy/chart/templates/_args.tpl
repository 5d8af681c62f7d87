{{/* The command line of "xdsready serve". */}}
{{- define "xdsready.args" -}}
- serve
- --source=kubernetes
- --controller-name={{ .Values.controllerName }}
{{- with .Values.optionalCRDs }}
- --optional-crds={{ join "," . }}
{{- end }}
- --admission={{ .Values.admission }}
{{- if eq .Values.admission "hold" }}
- --hold-timeout={{ .Values.holdTimeout }}
{{- end }}
- --drain-delay={{ .Values.drainDelaySeconds }}s
- --xds-address=:18000
- --http-address=:8080
- --tls-cert=/etc/xdsready/tls/tls.crt
- --tls-key=/etc/xdsready/tls/tls.key
{{- with .Values.identity }}
{{- if .tokenAudience }}
- --token-audience={{ .tokenAudience }}
{{- else }}
- --tls-client-ca=/etc/xdsready/client-ca/ca.crt
- {{ printf "--group-san=*=%s" .mtls.san | quote }}
{{- end }}
{{- end }}
- --log-format={{ .Values.logFormat }}
{{- range .Values.extraArgs }}
- {{ . | quote }}
{{- end }}
{{- end -}}
