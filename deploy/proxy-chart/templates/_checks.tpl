{{/* What the schema cannot say: values that do not go together. */}}
{{- define "proxy.checks" -}}
{{- with .Values -}}
  {{- if not .gateway.name -}}
    {{- fail "gateway.name is required: the Gateway that these proxies serve." -}}
  {{- end -}}
  {{- if not (or .controlPlane.ca .controlPlane.caConfigMap) -}}
    {{- fail "controlPlane: set ca (--set-file controlPlane.ca=ca.crt) or caConfigMap. Without a CA the proxies could not tell whom they talk to." -}}
  {{- end -}}
  {{- if and .controlPlane.ca .controlPlane.caConfigMap -}}
    {{- fail "controlPlane: set either ca or caConfigMap." -}}
  {{- end -}}
  {{- if and .identity.tokenAudience .identity.certificateSecret -}}
    {{- fail "identity: set either tokenAudience or certificateSecret. For a certificate also give --set identity.tokenAudience=" -}}
  {{- end -}}
  {{- if not (or .identity.tokenAudience .identity.certificateSecret) -}}
    {{- fail "identity: set tokenAudience or certificateSecret, as the control plane asks for it." -}}
  {{- end -}}
  {{- if ge (int .drain.seconds) (int .terminationGracePeriodSeconds) -}}
    {{- fail (printf "terminationGracePeriodSeconds is %d: it must be above drain.seconds = %d, or the kubelet kills Envoy while it drains." (int .terminationGracePeriodSeconds) (int .drain.seconds)) -}}
  {{- end -}}
{{- end -}}
{{- end -}}
