{{/* The pools, each with the defaults for what it does not say; as JSON: {"pools": [...]}, whose
     numbers come back as floats, hence `int` where they are used. */}}
{{- define "buildwright.pools" -}}
{{- $pools := list -}}
{{- $names := dict -}}
{{- range .Values.executors.pools -}}
{{- if hasKey $names .name -}}
{{- fail (printf "executors.pools: there are two pools named %s" .name) -}}
{{- end -}}
{{- $_ := set $names .name true -}}
{{- $pool := deepCopy $.Values.executors.defaults -}}
{{- range $name, $value := . -}}
{{- $_ := set $pool $name $value -}}
{{- end -}}
{{- $pools = append $pools $pool -}}
{{- end -}}
{{- dict "pools" $pools | toJson -}}
{{- end -}}

{{/* (root, pool) */}}
{{- define "buildwright.poolName" -}}
{{ include "buildwright.fullname" .root }}-executor-{{ .pool.name }}
{{- end -}}

{{/* (root, pool) */}}
{{- define "buildwright.poolSelector" -}}
{{ include "buildwright.roleSelector" (dict "root" .root "role" "executor") }}
buildwright/pool: {{ .pool.name }}
{{- end -}}
