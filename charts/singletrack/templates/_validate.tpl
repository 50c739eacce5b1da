{{/* What a schema cannot say. Each message says what to do. */}}
{{- define "singletrack.validate" -}}
{{- $sqlite := eq .Values.database.type "sqlite" -}}
{{- if not .Values.github.existingSecret -}}
{{- fail "\ngithub.existingSecret is not set: create a Secret with a GitHub token, as in\n  kubectl create secret generic github --from-literal=token=…\nand set github.existingSecret=github; or put the private key of a GitHub App into it, and set github.app.id too" -}}
{{- end -}}
{{- if and .Values.github.app.installation (not .Values.github.app.id) -}}
{{- fail "\ngithub.app.installation is set without github.app.id: set the id of the App too, or leave it out" -}}
{{- end -}}
{{- if not .Values.repositories.include -}}
{{- fail "\nrepositories.include is empty: name what is to be copied, as in repositories.include={acme/widgets,other/*}" -}}
{{- end -}}
{{- if and $sqlite (gt (int .Values.replicaCount) 1) -}}
{{- fail (printf "\nreplicaCount is %d, but SQLite is a file for one process: set replicaCount=1, or use PostgreSQL (database.type=postgres and database.existingSecret)" (int .Values.replicaCount)) -}}
{{- end -}}
{{- if and $sqlite (or .Values.database.existingSecret .Values.database.readerRoles .Values.database.passwordKey (include "singletrack.hasCa" .Values.database.ca)) -}}
{{- fail "\ndatabase.existingSecret, passwordKey, readerRoles and ca are about PostgreSQL, but database.type is sqlite: set database.type=postgres, or take them out" -}}
{{- end -}}
{{- if and (not $sqlite) (not .Values.database.existingSecret) -}}
{{- fail "\ndatabase.type is postgres, but database.existingSecret is not set: create a Secret with the URL, as in\n  kubectl create secret generic database --from-literal=uri=postgres://USER:PASSWORD@HOST/DATABASE\nand set database.existingSecret=database (database.urlKey names the key)" -}}
{{- end -}}
{{- if and .Values.watch.allNamespaces .Values.watch.namespaces -}}
{{- fail "\nwatch.namespaces names some and watch.allNamespaces means all: take one of them out" -}}
{{- end -}}
{{- range $what, $ca := dict "github.ca" .Values.github.ca "database.ca" .Values.database.ca -}}
{{- if and $ca.existingConfigMap $ca.existingSecret -}}
{{- fail (printf "\n%s names a ConfigMap and a Secret: keep one of them" $what) -}}
{{- end -}}
{{- end -}}
{{- with .Values.podDisruptionBudget -}}
{{- if and .enabled (kindIs "invalid" .minAvailable) (kindIs "invalid" .maxUnavailable) -}}
{{- fail "\npodDisruptionBudget is enabled without a number: set minAvailable or maxUnavailable" -}}
{{- end -}}
{{- end -}}
{{- $longest := 52 -}}
{{- range $schedule, $_ := .Values.schedules -}}
{{- if not (regexMatch "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$" $schedule) -}}
{{- fail (printf "\nschedule %q is part of a CronJob's name: use a-z, 0-9 and '-'" $schedule) -}}
{{- end -}}
{{- $name := printf "%s-%s" (include "singletrack.fullname" $) $schedule -}}
{{- if gt (len $name) $longest -}}
{{- fail (printf "\nthe CronJob of schedule %q would be named %s, which is longer than the %d letters that Kubernetes allows: choose a shorter name, or set fullnameOverride" $schedule $name $longest) -}}
{{- end -}}
{{- end -}}
{{- $times := dict "lease.staleAfter" .Values.lease.staleAfter "lease.heartbeat" .Values.lease.heartbeat "requests.retryAfter" .Values.requests.retryAfter "requests.stallAfter" .Values.requests.stallAfter -}}
{{- range $what, $for := .Values.retention }}{{ if $for }}{{ $_ := set $times (printf "retention.%s" $what) $for }}{{ end }}{{ end -}}
{{- range $what, $time := $times -}}
{{- if not (regexMatch "^([0-9]+(ms|s|m|h|d|w|months?|y) ?)+$" $time) -}}
{{- fail (printf "\n%s is %q: write a duration such as 30m, 10s or 90d" $what $time) -}}
{{- end -}}
{{- end -}}
{{- include "singletrack.validateRepositories" (list "repositories.include" .Values.repositories.include) -}}
{{- include "singletrack.validateRepositories" (list "repositories.exclude" .Values.repositories.exclude) -}}
{{- range $schedule, $set := .Values.schedules -}}
{{- include "singletrack.validateSchedule" (list (printf "schedules.%s" $schedule) $set) -}}
{{- end -}}
{{- if and .Values.rbac.create (not .Values.serviceAccount.create) (not .Values.serviceAccount.name) -}}
{{- fail "\nserviceAccount.create is false and serviceAccount.name is empty: the rights would go to the account default, which all pods of the namespace share. Set serviceAccount.name to an account of yours, or rbac.create=false" -}}
{{- end -}}
{{- end -}}

{{/* Names of repositories, with the rule that the SyncRequest definition has: (list PLACE NAMES). */}}
{{- define "singletrack.validateRepositories" -}}
{{- $place := index . 0 -}}
{{- range index . 1 -}}
{{- if not (regexMatch `^([A-Za-z0-9_-]|\.[A-Za-z0-9_-]|\.\.[A-Za-z0-9._-])[A-Za-z0-9._-]*/(\*|([A-Za-z0-9_-]|\.[A-Za-z0-9_-]|\.\.[A-Za-z0-9._-])[A-Za-z0-9._-]*)$` .) -}}
{{- fail (printf "\n%s: %q is not a repository: write owner/name, or owner/* for all of an owner's, of letters, digits, '.', '_' and '-'" $place .) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* What the API server would refuse only when the clock strikes, or never tell: (list PLACE SCHEDULE). */}}
{{- define "singletrack.validateSchedule" -}}
{{- $place := index . 0 -}}
{{- $set := index . 1 -}}
{{- if and $set.automation (ne $set.type "scheduled") -}}
{{- fail (printf "\n%s: automation: true goes with type: scheduled only, and the type is %s: for automation data alone write type: automation, without automation: true" $place $set.type) -}}
{{- end -}}
{{- if regexMatch "TZ=" $set.cron -}}
{{- fail (printf "\n%s.cron is %q: Kubernetes takes no time zone there; name it in timeZone, as in timeZone: Europe/Berlin" $place $set.cron) -}}
{{- end -}}
{{- if and (hasKey $set "startingDeadlineSeconds") (lt (int64 $set.startingDeadlineSeconds) 10) -}}
{{- fail (printf "\n%s.startingDeadlineSeconds is %d: Kubernetes looks every 10 seconds and could miss each start; write 10 or more, or leave it out" $place (int64 $set.startingDeadlineSeconds)) -}}
{{- end -}}
{{- with $set.repositories }}{{ include "singletrack.validateRepositories" (list (printf "%s.repositories" $place) .) }}{{ end -}}
{{- end -}}
