{{/* What the pods of hooks have in common. They are no part of the Service: their labels are others. */}}

{{/* Takes a list: root, component. */}}
{{- define "hookbridge.hookSelectorLabels" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ include "hookbridge.name" $root | quote }}
app.kubernetes.io/instance: {{ $root.Release.Name | trunc 63 | trimSuffix "-" | quote }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* What is said of a hook's pod beside its containers. */}}
{{- define "hookbridge.hookPod" -}}
restartPolicy: Never
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
{{ toYaml . | indent 2 }}
{{- end }}
{{- range $key := list "podSecurityContext" "nodeSelector" "tolerations" "affinity" }}
{{- with get $.Values $key }}
{{ ternary "securityContext" $key (eq $key "podSecurityContext") }}:
{{ toYaml . | indent 2 }}
{{- end }}
{{- end }}
{{- with .Values.runtimeClassName }}
runtimeClassName: {{ . | quote }}
{{- end }}
{{- end -}}

{{/* What is said of a hook's container beside what it runs. */}}
{{- define "hookbridge.hookContainer" -}}
image: {{ include "hookbridge.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- with .Values.securityContext }}
securityContext:
{{ toYaml . | indent 2 }}
{{- end }}
resources:
  requests: { cpu: 50m, memory: 64Mi }
  limits: { memory: 256Mi }
{{- end -}}

{{/* What a hook's container has of the configuration and of the secrets: what hookbridge itself has. */}}
{{- define "hookbridge.hookFiles" -}}
{{- with .Values.extraEnv -}}
env:
{{ toYaml . | indent 2 }}
{{ end -}}
{{- with .Values.extraEnvFrom -}}
envFrom:
{{ toYaml . | indent 2 }}
{{ end -}}
volumeMounts:
{{ include "hookbridge.volumeMounts" . | indent 2 }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . | indent 2 }}
{{- end }}
{{- end -}}

{{/* The same as volumes. Takes a list: root, and the name of the ConfigMap. */}}
{{- define "hookbridge.hookVolumes" -}}
{{- include "hookbridge.volumes" . -}}
{{- with (index . 0).Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}
