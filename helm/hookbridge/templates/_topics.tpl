{{/*
The topics that the configuration names, as `of_source` in src/config/topics.rs finds them.
*/}}

{{/*
A template's topic where the type is known. Takes a list: type, topic. What would be altered to be legal (src/topic.rs) stays a
template: its name has a hash.
*/}}
{{- define "hookbridge.topicOfType" -}}
{{- $type := index . 0 | toString -}}
{{- $topic := index . 1 | toString -}}
{{- if and (regexMatch "^[a-zA-Z0-9._-]+$" $type) (not (regexMatch "-[0-9a-f]{12}$" $type)) (lt (len $type) 100) -}}
{{- $topic = replace "{type}" $type $topic -}}
{{- end -}}
{{- $topic -}}
{{- end -}}

{{/*
As JSON: `fixed`, topics whose names are known; `prefixes`, what topics that `{type}` names begin with; `unbounded`, whether
one of those begins with nothing.
*/}}
{{- define "hookbridge.topics" -}}
{{- $config := .Values.config | default dict -}}
{{- $fixed := list ($config.dead_letter | default "webhooks.dead-letter") -}}
{{- $templates := list -}}
{{- range $name, $source := include "hookbridge.sources" . | fromJson -}}
{{- $here := list -}}
{{- $unmapped := $source.unmapped | default "topic" -}}
{{- range $type, $route := $source.topics -}}
{{- if kindIs "map" $route -}}
{{- if not $route.drop -}}
{{- with $route.topic -}}{{- $here = append $here (include "hookbridge.topicOfType" (list $type .)) -}}{{- end -}}
{{- with ($route.schema | default dict).raw_topic -}}{{- $here = append $here . -}}{{- end -}}
{{- end -}}
{{- else if $route -}}
{{- $here = append $here (include "hookbridge.topicOfType" (list $type $route)) -}}
{{- end -}}
{{- end -}}
{{- if and (eq $unmapped "topic") (not (hasKey ($source.topics | default dict) "*")) -}}
{{- $here = append $here "webhooks.{source}" -}}
{{- end -}}
{{- if and (eq ($source.verification | default "") "report_only") $source.report_only_topic -}}
{{- $here = append $here $source.report_only_topic -}}
{{- end -}}
{{- if $source.quarantine -}}
{{- $here = append $here (($config.quarantine | default dict).topic | default "webhooks.quarantine") -}}
{{- end -}}
{{- range $here -}}
{{- $topic := . | toString | replace "{source}" $name -}}
{{- if contains "{type}" $topic -}}
{{- $templates = append $templates (splitList "{type}" $topic | first) -}}
{{- else -}}
{{- $fixed = append $fixed $topic -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $topic, $spec := ($config.topics | default dict).named -}}
{{- $fixed = append $fixed $topic -}}
{{- end -}}
{{- dict "fixed" ($fixed | uniq | sortAlpha) "prefixes" (without ($templates | uniq | sortAlpha) "") "unbounded" (has "" $templates) | toJson -}}
{{- end -}}

{{/* How a topic should be, as JSON: what is said of it, and of all. Takes a list: root, topic. */}}
{{- define "hookbridge.topicSpec" -}}
{{- $topics := (index . 0).Values.config.topics | default dict -}}
{{- $defaults := $topics.defaults | default dict -}}
{{- $named := get ($topics.named | default dict) (index . 1) | default dict -}}
{{- $config := merge dict ($named.config | default dict) ($defaults.config | default dict) -}}
{{- dict
  "partitions" ($named.partitions | default $defaults.partitions)
  "replicas" ($named.replication_factor | default $defaults.replication_factor)
  "config" $config | toJson -}}
{{- end -}}

{{/* The name of the KafkaTopic: the topic's, made legal for Kubernetes; what had to be altered carries a hash. */}}
{{- define "hookbridge.topicObject" -}}
{{- $legal := regexReplaceAll "[^a-z0-9.-]" (lower .) "-" -}}
{{- $legal = regexReplaceAll "[.-]*[.][.-]*" $legal "." | trunc 200 | trimAll ".-" -}}
{{- if ne $legal . -}}
{{- $legal = printf "%s-%s" $legal (sha256sum . | trunc 12) | trimPrefix "-" -}}
{{- end -}}
{{- $legal -}}
{{- end -}}

{{/* The Kafkas of Strimzi, as JSON: cluster, namespace, and what names of topics begin with, where two share a namespace. */}}
{{- define "hookbridge.strimziClusters" -}}
{{- $strimzi := .Values.strimzi -}}
{{- $namespace := $strimzi.namespace | default .Release.Namespace -}}
{{- $clusters := list (dict "cluster" $strimzi.cluster "namespace" $namespace "prefix" "" "suffix" "") -}}
{{- if $strimzi.standbyCluster -}}
{{- $other := $strimzi.standbyNamespace | default $namespace -}}
{{- $shared := eq $other $namespace -}}
{{- $clusters = append $clusters (dict "cluster" $strimzi.standbyCluster "namespace" $other "prefix" (ternary (printf "%s." $strimzi.standbyCluster) "" $shared) "suffix" (ternary "-standby" "" $shared)) -}}
{{- end -}}
{{- toJson $clusters -}}
{{- end -}}
