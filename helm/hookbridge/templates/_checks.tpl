{{/*
What can't work, and what no schema can say: everything that is wrong is said at once, with the key and what to do. `helm lint`
passes over it, as over every `fail`.
*/}}

{{- define "hookbridge.checks" -}}
{{- $faults := list -}}
{{- range list "configuration" "references" "scaling" "exposure" "monitoring" "strimzi" "test" -}}
{{- $faults = concat $faults (include (printf "hookbridge.checks.%s" .) $ | fromJsonArray) -}}
{{- end -}}
{{- if $faults -}}
{{- fail (printf "\n\nhookbridge: these values can't work:\n- %s\n" (join "\n- " $faults)) -}}
{{- end -}}
{{- end -}}

{{- define "hookbridge.checks.configuration" -}}
{{- $faults := list -}}
{{- $config := .Values.config | default dict -}}
{{- $kafka := $config.kafka | default dict -}}
{{- if not (get $kafka "bootstrap.servers" | default (get $kafka "metadata.broker.list")) -}}
{{- $faults = append $faults "config.kafka: `bootstrap.servers` is missing; write where Kafka is, such as `bootstrap.servers: kafka:9092`" -}}
{{- end -}}
{{- if not (include "hookbridge.sources" . | fromJson) -}}
{{- $faults = append $faults "config.sources: there is no source that is enabled; write one, such as `billing: { provider: stripe, secrets: [...] }`" -}}
{{- end -}}
{{- $presets := include "hookbridge.presets" . | splitList " " -}}
{{- range $name, $source := include "hookbridge.sources" . | fromJson -}}
{{- $preset := $source.provider -}}
{{- if kindIs "map" $preset -}}{{- $preset = $preset.extends -}}{{- end -}}
{{- if and $preset (not (has $preset $presets)) -}}
{{- $faults = append $faults (printf "config.sources.%s.provider: there is no preset `%s`; docs/providers.md and `hookbridge providers` list them" $name $preset) -}}
{{- end -}}
{{- end -}}
{{- range $section, $address := dict "server" ($config.server | default dict).listen "admin" ($config.admin | default dict).listen -}}
{{- if $address -}}
{{- if or (hasPrefix "127." $address) (hasPrefix "localhost:" $address) (hasPrefix "[::1]" $address) -}}
{{- $faults = append $faults (printf "config.%s.listen: nothing outside of the pod reaches `%s`; write `0.0.0.0:PORT` or `[::]:PORT`" $section $address) -}}
{{- end -}}
{{- if not (regexMatch "^(\\[[0-9A-Fa-f:.%]+\\]|[0-9]+(\\.[0-9]+){3}):[0-9]+$" $address) -}}
{{- $faults = append $faults (printf "config.%s.listen: `%s` is no address and port; write `0.0.0.0:PORT` or `[::]:PORT`" $section $address) -}}
{{- else if not (regexMatch ":0*[1-9][0-9]*$" $address) -}}
{{- $faults = append $faults (printf "config.%s.listen: `%s` has no port that a Service could name" $section $address) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if eq (include "hookbridge.httpPort" .) (include "hookbridge.adminPort" .) -}}
{{- $faults = append $faults "config.admin.listen: it has the port of config.server.listen" -}}
{{- end -}}
{{- with .Values.terminationGracePeriodSeconds -}}
{{- if lt (int .) (include "hookbridge.gracePeriod" $ | int) -}}
{{- $faults = append $faults (printf "terminationGracePeriodSeconds: %v is less than %s: preStopSleepSeconds, config.server.shutdown_delay, config.server.shutdown_grace and 5 s; leave it out" . (include "hookbridge.gracePeriod" $)) -}}
{{- end -}}
{{- end -}}
{{- range (kindIs "slice" ($config.schema_registry | default dict).url | ternary ($config.schema_registry | default dict).url (list ($config.schema_registry | default dict).url)) -}}
{{- if regexMatch "://[^/]*@" (. | default "" | toString) -}}
{{- $faults = append $faults "config.schema_registry.url: a URL must not hold credentials; write `username` and `password: { file: PATH }` beside it" -}}
{{- end -}}
{{- end -}}
{{- toJson $faults -}}
{{- end -}}

{{- define "hookbridge.checks.references" -}}
{{- $faults := list -}}
{{- range $name, $entry := .Values.secrets -}}
{{- if ne (len (omit $entry "items" "optional")) 1 -}}
{{- $faults = append $faults (printf "secrets.%s: give one of existingSecret, externalSecret and csi" $name) -}}
{{- else if and $entry.csi (or $entry.items $entry.optional) -}}
{{- $faults = append $faults (printf "secrets.%s: what a CSI volume has says its SecretProviderClass; leave out items and optional" $name) -}}
{{- else if and $entry.csi $entry.csi.secretProviderClass (or $entry.csi.provider $entry.csi.parameters) -}}
{{- $faults = append $faults (printf "secrets.%s.csi: give a secretProviderClass that is there, or provider and parameters for one that is made" $name) -}}
{{- else if and $entry.externalSecret (not $entry.externalSecret.data) (not $entry.externalSecret.dataFrom) -}}
{{- $faults = append $faults (printf "secrets.%s.externalSecret: give data or dataFrom" $name) -}}
{{- end -}}
{{- end -}}
{{- $mounts := dict -}}
{{- range include "hookbridge.mounts" . | fromJsonArray -}}
{{- $paths := list -}}
{{- range .items -}}{{- $paths = append $paths .path -}}{{- end -}}
{{- if hasKey $mounts .name -}}
{{- $faults = append $faults (printf "secrets.%s: certificates.kafka is mounted under this name; give the secret another" .name) -}}
{{- end -}}
{{- $_ := set $mounts .name $paths -}}
{{- end -}}
{{- $given := dict -}}
{{- range .Values.extraEnv -}}
{{- $_ := set $given .name (ternary "reference" "value" (hasKey . "valueFrom")) -}}
{{- end -}}
{{- range .Values.extraEnv -}}
{{- if regexMatch "^(whsec_|whsk_|sk_live_|sk_test_|rk_live_|shpss_|xox[abp]-|ghp_|github_pat_)" (.value | default "" | toString) -}}
{{- $faults = append $faults (printf "extraEnv: the value of `%s` looks like a secret; write `valueFrom: { secretKeyRef: { name: NAME, key: KEY } }`" .name) -}}
{{- end -}}
{{- end -}}
{{- $prefix := printf "%s/" (include "hookbridge.secretsDirectory" .) -}}
{{- $found := include "hookbridge.referencesOfConfig" . | fromJson -}}
{{- range $file := $found.files -}}
{{- $parts := regexSplit "/" (trimPrefix $prefix .) 2 -}}
{{- $name := first $parts -}}
{{- if not (hasPrefix $prefix .) -}}
{{- $isMounted := false -}}
{{- range $.Values.extraVolumeMounts -}}
{{- if or (eq .mountPath $file) (hasPrefix (printf "%s/" (trimSuffix "/" .mountPath)) $file) -}}{{- $isMounted = true -}}{{- end -}}
{{- end -}}
{{- if not $isMounted -}}
{{- $faults = append $faults (printf "config: `%s` is in no volume; write it as `%sNAME/KEY`, with `secrets.NAME`, or mount it by extraVolumes and extraVolumeMounts" . $prefix) -}}
{{- end -}}
{{- else if not (hasKey $mounts $name) -}}
{{- $faults = append $faults (printf "config: `%s` is in no secret; write `secrets.%s` with `existingSecret: NAME` (there are: %s)" . $name (keys $mounts | sortAlpha | join ", " | default "none")) -}}
{{- else if lt (len $parts) 2 -}}
{{- $faults = append $faults (printf "config: `%s` is the directory of secrets.%s; add the key, as `%s/KEY`" . $name .) -}}
{{- else if and (get $mounts $name) (not (has (last $parts) (get $mounts $name))) -}}
{{- $faults = append $faults (printf "config: `%s` is not among the items of secrets.%s, whose paths are: %s" . $name (get $mounts $name | join ", ")) -}}
{{- end -}}
{{- end -}}
{{- range $found.env -}}
{{- if eq (get $given .) "value" -}}
{{- $faults = append $faults (printf "extraEnv: `%s` is a secret of config, and its value can't stand in values; write `valueFrom: { secretKeyRef: { name: NAME, key: KEY } }`" .) -}}
{{- else if and (not (hasKey $given .)) (not $.Values.extraEnvFrom) -}}
{{- $faults = append $faults (printf "config: the environment variable `%s` is not given; write it in extraEnv, with `valueFrom.secretKeyRef`" .) -}}
{{- end -}}
{{- end -}}
{{- toJson $faults -}}
{{- end -}}

{{- define "hookbridge.checks.scaling" -}}
{{- $faults := list -}}
{{- $replicas := int .Values.replicaCount -}}
{{- with .Values.autoscaling -}}
{{- if .enabled -}}
{{- $replicas = int .minReplicas -}}
{{- if gt (int .minReplicas) (int .maxReplicas) -}}
{{- $faults = append $faults (printf "autoscaling: minReplicas %d is more than maxReplicas %d" (int .minReplicas) (int .maxReplicas)) -}}
{{- end -}}
{{- if not (or .targetCPUUtilizationPercentage .targetInFlightRequests .metrics) -}}
{{- $faults = append $faults "autoscaling: there is nothing to scale by; give targetCPUUtilizationPercentage, targetInFlightRequests or metrics" -}}
{{- end -}}
{{- if and .targetCPUUtilizationPercentage (not (dig "requests" "cpu" "" ($.Values.resources | default dict))) -}}
{{- $faults = append $faults "autoscaling.targetCPUUtilizationPercentage: it is percent of resources.requests.cpu, which is not given" -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- with .Values.podDisruptionBudget -}}
{{- if .enabled -}}
{{- if and (not (kindIs "invalid" .maxUnavailable)) (not (kindIs "invalid" .minAvailable)) -}}
{{- $faults = append $faults "podDisruptionBudget: give maxUnavailable or minAvailable, not both" -}}
{{- else if not (kindIs "invalid" .minAvailable) -}}
{{- $least := include "hookbridge.countOf" (list .minAvailable $replicas) | int -}}
{{- if ge $least $replicas -}}
{{- $faults = append $faults (printf "podDisruptionBudget.minAvailable: with %v of %d replicas no node could ever be drained; give fewer, or maxUnavailable" .minAvailable $replicas) -}}
{{- end -}}
{{- else if has (toString .maxUnavailable) (list "0" "0%") -}}
{{- $faults = append $faults "podDisruptionBudget.maxUnavailable: with 0 no node could ever be drained; give 1 or more" -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $limit := dig "limits" "memory" "" (.Values.resources | default dict) -}}
{{- if $limit -}}
{{- /* Bodies are in memory once as they came, and once more in Kafka's queue; docs/operations.md has the whole account. */ -}}
{{- $bodies := (.Values.config.server | default dict).max_in_flight_bytes | default "128MiB" -}}
{{- $least := add (mul 2 (include "hookbridge.octets" $bodies | int64)) 67108864 -}}
{{- if lt (include "hookbridge.octets" $limit | int64) $least -}}
{{- $faults = append $faults (printf "resources.limits.memory: %v is less than 64Mi and twice config.server.max_in_flight_bytes, %v; give more, or lower that" $limit $bodies) -}}
{{- end -}}
{{- end -}}
{{- $rolling := .Values.updateStrategy.rollingUpdate | default dict -}}
{{- $zero := list "0" "0%" -}}
{{- if and (eq .Values.updateStrategy.type "RollingUpdate") (has (toString $rolling.maxSurge) $zero) (has (toString $rolling.maxUnavailable) $zero) -}}
{{- $faults = append $faults "updateStrategy.rollingUpdate: maxSurge and maxUnavailable are both 0, so nothing could ever be replaced" -}}
{{- end -}}
{{- if and .Values.priorityClass.create (hasPrefix "system-" (include "hookbridge.priorityClassName" .)) -}}
{{- $faults = append $faults "priorityClass.name: names that begin with `system-` are Kubernetes's own" -}}
{{- end -}}
{{- toJson $faults -}}
{{- end -}}

{{/* A number of replicas, or a percentage of them, rounded up as Kubernetes does it. Takes a list: the text, the replicas. */}}
{{- define "hookbridge.countOf" -}}
{{- $text := index . 0 | toString -}}
{{- if hasSuffix "%" $text -}}
{{- divf (mulf (trimSuffix "%" $text | float64) (index . 1)) 100 | ceil | int -}}
{{- else -}}
{{- int $text -}}
{{- end -}}
{{- end -}}

{{- define "hookbridge.checks.exposure" -}}
{{- $faults := list -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.hosts) -}}
{{- $faults = append $faults "ingress.hosts: write the name under which providers post, such as `[hooks.example.com]`" -}}
{{- end -}}
{{- if .Values.httpRoute.enabled -}}
{{- if not .Values.httpRoute.parentRefs -}}
{{- $faults = append $faults "httpRoute.parentRefs: write the Gateway, such as `[{ name: public, namespace: gateways }]`" -}}
{{- end -}}
{{- if and (not .Values.httpRoute.paths) (gt (len (include "hookbridge.paths" . | fromJsonArray)) 128) -}}
{{- $faults = append $faults "httpRoute.paths: a HTTPRoute takes 128 paths, and there are more sources; write `[{ type: PathPrefix, value: /webhooks }]`" -}}
{{- end -}}
{{- end -}}
{{- range $name := list "http" "kafka" -}}
{{- $certificate := get $.Values.certificates $name -}}
{{- if and $certificate.enabled (not ($certificate.issuerRef | default dict).name) -}}
{{- $faults = append $faults (printf "certificates.%s.issuerRef: write who issues it, such as `{ name: internal, kind: ClusterIssuer }`" $name) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.certificates.http.enabled (not (include "hookbridge.certificateNames" . | fromJsonArray)) -}}
{{- $faults = append $faults "certificates.http: there is no name to put into it; give dnsNames, or turn ingress or httpRoute on" -}}
{{- end -}}
{{- if and .Values.service.nodePort (eq .Values.service.type "ClusterIP") -}}
{{- $faults = append $faults "service.nodePort: a Service of type ClusterIP has none" -}}
{{- end -}}
{{- toJson $faults -}}
{{- end -}}

{{/* The names in the certificate for the public side, as JSON. */}}
{{- define "hookbridge.certificateNames" -}}
{{- $names := .Values.certificates.http.dnsNames -}}
{{- if not $names -}}
{{- $names = list -}}
{{- if .Values.ingress.enabled -}}{{- $names = concat $names .Values.ingress.hosts -}}{{- end -}}
{{- if .Values.httpRoute.enabled -}}{{- $names = concat $names .Values.httpRoute.hostnames -}}{{- end -}}
{{- end -}}
{{- $names | uniq | toJson -}}
{{- end -}}

{{- define "hookbridge.checks.monitoring" -}}
{{- $faults := list -}}
{{- with .Values.telemetry -}}
{{- if and .samplerArgument (not (hasSuffix "traceidratio" .sampler)) -}}
{{- $faults = append $faults "telemetry.samplerArgument: only the samplers traceidratio and parentbased_traceidratio have one" -}}
{{- end -}}
{{- if and (or .headersSecret .certificate .protocol .sampler .resourceAttributes) (not (include "hookbridge.exportsTelemetry" $)) -}}
{{- $faults = append $faults "telemetry.endpoint: nothing is exported without it; write where the collector is, such as `http://otel-collector.monitoring:4318`" -}}
{{- end -}}
{{- end -}}
{{- $alerts := list -}}
{{- range ($.Files.Get "files/alerts.yaml" | fromYaml).groups -}}{{- range .rules -}}{{- $alerts = append $alerts .alert -}}{{- end -}}{{- end -}}
{{- range .Values.prometheusRule.disabled -}}
{{- if not (has . $alerts) -}}
{{- $faults = append $faults (printf "prometheusRule.disabled: there is no alert `%s`; files/alerts.yaml has their names" .) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.serviceMonitor.enabled .Values.podMonitor.enabled -}}
{{- $faults = append $faults "serviceMonitor, podMonitor: both would scrape every replica twice; turn one off" -}}
{{- end -}}
{{- if and .Values.serviceMonitor.enabled (not .Values.adminService.enabled) -}}
{{- $faults = append $faults "serviceMonitor: it finds the replicas by adminService, which is off; turn it on, or use podMonitor" -}}
{{- end -}}
{{- toJson $faults -}}
{{- end -}}

{{- define "hookbridge.checks.strimzi" -}}
{{- $faults := list -}}
{{- with .Values.strimzi -}}
{{- if and (or .topics.enabled .user.enabled) (not .cluster) -}}
{{- $faults = append $faults "strimzi.cluster: write the name of the Kafka that topics and user belong to" -}}
{{- end -}}
{{- if and .standbyCluster (not (($.Values.config.kafka | default dict).standby)) -}}
{{- $faults = append $faults "strimzi.standbyCluster: config.kafka has no standby" -}}
{{- end -}}
{{- if and .standbyCluster (eq .standbyCluster .cluster) (eq (.standbyNamespace | default .namespace) .namespace) -}}
{{- $faults = append $faults "strimzi.standbyCluster: it is the same as strimzi.cluster" -}}
{{- end -}}
{{- if and .user.enabled .user.authorization (not .user.acls) (include "hookbridge.topics" $ | fromJson).unbounded -}}
{{- $faults = append $faults "strimzi.user: a topic of config begins with `{type}`, so no prefix says which topics may be written; give the topic a prefix, or say it in strimzi.user.acls" -}}
{{- end -}}
{{- end -}}
{{- toJson $faults -}}
{{- end -}}

{{- define "hookbridge.checks.test" -}}
{{- $faults := list -}}
{{- with .Values.test -}}
{{- if and .enabled .source -}}
{{- if not (hasKey (include "hookbridge.sources" $ | fromJson) .source) -}}
{{- $faults = append $faults (printf "test.source: there is no source `%s` that is enabled" .source) -}}
{{- else if not (include "hookbridge.testSource" $) -}}
{{- $faults = append $faults (printf "test.source: only the provider can sign for `%s`, since it has the private key; name another source, or turn test.enabled off" .source) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toJson $faults -}}
{{- end -}}
