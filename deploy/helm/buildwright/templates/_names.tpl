{{/* Names and labels. */}}

{{- define "buildwright.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 32 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 32 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* What selects the pods of the release. */}}
{{- define "buildwright.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "buildwright.labels" -}}
{{ include "buildwright.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{/* (root, role) */}}
{{- define "buildwright.roleSelector" -}}
{{ include "buildwright.selector" .root }}
app.kubernetes.io/component: {{ .role }}
{{- end -}}

{{/* (root, image): server or executor */}}
{{- define "buildwright.image" -}}
{{- $image := index .root.Values.image .image -}}
{{- printf "%s:%s" $image.repository ($image.tag | default .root.Chart.AppVersion) -}}
{{- end -}}
