{{/* What pods of all roles have in common. */}}

{{/* (root, settings, account, spread): the pod's own settings */}}
{{- define "buildwright.pod" -}}
serviceAccountName: {{ .account }}
automountServiceAccountToken: false
enableServiceLinks: false
terminationGracePeriodSeconds: {{ .grace }}
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
topologySpreadConstraints:
  {{- range tuple "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- $.spread | nindent 8 }}
    matchLabelKeys: [pod-template-hash]
  {{- end }}
{{- with .settings.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .settings.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .settings.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "buildwright.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  runAsNonRoot: true
  capabilities:
    drop: [ALL]
{{- end -}}

{{/* The port's name: whether the process lives, and whether it can do its work */}}
{{- define "buildwright.probes" -}}
startupProbe:
  httpGet: {path: /healthz, port: {{ . }}}
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /healthz, port: {{ . }}}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /readyz, port: {{ . }}}
  periodSeconds: 5
  timeoutSeconds: 3
{{- end -}}

{{/* (root, credentials): environment that all roles read */}}
{{- define "buildwright.env" -}}
- name: NATS_URL
  value: {{ .root.Values.nats.url | quote }}
- name: BUILDWRIGHT_NATS_REPLICAS
  value: {{ .root.Values.nats.replicas | quote }}
- name: BUILDWRIGHT_ARTIFACTS
  value: {{ .root.Values.artifacts.url | quote }}
- name: BUILDWRIGHT_DATA_DIR
  value: /var/lib/buildwright
- name: BUILDWRIGHT_LOG
  value: {{ .root.Values.log | quote }}
{{- if .root.Values.ackWaitSeconds }}
- name: BUILDWRIGHT_ACK_WAIT_SECONDS
  value: {{ .root.Values.ackWaitSeconds | quote }}
{{- end }}
{{- if .root.Values.config }}
- name: BUILDWRIGHT_CONFIG
  value: /etc/buildwright/config.toml
{{- end }}
{{- if .credentials.existingSecret }}
- name: BUILDWRIGHT_NATS_CREDENTIALS
  value: /etc/buildwright-nats/nats.creds
{{- end }}
{{- end -}}

{{/* (root): the database, for api, driver and projector */}}
{{- define "buildwright.databaseEnv" -}}
- name: DATABASE_URL
  valueFrom:
    secretKeyRef:
      name: {{ required "database.existingSecret: the name of the secret that holds the database's URL" .root.Values.database.existingSecret }}
      key: {{ .root.Values.database.key }}
{{- end -}}

{{/* The name of the secret whose key seals the secrets of webhooks; nothing without webhooks. */}}
{{- define "buildwright.secretKeyName" -}}
{{- with .Values.secretKey -}}
{{- if .existingSecret -}}
{{- .existingSecret -}}
{{- else if .generate -}}
{{- printf "%s-secret-key" (include "buildwright.fullname" $) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* (root): the same key, for api and projector */}}
{{- define "buildwright.secretKeyEnv" -}}
{{- with include "buildwright.secretKeyName" .root -}}
- name: BUILDWRIGHT_SECRET_KEY
  valueFrom:
    secretKeyRef:
      name: {{ . }}
      key: {{ $.root.Values.secretKey.key }}
{{- end -}}
{{- end -}}

{{/* (root, credentials) */}}
{{- define "buildwright.mounts" -}}
- name: data
  mountPath: /var/lib/buildwright
- name: tmp
  mountPath: /tmp
{{- if .root.Values.config }}
- name: config
  mountPath: /etc/buildwright
  readOnly: true
{{- end }}
{{- if .credentials.existingSecret }}
- name: nats
  mountPath: /etc/buildwright-nats
  readOnly: true
{{- end }}
{{- end -}}

{{/* (root, settings, credentials) */}}
{{- define "buildwright.volumes" -}}
{{- $data := .settings.dataVolume -}}
{{- if gt (len $data) 1 -}}
{{- /* Helm merged another kind of volume into the default. */ -}}
{{- $data = omit $data "emptyDir" -}}
{{- end -}}
- name: data
  {{- toYaml $data | nindent 2 }}
- name: tmp
  emptyDir: {sizeLimit: 1Gi}
{{- if .root.Values.config }}
- name: config
  configMap:
    name: {{ include "buildwright.fullname" .root }}
{{- end }}
{{- if .credentials.existingSecret }}
- name: nats
  secret:
    secretName: {{ .credentials.existingSecret }}
    defaultMode: 0440
    items:
      - key: {{ .credentials.key }}
        path: nats.creds
{{- end }}
{{- end -}}

{{/* (root, settings) */}}
{{- define "buildwright.podAnnotations" -}}
{{- $annotations := deepCopy .settings.podAnnotations -}}
{{- with .root.Values.config -}}
{{- $_ := set $annotations "checksum/config" (sha256sum .) -}}
{{- end -}}
{{- with $annotations -}}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end -}}
{{- end -}}
