{{/* A binding of a role to a service account: (dict "root" $ "kind" KIND "role" NAME "account" NAME "namespace" NS). */}}
{{- define "singletrack.binding" -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ .kind }}Binding
metadata:
  name: {{ .role }}
  {{- with .namespace }}
  namespace: {{ . }}
  {{- end }}
  labels:
    {{- include "singletrack.labels" (list .root .component) | nindent 4 }}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: {{ .kind }}, name: {{ .role }}}
subjects:
  - {kind: ServiceAccount, name: {{ .account }}, namespace: {{ .root.Release.Namespace }}}
{{- end -}}

{{/* What the operator does with requests, wherever it watches. */}}
{{- define "singletrack.requestRules" -}}
- apiGroups: [singletrack.dev]
  resources: [syncrequests]
  verbs: [get, list, watch, delete]
- apiGroups: [singletrack.dev]
  resources: [syncrequests/status]
  verbs: [patch]
{{- end -}}

{{/* Events stand in the namespace of what they are about. */}}
{{- define "singletrack.eventRules" -}}
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end -}}
