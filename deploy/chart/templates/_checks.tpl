{{/* What the schema cannot say: values that do not go together. */}}
{{- define "xdsready.checks" -}}
{{- with .Values -}}
  {{- if and (eq .admission "hold") .service.publishNotReadyAddresses (gt (int .replicas) 1) -}}
    {{- fail (printf "admission: hold with service.publishNotReadyAddresses and %d replicas keeps proxies waiting at a replica that is not ready while another is. Use admission=refuse, or replicas=1." (int .replicas)) -}}
  {{- end -}}
  {{- $leaving := add .preStopSleepSeconds .drainDelaySeconds -}}
  {{- if ge (int $leaving) (int .terminationGracePeriodSeconds) -}}
    {{- fail (printf "terminationGracePeriodSeconds is %d: it must be above preStopSleepSeconds + drainDelaySeconds = %d, or the kubelet kills the process before it has drained." (int .terminationGracePeriodSeconds) $leaving) -}}
  {{- end -}}
  {{- if and .identity.tokenAudience .identity.mtls.clientCASecret -}}
    {{- fail "identity: set either tokenAudience or mtls.clientCASecret. For mTLS also give --set identity.tokenAudience=" -}}
  {{- end -}}
  {{- if not (or .identity.tokenAudience .identity.mtls.clientCASecret) -}}
    {{- fail "identity: set tokenAudience or mtls.clientCASecret. Without one any pod could fetch the TLS keys of any Gateway." -}}
  {{- end -}}
{{- end -}}
{{- end -}}
