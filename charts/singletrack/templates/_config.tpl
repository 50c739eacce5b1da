{{/* The configuration file, as the README describes it. Empty texts and null are left out. */}}
{{- define "singletrack.config" -}}
{{- $github := dict "apiUrl" .Values.github.apiUrl "quotaFloor" (int64 .Values.github.quotaFloor) -}}
{{- if .Values.github.allowInsecure }}{{ $_ := set $github "allowInsecure" true }}{{ end -}}
{{- $app := .Values.github.app -}}
{{- if $app.id -}}
{{- $key := dict "id" (int64 $app.id) "privateKeyFile" "/secrets/github/key.pem" -}}
{{- with $app.installation }}{{ $_ := set $key "installation" (int64 .) }}{{ end -}}
{{- $_ := set $github "app" $key -}}
{{- else -}}
{{- $_ := set $github "tokenFile" "/secrets/github/token" -}}
{{- end -}}
{{- if include "singletrack.hasCa" .Values.github.ca }}{{ $_ := set $github "caFile" "/certificates/github/ca.pem" }}{{ end -}}
{{- $database := dict "type" "sqlite" "path" "/data/singletrack.db" -}}
{{- if eq .Values.database.type "postgres" -}}
{{- $database = dict "type" "postgres" "urlFile" "/secrets/database/url" "schema" .Values.database.schema -}}
{{- with .Values.database.readerRoles }}{{ $_ := set $database "readerRoles" . }}{{ end -}}
{{- if .Values.database.passwordKey }}{{ $_ := set $database "passwordFile" "/secrets/database/password" }}{{ end -}}
{{- if include "singletrack.hasCa" .Values.database.ca }}{{ $_ := set $database "caFile" "/certificates/database/ca.pem" }}{{ end -}}
{{- end -}}
{{- $retention := dict -}}
{{- range $what, $for := .Values.retention }}{{ $_ := set $retention $what (ternary nil $for (empty $for)) }}{{ end -}}
{{- $limits := dict -}}
{{- range $what, $most := .Values.limits }}{{ if $most }}{{ $_ := set $limits $what (int64 $most) }}{{ end }}{{ end -}}
{{- dict
    "github" $github
    "repositories" .Values.repositories
    "rules" .Values.rules
    "database" $database
    "lease" (pick .Values.lease "name" "staleAfter" "heartbeat")
    "watch" .Values.watch
    "requests" (pick .Values.requests "retryAfter" "stallAfter")
    "retention" $retention
    "limits" $limits
    "parallel" (int64 .Values.parallel)
  | toYaml -}}
{{- end -}}

{{/* Whether somebody has named a ConfigMap or a Secret with authorities. */}}
{{- define "singletrack.hasCa" -}}
{{- if or .existingConfigMap .existingSecret }}true{{ end -}}
{{- end -}}

{{/* The volume with such authorities: (list CA NAME). */}}
{{- define "singletrack.caVolume" -}}
{{- $ca := index . 0 -}}
- name: {{ index . 1 }}
  {{- if $ca.existingConfigMap }}
  configMap:
    name: {{ $ca.existingConfigMap }}
  {{- else }}
  secret:
    secretName: {{ $ca.existingSecret }}
  {{- end }}
    items: [{key: {{ $ca.key | quote }}, path: ca.pem}]
{{- end -}}
