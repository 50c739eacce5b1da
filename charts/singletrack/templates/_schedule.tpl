{{/* The arguments of a schedule's container: (list $ NAME SCHEDULE). */}}
{{- define "singletrack.scheduleArgs" -}}
{{- $ := index . 0 -}}
{{- $schedule := index . 1 -}}
{{- $set := index . 2 -}}
{{- $args := list "run" $set.type "--name" "$(JOB_NAME)" "--label" (printf "singletrack.dev/schedule=%s" $schedule) "--ignore-already-exists" -}}
{{- $args = concat $args (list "--policy" (lower (default "Coalesce" $set.concurrencyPolicy))) -}}
{{- range $set.repositories }}{{ $args = concat $args (list "--repository" .) }}{{ end -}}
{{- range $flag := list "automation" "full" }}{{ if index $set $flag }}{{ $args = append $args (printf "--%s" $flag) }}{{ end }}{{ end -}}
{{- $ttl := ternary $set.ttlSecondsAfterFinished $.Values.requests.ttlSecondsAfterFinished (hasKey $set "ttlSecondsAfterFinished") -}}
{{- $numbers := dict "priority" $set.priority "deadline" $set.activeDeadlineSeconds "backoff-limit" $set.backoffLimit "ttl" $ttl -}}
{{- range $flag, $number := $numbers }}{{ if not (kindIs "invalid" $number) }}{{ $args = append $args (printf "--%s=%d" $flag (int64 $number)) }}{{ end }}{{ end -}}
{{- toYaml $args -}}
{{- end -}}
