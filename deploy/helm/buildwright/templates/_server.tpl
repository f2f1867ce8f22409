{{/* (root, role): the deployment of api, driver or projector, which differ in their port only */}}
{{- define "buildwright.server" -}}
{{- $settings := index .root.Values .role -}}
{{- $isApi := eq .role "api" -}}
{{- $port := ternary "http" "health" $isApi -}}
{{- $pieces := dict "root" .root "settings" $settings "credentials" .root.Values.nats.serverCredentials -}}
{{- $selector := include "buildwright.roleSelector" . -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "buildwright.fullname" .root }}-{{ .role }}
  labels:
    {{- include "buildwright.labels" .root | nindent 4 }}
    app.kubernetes.io/component: {{ .role }}
spec:
  {{- if not (and $isApi $settings.autoscaling.enabled) }}
  replicas: {{ $settings.replicas }}
  {{- end }}
  strategy:
    type: RollingUpdate
    rollingUpdate: {maxSurge: 1, maxUnavailable: 0}
  selector:
    matchLabels:
      {{- $selector | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "buildwright.labels" .root | nindent 8 }}
        app.kubernetes.io/component: {{ .role }}
      {{- include "buildwright.podAnnotations" $pieces | nindent 6 }}
    spec:
      {{- include "buildwright.pod" (dict "root" .root "settings" $settings "account" (printf "%s-server" (include "buildwright.fullname" .root)) "grace" $settings.terminationGracePeriodSeconds "spread" $selector) | nindent 6 }}
      containers:
        - name: {{ .role }}
          image: {{ include "buildwright.image" (dict "root" .root "image" "server") | quote }}
          imagePullPolicy: {{ .root.Values.image.pullPolicy }}
          args: [{{ .role }}]
          env:
            {{- include "buildwright.databaseEnv" . | nindent 12 }}
            {{- include "buildwright.env" $pieces | nindent 12 }}
            {{- /* The driver signs nothing. */}}
            {{- if ne .role "driver" }}
            {{- with include "buildwright.secretKeyEnv" . }}
            {{- . | nindent 12 }}
            {{- end }}
            {{- end }}
            {{- if $isApi }}
            - name: BUILDWRIGHT_LISTEN
              value: 0.0.0.0:8420
            {{- if $settings.allowUnauthenticated }}
            - name: BUILDWRIGHT_ALLOW_UNAUTHENTICATED
              value: "true"
            {{- end }}
            {{- else }}
            - name: BUILDWRIGHT_HEALTH
              value: 0.0.0.0:8422
            {{- end }}
            {{- with $settings.extraEnv }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
          {{- /* The projector sees no bundles. */}}
          {{- if and (ne .role "projector") .root.Values.artifacts.existingSecret }}
          envFrom:
            - secretRef:
                name: {{ .root.Values.artifacts.existingSecret }}
          {{- end }}
          ports:
            - name: {{ $port }}
              containerPort: {{ ternary 8420 8422 $isApi }}
          {{- include "buildwright.probes" $port | nindent 10 }}
          resources:
            {{- toYaml $settings.resources | nindent 12 }}
          {{- include "buildwright.containerSecurity" . | nindent 10 }}
          volumeMounts:
            {{- include "buildwright.mounts" $pieces | nindent 12 }}
      volumes:
        {{- include "buildwright.volumes" $pieces | nindent 8 }}
{{- end -}}
