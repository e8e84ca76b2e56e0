{{/*
Names, labels, and what other templates ask of the configuration. A helper that gives more than a text gives JSON, to be
read with fromJson or fromJsonArray.
*/}}

{{- define "hookbridge.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{/*
At most 50 characters: what is appended (-admin, -check, ...) must fit into 63, too. A release's name may have dots, a Service's may
not.
*/}}
{{- define "hookbridge.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | replace "." "-" | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | replace "." "-" | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Quoted, as all names of the user's own: `123` is a name. */}}
{{- define "hookbridge.selectorLabels" -}}
app.kubernetes.io/name: {{ include "hookbridge.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | trunc 63 | trimSuffix "-" | quote }}
app.kubernetes.io/component: server
{{- end -}}

{{/* Labels of everything. Takes a list: the root, and labels that stand for one object. */}}
{{- define "hookbridge.labels" -}}
{{- $root := index . 0 -}}
{{- $own := dict
  "helm.sh/chart" (printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-")
  "app.kubernetes.io/name" (include "hookbridge.name" $root)
  "app.kubernetes.io/instance" ($root.Release.Name | trunc 63 | trimSuffix "-")
  "app.kubernetes.io/component" "server"
  "app.kubernetes.io/version" ($root.Chart.AppVersion | replace "+" "_" | trunc 63 | trimSuffix "-")
  "app.kubernetes.io/managed-by" $root.Release.Service
  "app.kubernetes.io/part-of" "hookbridge" -}}
{{- $given := index . 1 | default dict -}}
{{- merge dict $given $own $root.Values.commonLabels | toYaml -}}
{{- end -}}

{{/*
Labels of pods: without the chart's version, or every new chart would replace them. Takes a list: root, component. What the
selector has can't be altered by values.
*/}}
{{- define "hookbridge.podLabels" -}}
{{- $root := index . 0 -}}
{{- $fixed := include "hookbridge.hookSelectorLabels" . | fromYaml -}}
{{- $version := dict "app.kubernetes.io/version" ($root.Chart.AppVersion | replace "+" "_" | trunc 63 | trimSuffix "-") -}}
{{- merge dict $fixed $root.Values.podLabels $root.Values.commonLabels $version | toYaml -}}
{{- end -}}

{{/* Annotations, or nothing. Takes a list: the root, annotations of one object, and further ones that win. */}}
{{- define "hookbridge.annotations" -}}
{{- $root := index . 0 -}}
{{- $all := dict -}}
{{- if gt (len .) 2 -}}{{- $all = merge $all (index . 2) -}}{{- end -}}
{{- $all = merge $all (index . 1 | default dict) $root.Values.commonAnnotations -}}
{{- if $all -}}
annotations:
{{ toYaml $all | indent 2 }}
{{- end -}}
{{- end -}}

{{/* Name, namespace, labels and annotations. Takes a dict: root, name; and if need be namespace, labels, annotations, with. */}}
{{- define "hookbridge.metadata" -}}
{{- $root := .root -}}
name: {{ .name | quote }}
namespace: {{ .namespace | default $root.Release.Namespace | quote }}
labels:
{{ include "hookbridge.labels" (list $root .labels) | indent 2 }}
{{- with include "hookbridge.annotations" (list $root (.annotations | default dict) (.with | default dict)) }}
{{ . }}
{{- end -}}
{{- end -}}

{{/*
The version of an API that an operator brings: the usual one, unless the cluster has the other one alone. Takes a list: root,
group, the other, the usual.
*/}}
{{- define "hookbridge.apiVersion" -}}
{{- $root := index . 0 -}}
{{- $other := printf "%s/%s" (index . 1) (index . 2) -}}
{{- $usual := printf "%s/%s" (index . 1) (index . 3) -}}
{{- $versions := $root.Capabilities.APIVersions -}}
{{- ternary $other $usual (and ($versions.Has $other) (not ($versions.Has $usual))) -}}
{{- end -}}

{{- define "hookbridge.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "hookbridge.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "hookbridge.priorityClassName" -}}
{{- if .Values.priorityClass.name -}}
{{- .Values.priorityClass.name -}}
{{- else if .Values.priorityClass.create -}}
{{- printf "%s-%s" .Release.Namespace (include "hookbridge.fullname" .) | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "hookbridge.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{- printf "%s@%s" .repository .digest -}}
{{- else -}}
{{- printf "%s:%s" .repository (default $.Chart.AppVersion .tag | toString) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The configuration as it is mounted, as JSON: the values', and what the chart says where they say nothing. */}}
{{- define "hookbridge.config" -}}
{{- $config := deepCopy (.Values.config | default dict) -}}
{{- /* One file of values takes a source out of another by `null`. */ -}}
{{- range $name, $source := $config.sources -}}
{{- if kindIs "invalid" $source -}}{{- $_ := unset $config.sources $name -}}{{- end -}}
{{- end -}}
{{- $server := $config.server | default dict -}}
{{- if not $server.shutdown_delay -}}
{{- $server = set $server "shutdown_delay" "5s" -}}
{{- end -}}
{{- set $config "server" $server | toJson -}}
{{- end -}}

{{/* What hookbridge reads at its start alone (src/reload/fixed.rs). The largest bodies count: the producer is made for them. */}}
{{- define "hookbridge.fixed" -}}
{{- $config := include "hookbridge.config" . | fromJson -}}
{{- $bodies := list -}}
{{- range $name, $source := $config.sources -}}
{{- $bodies = append $bodies ($source.max_body_bytes | default "" | toString) -}}
{{- end -}}
{{- dict
  "server" (omit $config.server "body_timeout")
  "admin" $config.admin
  "kafka" $config.kafka
  "schema_registry" $config.schema_registry
  "bodies" ($bodies | uniq | sortAlpha) | toJson -}}
{{- end -}}

{{/* A duration of the configuration (`4.5s`, `250ms`, `5m`, `1h`) in seconds. */}}
{{- define "hookbridge.seconds" -}}
{{- $text := . | toString | trim -}}
{{- $number := regexFind "^[0-9]+([.][0-9]+)?" $text -}}
{{- $unit := trimPrefix $number $text | trim -}}
{{- $factors := dict "ms" 0.001 "s" 1 "m" 60 "h" 3600 "d" 86400 -}}
{{- if or (not $number) (not (hasKey $factors $unit)) -}}
{{- fail (printf "hookbridge: `%s` is not a duration; write a number and a unit, such as `4.5s`, `250ms`, `5m`" $text) -}}
{{- end -}}
{{- mulf (float64 $number) (get $factors $unit) -}}
{{- end -}}

{{/*
A size, of Kubernetes or of the configuration (`768Mi`, `128MiB`, `1e9`, 65536), in octets. Numbers of a file of values are floats,
whose text is `1.073741824e+09` from a million on.
*/}}
{{- define "hookbridge.octets" -}}
{{- $text := . | toString | trim -}}
{{- $number := regexFind "^[0-9]+([.][0-9]+)?(e[+]?[0-9]+)?" $text -}}
{{- $unit := trimPrefix $number $text | trim | trimSuffix "B" | lower -}}
{{- $factors := dict "" 1 "k" 1000 "m" 1000000 "g" 1000000000 "ki" 1024 "mi" 1048576 "gi" 1073741824 "ti" 1099511627776 "t" 1000000000000 -}}
{{- mulf (float64 $number) (get $factors $unit | default 1) | int64 -}}
{{- end -}}

{{/* Whether the kubelet can sleep before it stops a container. */}}
{{- define "hookbridge.preStop" -}}
{{- if semverCompare ">=1.30.0-0" .Capabilities.KubeVersion.Version -}}
{{- .Values.preStopSleepSeconds | int -}}
{{- else -}}
0
{{- end -}}
{{- end -}}

{{/* How long a pod may take to end, in seconds, at the least: everything before it, and 5 s for the last of it. */}}
{{- define "hookbridge.gracePeriod" -}}
{{- $server := (include "hookbridge.config" . | fromJson).server -}}
{{- $delay := include "hookbridge.seconds" $server.shutdown_delay | float64 -}}
{{- $grace := include "hookbridge.seconds" ($server.shutdown_grace | default "25s") | float64 -}}
{{- add (include "hookbridge.preStop" . | int) (addf $delay $grace | ceil | int) 5 -}}
{{- end -}}

{{/* The port of an address such as `0.0.0.0:8080` or `[::]:8080`. */}}
{{- define "hookbridge.port" -}}
{{- regexFind "[1-9][0-9]*$" (. | toString) -}}
{{- end -}}

{{- define "hookbridge.httpPort" -}}
{{- $server := .Values.config.server | default dict -}}
{{- include "hookbridge.port" ($server.listen | default "0.0.0.0:8080") -}}
{{- end -}}

{{- define "hookbridge.adminPort" -}}
{{- $admin := .Values.config.admin | default dict -}}
{{- include "hookbridge.port" ($admin.listen | default "0.0.0.0:9090") -}}
{{- end -}}

{{/* The sources that are served, by name, as JSON. */}}
{{- define "hookbridge.sources" -}}
{{- $served := dict -}}
{{- range $name, $source := (include "hookbridge.config" . | fromJson).sources -}}
{{- if ne (toString $source.enabled) "false" -}}
{{- $_ := set $served $name $source -}}
{{- end -}}
{{- end -}}
{{- toJson $served -}}
{{- end -}}

{{/* The paths of the sources, as JSON. */}}
{{- define "hookbridge.paths" -}}
{{- $paths := list -}}
{{- range $name, $source := include "hookbridge.sources" . | fromJson -}}
{{- $paths = append $paths ($source.path | default (printf "/webhooks/%s" $name)) -}}
{{- end -}}
{{- $paths | uniq | sortAlpha | toJson -}}
{{- end -}}

{{/* All presets. A test compares it. */}}
{{- define "hookbridge.presets" -}}
360learning adyen airtable airwallex alchemy allfly asana auth0 aws-sns beam bigcommerce bitbucket box brex buildkite calendly chargebee circleci clerk clickup cloudevents coinbase-commerce customer-io discord docusign dropbox ebay elevenlabs emailit event-grid eventsair figma forgejo front gemini generic-hex generic-sha256 gitea github gitlab gitlab-signing gocardless grafana hubspot hugging-face incident-io intercom iron jira knock line linear linkedin lithic mailgun meta microsoft-graph monday netlify notion nylas okta openai orb oura paddle pagerduty paypal paystack persona pipedrive plaid polar postmark razorpay recurly replicate resend revolut ringcentral sanity segment sendgrid sentry sharepoint shipbob shopify signatureapi slack smartcar solidgate square standard-webhooks statsig stripe svix tally tebex telegram telnyx tiktok trello twilio twitch typeform uber vercel vonage webflow websub wechat-pay whatsapp woocommerce workos worldpay wristband x xero zendesk zoom
{{- end -}}

{{/* Presets whose provider serves its keys by URL, so that hookbridge asks for them over the internet. A test compares it. */}}
{{- define "hookbridge.presetsWithServedKeys" -}}
aws-sns ebay paypal plaid
{{- end -}}

{{/* Presets for which nobody but the provider can sign, since its key is private. A test compares it. */}}
{{- define "hookbridge.presetsWithPrivateKeys" -}}
aws-sns discord ebay paypal plaid sendgrid telnyx wechat-pay
{{- end -}}

{{/* The ports of URLs or of `host:port`s, as JSON. Takes a list of texts, each of which may hold several behind commas. */}}
{{- define "hookbridge.portsOf" -}}
{{- $ports := list -}}
{{- range . -}}
{{- range splitList "," (toString .) -}}
{{- $text := trim . -}}
{{- if $text -}}
{{- $scheme := regexFind "^[a-zA-Z_]+://" $text | lower -}}
{{- $authority := $text | replace (regexFind "^[a-zA-Z_]+://" $text) "" | splitList "/" | first -}}
{{- $port := regexFind ":[0-9]+$" $authority | trimPrefix ":" -}}
{{- if not $port -}}
{{- $port = get (dict "http://" "80" "https://" "443") $scheme | default "9092" -}}
{{- end -}}
{{- $ports = append $ports (int $port) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $ports | uniq | toJson -}}
{{- end -}}

{{/* Where the brokers are first asked for, as JSON: of Kafka, and of the standby. */}}
{{- define "hookbridge.bootstrap" -}}
{{- $kafka := .Values.config.kafka | default dict -}}
{{- $standby := ($kafka.standby | default dict).properties | default dict -}}
{{- $servers := list -}}
{{- range list $kafka $standby -}}
{{- with get . "bootstrap.servers" | default (get . "metadata.broker.list") -}}{{- $servers = append $servers . -}}{{- end -}}
{{- end -}}
{{- toJson $servers -}}
{{- end -}}

{{/* What both kinds of monitor say of scraping. */}}
{{- define "hookbridge.scrape" -}}
path: /metrics
{{- with .interval }}
interval: {{ . }}
{{- end }}
{{- with .scrapeTimeout }}
scrapeTimeout: {{ . }}
{{- end }}
{{- with .relabelings }}
relabelings:
{{ toYaml . | indent 2 }}
{{- end }}
{{- with .metricRelabelings }}
metricRelabelings:
{{ toYaml . | indent 2 }}
{{- end }}
{{- end }}
