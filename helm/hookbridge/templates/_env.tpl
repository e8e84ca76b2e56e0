{{/* Environment variables of hookbridge: its log, OpenTelemetry's standard ones, and those of the values, which win. */}}
{{- define "hookbridge.env" -}}
{{- $env := list (dict "name" "HOOKBRIDGE_LOG" "value" .Values.logLevel) -}}
{{- $given := list -}}
{{- range .Values.extraEnv -}}{{- $given = append $given .name -}}{{- end -}}
{{- range concat $env (include "hookbridge.telemetryEnv" . | fromJsonArray) -}}
{{- if not (has .name $given) }}
- {{ toYaml . | nindent 2 | trim }}
{{- end -}}
{{- end -}}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end -}}
{{- end -}}

{{- define "hookbridge.telemetryEnv" -}}
{{- $env := list -}}
{{- $telemetry := .Values.telemetry -}}
{{- $plain := dict
  "OTEL_EXPORTER_OTLP_ENDPOINT" $telemetry.endpoint
  "OTEL_EXPORTER_OTLP_PROTOCOL" $telemetry.protocol
  "OTEL_EXPORTER_OTLP_CERTIFICATE" $telemetry.certificate
  "OTEL_TRACES_EXPORTER" $telemetry.traces
  "OTEL_METRICS_EXPORTER" $telemetry.metrics
  "OTEL_LOGS_EXPORTER" $telemetry.logs
  "OTEL_TRACES_SAMPLER" $telemetry.sampler
  "OTEL_TRACES_SAMPLER_ARG" $telemetry.samplerArgument -}}
{{- if include "hookbridge.exportsTelemetry" . -}}
{{- range $name, $field := dict "POD_NAME" "metadata.name" "POD_UID" "metadata.uid" "POD_NAMESPACE" "metadata.namespace" "NODE_NAME" "spec.nodeName" -}}
{{- $env = append $env (dict "name" $name "valueFrom" (dict "fieldRef" (dict "apiVersion" "v1" "fieldPath" $field))) -}}
{{- end -}}
{{- range $name, $value := $plain -}}
{{- if $value -}}{{- $env = append $env (dict "name" $name "value" (toString $value)) -}}{{- end -}}
{{- end -}}
{{- with $telemetry.headersSecret -}}
{{- $env = append $env (dict "name" "OTEL_EXPORTER_OTLP_HEADERS" "valueFrom" (dict "secretKeyRef" .)) -}}
{{- end -}}
{{- $attributes := list
  "k8s.pod.name=$(POD_NAME)" "k8s.pod.uid=$(POD_UID)" "k8s.namespace.name=$(POD_NAMESPACE)" "k8s.node.name=$(NODE_NAME)"
  "service.instance.id=$(POD_UID)"
  (printf "k8s.deployment.name=%s" (include "hookbridge.fullname" .))
  (printf "service.namespace=%s" .Release.Namespace) -}}
{{- range $name, $value := $telemetry.resourceAttributes -}}
{{- $attributes = append $attributes (printf "%s=%s" $name (toString $value | replace "%" "%25" | replace "," "%2C" | replace "=" "%3D" | replace ";" "%3B" | replace " " "%20")) -}}
{{- end -}}
{{- $env = append $env (dict "name" "OTEL_RESOURCE_ATTRIBUTES" "value" (join "," $attributes)) -}}
{{- end -}}
{{- toJson $env -}}
{{- end -}}

{{/* Whether anything goes to a collector, or is said of it. */}}
{{- define "hookbridge.exportsTelemetry" -}}
{{- with .Values.telemetry -}}
{{- if or .endpoint .traces .metrics .logs -}}true{{- end -}}
{{- end -}}
{{- end -}}
