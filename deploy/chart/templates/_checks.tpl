{{/* What the schema cannot say: values that do not go together. */}}
{{- define "xdsready.checks" -}}
{{- with .Values -}}
  {{- if and (eq .admission "hold") .service.publishNotReadyAddresses (gt (int .replicas) 1) -}}
    {{- fail (printf "admission: hold with service.publishNotReadyAddresses and %d replicas keeps proxies waiting at a replica that is not ready while another is. Use admission=refuse, or replicas=1." (int .replicas)) -}}
  {{- end -}}
  {{- $grace := int .terminationGracePeriodSeconds -}}
  {{- $drain := add .drainDelaySeconds .drainWindowSeconds 5 | int -}}
  {{- if gt $drain $grace -}}
    {{- fail (printf "terminationGracePeriodSeconds is %d: it must be at least drainDelaySeconds + drainWindowSeconds + 5 (for the last stream to come to rest) = %d, or the kubelet kills the process while it drains." $grace $drain) -}}
  {{- end -}}
  {{- with index .podAnnotations "config.alpha.linkerd.io/proxy-wait-before-exit-seconds" -}}
    {{- if not (and (lt $drain (int .)) (lt (int .) $grace)) -}}
      {{- fail (printf "podAnnotations: Linkerd's proxy waits %s s before it exits: it must be more than the drain takes, %d s, and less than terminationGracePeriodSeconds, %d. Streams end with the proxy." . $drain $grace) -}}
    {{- end -}}
  {{- end -}}
  {{- if and .identity.tokenAudience .identity.mtls.clientCASecret -}}
    {{- fail "identity: set either tokenAudience or mtls.clientCASecret. For mTLS also give --set identity.tokenAudience=" -}}
  {{- end -}}
  {{- if not (or .identity.tokenAudience .identity.mtls.clientCASecret) -}}
    {{- fail "identity: set tokenAudience or mtls.clientCASecret. Without one any pod could fetch the TLS keys of any Gateway." -}}
  {{- end -}}
  {{- if and .peers.enabled .identity.mtls.clientCASecret (not .tls.secret) -}}
    {{- fail "peers: with mTLS replicas know one another by their own certificate, of the CA in identity.mtls.clientCASecret: give it as tls.secret, or set peers.enabled=false." -}}
  {{- end -}}
{{- end -}}
{{- end -}}
