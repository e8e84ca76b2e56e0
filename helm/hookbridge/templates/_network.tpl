{{/* What the network policy asks of the configuration. */}}

{{/* A rule. Takes a list: what it is for, the values' place with `to` and `ports`, and URLs whose ports are taken otherwise. */}}
{{- define "hookbridge.egress" -}}
{{- $ports := (index . 1).ports | default (include "hookbridge.portsOf" (index . 2) | fromJsonArray) -}}
# {{ index . 0 }}.
- ports:
    {{- range $ports }}
    - { port: {{ int . }}, protocol: TCP }
    {{- end }}
  {{- with (index . 1).to }}
  to:
{{ toYaml . | indent 4 }}
  {{- end }}
{{- end -}}

{{/* Where telemetry goes, as JSON: the values' endpoint, and those of further variables. */}}
{{- define "hookbridge.telemetryEndpoints" -}}
{{- $endpoints := compact (list .Values.telemetry.endpoint) -}}
{{- range .Values.extraEnv -}}
{{- if and (hasPrefix "OTEL_EXPORTER_OTLP_" .name) (hasSuffix "ENDPOINT" .name) .value -}}
{{- $endpoints = append $endpoints .value -}}
{{- end -}}
{{- end -}}
{{- toJson $endpoints -}}
{{- end -}}

{{/* Whether a source's provider serves its keys by URL, or has to be asked to confirm a subscription. */}}
{{- define "hookbridge.asksForKeys" -}}
{{- $served := splitList " " (include "hookbridge.presetsWithServedKeys" .) -}}
{{- $asks := false -}}
{{- range $name, $source := include "hookbridge.sources" . | fromJson -}}
{{- $provider := $source.provider -}}
{{- if kindIs "map" $provider -}}
{{- if or $provider.keys (has ($provider.extends | default "") $served) -}}{{- $asks = true -}}{{- end -}}
{{- else if has $provider $served -}}
{{- $asks = true -}}
{{- end -}}
{{- if $source.confirm_subscriptions -}}{{- $asks = true -}}{{- end -}}
{{- end -}}
{{- if $asks -}}true{{- end -}}
{{- end -}}
