{{/* What belongs to `helm test` only, and is gone after it: (dict "root" $ "name" NAME "weight" ORDER). */}}
{{- define "singletrack.testMetadata" -}}
name: {{ .name }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "singletrack.labels" (list .root "test") | nindent 2 }}
annotations:
  helm.sh/hook: test
  helm.sh/hook-weight: {{ .weight | quote }}
  helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end -}}
