{{/* The name that all objects of the release have, or begin with. */}}
{{- define "singletrack.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "singletrack.name" . -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "singletrack.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* The name of an object that belongs to no namespace: no other release has it. */}}
{{- define "singletrack.clusterName" -}}
{{- printf "%s-%s" .Release.Namespace (include "singletrack.fullname" .) -}}
{{- end -}}

{{/* The labels by which Deployment and Service know their pods. They never change. */}}
{{- define "singletrack.selectorLabels" -}}
app.kubernetes.io/name: {{ include "singletrack.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: controller
{{- end -}}

{{/* Several maps as one, each key once: of two that have the same key, the later map wins. */}}
{{- define "singletrack.merged" -}}
{{- $all := dict -}}
{{- range $map := . }}{{ range $key, $value := $map }}{{ $_ := set $all $key $value }}{{ end }}{{ end -}}
{{- toYaml $all -}}
{{- end -}}

{{/*
The labels of an object: (list $ COMPONENT), or (list $ COMPONENT (dict "user" MAP "ours" MAP)).
The user's labels win, but for those by which something is found: the selector's, and "ours".
*/}}
{{- define "singletrack.labels" -}}
{{- $ := index . 0 -}}
{{- $more := dict -}}
{{- if gt (len .) 2 }}{{ $more = index . 2 }}{{ end -}}
{{- $told := dict
    "app.kubernetes.io/version" $.Chart.AppVersion
    "app.kubernetes.io/managed-by" $.Release.Service
    "helm.sh/chart" (printf "%s-%s" $.Chart.Name $.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-") -}}
{{- $selected := dict
    "app.kubernetes.io/name" (include "singletrack.name" $)
    "app.kubernetes.io/instance" $.Release.Name
    "app.kubernetes.io/component" (index . 1) -}}
{{- include "singletrack.merged" (list $told $.Values.commonLabels $more.user $selected $more.ours) -}}
{{- end -}}

{{- define "singletrack.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "singletrack.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* The image; a digest wins over the tag. */}}
{{- define "singletrack.image" -}}
{{- $image := .Values.image -}}
{{- with $image.registry -}}{{ . }}/{{- end -}}
{{- $image.repository -}}
{{- if $image.digest -}}@{{ $image.digest }}{{- else -}}:{{ $image.tag | default .Chart.AppVersion }}{{- end -}}
{{- end -}}

{{/* What every pod of ours has: where it may run, and as whom. */}}
{{- define "singletrack.placement" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}

{{/* What every container of ours has. */}}
{{- define "singletrack.container" -}}
image: {{ include "singletrack.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  {{- toYaml .Values.containerSecurityContext | nindent 2 }}
{{- with .Values.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "singletrack.logEnv" -}}
- name: SINGLETRACK_LOG
  value: {{ .Values.log.level | quote }}
- name: SINGLETRACK_LOG_FORMAT
  value: {{ .Values.log.format | quote }}
{{- end -}}
