{{/*
Secrets, as files and as environment variables: what is mounted, and what the configuration refers to.
*/}}

{{- define "hookbridge.secretsDirectory" -}}/var/run/secrets/hookbridge{{- end -}}

{{/* The Secret that stands behind an entry of `secrets`. Takes a list: root, name, entry. */}}
{{- define "hookbridge.secretName" -}}
{{- $root := index . 0 -}}
{{- $name := index . 1 -}}
{{- $entry := index . 2 -}}
{{- if $entry.existingSecret -}}
{{- tpl $entry.existingSecret $root -}}
{{- else if $entry.externalSecret -}}
{{- $entry.externalSecret.secretName | default (include "hookbridge.objectName" (list $root $name)) -}}
{{- else if and $entry.csi $entry.csi.secretProviderClass -}}
{{- $entry.csi.secretProviderClass -}}
{{- else -}}
{{- include "hookbridge.objectName" (list $root $name) -}}
{{- end -}}
{{- end -}}

{{/* A legal name for an object of the release about `name`: what had to be altered carries a hash. */}}
{{- define "hookbridge.objectName" -}}
{{- $root := index . 0 -}}
{{- $name := index . 1 -}}
{{- $legal := $name | lower | replace "_" "-" | replace "." "-" | trunc 40 | trimAll "-" -}}
{{- if ne $legal $name -}}
{{- $legal = printf "%s-%s" $legal (sha256sum $name | trunc 8) -}}
{{- end -}}
{{- printf "%s-%s" (include "hookbridge.fullname" $root) $legal -}}
{{- end -}}

{{- define "hookbridge.kafkaCertificateSecret" -}}
{{- .Values.certificates.kafka.secretName | default (printf "%s-kafka-client" (include "hookbridge.fullname" .)) -}}
{{- end -}}

{{- define "hookbridge.httpCertificateSecret" -}}
{{- .Values.certificates.http.secretName | default (printf "%s-tls" (include "hookbridge.fullname" .)) -}}
{{- end -}}

{{/* What is mounted, as a JSON list: name, and the volume's source. */}}
{{- define "hookbridge.mounts" -}}
{{- $mounts := list -}}
{{- range $name, $entry := .Values.secrets -}}
{{- $secret := include "hookbridge.secretName" (list $ $name $entry) -}}
{{- $source := dict -}}
{{- if $entry.csi -}}
{{- $csi := dict "driver" "secrets-store.csi.k8s.io" "readOnly" true "volumeAttributes" (dict "secretProviderClass" $secret) -}}
{{- with $entry.csi.nodePublishSecretRef -}}{{- $_ := set $csi "nodePublishSecretRef" . -}}{{- end -}}
{{- $source = dict "csi" $csi -}}
{{- else -}}
{{- $of := dict "secretName" $secret "defaultMode" 288 -}}
{{- with $entry.items -}}{{- $_ := set $of "items" . -}}{{- end -}}
{{- if $entry.optional -}}{{- $_ := set $of "optional" true -}}{{- end -}}
{{- $source = dict "secret" $of -}}
{{- end -}}
{{- $mounts = append $mounts (dict "name" $name "source" $source "items" ($entry.items | default list)) -}}
{{- end -}}
{{- if .Values.certificates.kafka.enabled -}}
{{- $source := dict "secret" (dict "secretName" (include "hookbridge.kafkaCertificateSecret" .) "defaultMode" 288) -}}
{{- $mounts = append $mounts (dict "name" "kafka-client" "source" $source "items" list) -}}
{{- end -}}
{{- toJson $mounts -}}
{{- end -}}

{{/* The name of the volume for a mount. */}}
{{- define "hookbridge.volumeName" -}}
{{- $legal := printf "secret-%s" (. | lower | replace "_" "-" | replace "." "-") | trunc 50 | trimSuffix "-" -}}
{{- if ne $legal (printf "secret-%s" .) -}}
{{- $legal = printf "%s-%s" $legal (sha256sum . | trunc 8) -}}
{{- end -}}
{{- $legal -}}
{{- end -}}

{{/* Volumes of the configuration and of the secrets. Takes a list: root, and the name of the ConfigMap. */}}
{{- define "hookbridge.volumes" -}}
{{- $root := index . 0 -}}
- name: config
  configMap:
    name: {{ index . 1 | quote }}
{{- range include "hookbridge.mounts" $root | fromJsonArray }}
- name: {{ include "hookbridge.volumeName" .name }}
{{ toYaml .source | indent 2 }}
{{- end }}
{{- end -}}

{{/* As directories, never as a subPath, which Kubernetes does not update. */}}
{{- define "hookbridge.volumeMounts" -}}
- name: config
  mountPath: /etc/hookbridge
  readOnly: true
{{- range include "hookbridge.mounts" . | fromJsonArray }}
- name: {{ include "hookbridge.volumeName" .name }}
  mountPath: {{ include "hookbridge.secretsDirectory" . }}/{{ .name }}
  readOnly: true
{{- end }}
{{- end -}}

{{/*
What a part of the configuration refers to, as JSON: `files`, those below the directory of secrets and every `file` of a secret, and
`env`, names of variables. Takes that part, whatever it is.
*/}}
{{- define "hookbridge.references" -}}
{{- $files := list -}}
{{- $env := list -}}
{{- $inner := list -}}
{{- if kindIs "map" . -}}
{{- $keys := keys . -}}
{{- if and (eq (len $keys) 1) (eq (first $keys) "env") (kindIs "string" .env) -}}
{{- $env = append $env .env -}}
{{- else if and (hasKey . "env") (kindIs "string" .env) (not (omit . "env" "name" "not_before" "not_after")) -}}
{{- $env = append $env .env -}}
{{- else -}}
{{- if and (kindIs "string" .file) (not (omit . "file" "name" "not_before" "not_after")) -}}{{- $files = append $files .file -}}{{- end -}}
{{- range . -}}{{- $inner = append $inner . -}}{{- end -}}
{{- end -}}
{{- else if kindIs "slice" . -}}
{{- $inner = . -}}
{{- else if kindIs "string" . -}}
{{- if hasPrefix (printf "%s/" (include "hookbridge.secretsDirectory" .)) . -}}
{{- $files = append $files . -}}
{{- end -}}
{{- end -}}
{{- range $inner -}}
{{- $found := include "hookbridge.references" . | fromJson -}}
{{- $files = concat $files $found.files -}}
{{- $env = concat $env $found.env -}}
{{- end -}}
{{- dict "files" ($files | uniq | sortAlpha) "env" ($env | uniq | sortAlpha) | toJson -}}
{{- end -}}

{{/* The same of the whole configuration, but for what holds no secret and could look like one: an event type `env`, say. */}}
{{- define "hookbridge.referencesOfConfig" -}}
{{- $parts := omit (.Values.config | default dict) "sources" "topics" -}}
{{- $sources := list -}}
{{- range $name, $source := include "hookbridge.sources" . | fromJson -}}
{{- $sources = append $sources (omit $source "topics" "parameters" "provider") -}}
{{- end -}}
{{- include "hookbridge.references" (list $parts $sources .Values.telemetry.certificate) -}}
{{- end -}}

{{/*
The source that `helm test` sends to: the one that is named, or the first for which somebody else than the provider can sign. Empty
if there is none.
*/}}
{{- define "hookbridge.testSource" -}}
{{- $private := splitList " " (include "hookbridge.presetsWithPrivateKeys" .) -}}
{{- $asymmetric := list "ed25519" "ecdsa-p256-sha256" "rsa-sha256" "rsa-sha512" "jwt-rs256" "jwt-es256" -}}
{{- $found := "" -}}
{{- range $name, $source := include "hookbridge.sources" . | fromJson -}}
{{- $provider := $source.provider -}}
{{- $preset := $provider -}}
{{- $algorithm := "" -}}
{{- if kindIs "map" $provider -}}
{{- $preset = $provider.extends | default "" -}}
{{- $algorithm = ($provider.signature | default dict).algorithm | default "" -}}
{{- end -}}
{{- $signs := or $source.danger_accept_unsigned (not (or (has $preset $private) (has $algorithm $asymmetric))) -}}
{{- if and $signs (not $found) (or (eq $.Values.test.source $name) (not $.Values.test.source)) -}}
{{- $found = $name -}}
{{- end -}}
{{- end -}}
{{- $found -}}
{{- end -}}
