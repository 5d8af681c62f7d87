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
- --drain-window={{ .Values.drainWindowSeconds }}s
- --termination-grace={{ .Values.terminationGracePeriodSeconds }}s
- --max-connection-age={{ .Values.maxConnectionAge }}
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
{{- if .Values.peers.enabled }}
- --peers=dns:///{{ include "xdsready.peers" . }}.{{ .Release.Namespace }}.svc:18000
- --peers-deadline={{ .Values.peers.deadline }}
- --balance={{ .Values.peers.balance }}
- --peer-san={{ include "xdsready.host" . }}
{{- if .Values.identity.tokenAudience }}
- --peer-ca=/etc/xdsready/tls/ca.crt
- --peer-token-file=/etc/xdsready/peer/token
{{- end }}
{{- end }}
- --log-format={{ .Values.logFormat }}
{{- range .Values.extraArgs }}
- {{ . | quote }}
{{- end }}
{{- end -}}
