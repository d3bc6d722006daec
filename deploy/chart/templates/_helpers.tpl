{{- define "signet.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end }}

{{- define "signet.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else if contains (include "signet.name" .) .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "signet.name" .) | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{- define "signet.selector" -}}
app.kubernetes.io/name: {{ include "signet.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "signet.labels" -}}
{{ include "signet.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "signet.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end }}

{{/* "true" with PostgreSQL, empty with SQLite */}}
{{- define "signet.postgres" -}}
{{- if .Values.secrets.database -}}true{{- end -}}
{{- end }}

{{- define "signet.workload" -}}
{{- if include "signet.postgres" . -}}deployment{{- else -}}statefulset{{- end -}}
{{- end }}

{{- define "signet.serviceAccount" -}}
{{- default (include "signet.fullname" .) .Values.serviceAccount.existing -}}
{{- end }}

{{- define "signet.issuerHost" -}}
{{- (urlParse (toString .Values.settings.issuer)).host | splitList ":" | first -}}
{{- end }}

{{- define "signet.issuerPath" -}}
{{- (urlParse (toString .Values.settings.issuer)).path -}}
{{- end }}

{{/* The value of the setting with a dotted key, as YAML; empty if it is not set. */}}
{{- define "signet.setting" -}}
{{- $at := .settings -}}
{{- $found := true -}}
{{- range splitList "." .key -}}
{{- if and $found (kindIs "map" $at) (hasKey $at .) -}}
{{- $at = index $at . -}}
{{- else -}}
{{- $found = false -}}
{{- end -}}
{{- end -}}
{{- if and $found (not (kindIs "invalid" $at)) -}}{{ toYaml $at }}{{- end -}}
{{- end }}

{{/* Stops with a message if the values cannot work together. files/settings.json is written from
the table of settings. */}}
{{- define "signet.check" -}}
{{- $table := .Files.Get "files/settings.json" | fromJson -}}
{{- if not .Values.settings.issuer -}}
{{- fail "settings.issuer is missing: it is the public address of Signet, for example --set settings.issuer=https://id.example.com" -}}
{{- end -}}
{{- range $key := $table.chart -}}
{{- if include "signet.setting" (dict "settings" $.Values.settings "key" $key) -}}
{{- fail (printf "settings.%s is set by the chart: remove it from the values" $key) -}}
{{- end -}}
{{- end -}}
{{- range $key := $table.secret -}}
{{- if include "signet.setting" (dict "settings" $.Values.settings "key" $key) -}}
{{- fail (printf "settings.%s is a secret, and settings are stored in a ConfigMap: create a Secret, and name it and its key in secrets" $key) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.tls.existingSecret (or (include "signet.setting" (dict "settings" .Values.settings "key" "tls.cert")) (include "signet.setting" (dict "settings" .Values.settings "key" "tls.key"))) -}}
{{- fail "tls.existingSecret sets settings.tls.cert and settings.tls.key: remove them from the values" -}}
{{- end -}}
{{- $ids := list -}}
{{- range $connector := .Values.settings.connectors -}}
{{- $ids = append $ids (toString $connector.id) -}}
{{- range $key := $table.connectorSecret -}}
{{- if hasKey $connector $key -}}
{{- fail (printf "the connector %s has %s, which is a secret, and settings are stored in a ConfigMap: create a Secret, and name it and its key in connectorSecrets.%s.%s" $connector.id $key $connector.id $key) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $id, $secrets := .Values.connectorSecrets -}}
{{- if not (has $id $ids) -}}
{{- fail (printf "connectorSecrets.%s: settings.connectors has no connector with the id %s" $id $id) -}}
{{- end -}}
{{- end -}}
{{- if include "signet.postgres" . -}}
{{- if not .Values.secrets.master_key -}}
{{- fail "secrets.master_key is missing: all replicas on one PostgreSQL need the same master key; create a Secret with the output of: openssl rand -base64 32" -}}
{{- end -}}
{{- else -}}
{{- if gt (int (default 1 .Values.replicas)) 1 -}}
{{- fail (printf "replicas is %d, but SQLite allows one replica: set secrets.database to use PostgreSQL, or set replicas to 1" (int .Values.replicas)) -}}
{{- end -}}
{{- if .Values.autoscaling.enabled -}}
{{- fail "autoscaling needs PostgreSQL, but SQLite allows one replica: set secrets.database, or set autoscaling.enabled to false" -}}
{{- end -}}
{{- end -}}
{{- if and .Values.secrets.master_key_next (not .Values.secrets.master_key) -}}
{{- fail "secrets.master_key_next needs secrets.master_key: with a master key on the volume, signet keys rewrap alone is enough" -}}
{{- end -}}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.parentRefs) -}}
{{- fail "httpRoute.parentRefs is empty: name the Gateway of the route" -}}
{{- end -}}
{{- end }}

{{/* The content of signet.yaml: the settings, with the paths of the files that the chart mounts. */}}
{{- define "signet.settings" -}}
{{- $settings := deepCopy .Values.settings -}}
{{- $connectors := list -}}
{{- range $connector := $settings.connectors -}}
{{- $id := toString $connector.id -}}
{{- range $key := keys (default dict (index $.Values.connectorSecrets $id)) | sortAlpha -}}
{{- $_ := set $connector (printf "%s_file" $key) (printf "/run/secrets/signet/connectors/%s/%s" $id $key) -}}
{{- end -}}
{{- $connectors = append $connectors $connector -}}
{{- end -}}
{{- if $connectors -}}
{{- $_ := set $settings "connectors" $connectors -}}
{{- end -}}
{{- if .Values.tls.existingSecret -}}
{{- $_ := set $settings "tls" (dict "cert" "/run/secrets/signet/tls/tls.crt" "key" "/run/secrets/signet/tls/tls.key") -}}
{{- end -}}
{{ toYaml $settings }}
{{- end }}

{{/* The settings that need a restart: the content without those that a running server follows. */}}
{{- define "signet.restartSettings" -}}
{{- $table := .Files.Get "files/settings.json" | fromJson -}}
{{- $settings := deepCopy .Values.settings -}}
{{- range $key := $table.live -}}
{{- $parts := splitList "." $key -}}
{{- $at := $settings -}}
{{- range initial $parts -}}
{{- if kindIs "map" $at -}}{{- $at = index $at . -}}{{- end -}}
{{- end -}}
{{- if kindIs "map" $at -}}
{{- $_ := unset $at (last $parts) -}}
{{- if not $at -}}{{- $_ := unset $settings (first $parts) -}}{{- end -}}
{{- end -}}
{{- end -}}
{{ toYaml $settings }}
{{- end }}

{{/* The Pod of the Deployment and of the StatefulSet. */}}
{{- define "signet.pod" -}}
metadata:
  annotations:
    checksum/settings: {{ include "signet.restartSettings" . | sha256sum }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  labels:
    {{- include "signet.labels" . | nindent 4 }}
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "signet.serviceAccount" . }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  securityContext:
    {{- toYaml .Values.podSecurityContext | nindent 4 }}
  terminationGracePeriodSeconds: {{ add .Values.preStopSeconds 20 }}
  containers:
    - name: signet
      image: {{ include "signet.image" . | quote }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args: [serve]
      env:
        - {name: SIGNET_CONFIG, value: /etc/signet/signet.yaml}
        - {name: SIGNET_LISTEN, value: ":8080"}
        {{- if not (include "signet.postgres" .) }}
        - {name: SIGNET_DATA_DIR, value: /data/signet}
        {{- end }}
        {{- range $key := keys .Values.secrets | sortAlpha }}
        - {name: {{ printf "SIGNET_%s_FILE" ($key | upper | replace "." "_") }}, value: {{ printf "/run/secrets/signet/settings/%s" $key }}}
        {{- end }}
        {{- with .Values.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      ports:
        - {name: http, containerPort: 8080, protocol: TCP}
      startupProbe:
        httpGet: {{ include "signet.probe" (list . "/healthz") }}
        periodSeconds: 2
        timeoutSeconds: 2
        failureThreshold: {{ div (add .Values.startupSeconds 1) 2 }}
      livenessProbe:
        httpGet: {{ include "signet.probe" (list . "/healthz") }}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      readinessProbe:
        httpGet: {{ include "signet.probe" (list . "/readyz") }}
        periodSeconds: 5
        timeoutSeconds: 5
        failureThreshold: 2
      {{- if .Values.preStopSeconds }}
      lifecycle:
        preStop: {sleep: {seconds: {{ .Values.preStopSeconds }}}}
      {{- end }}
      resources:
        {{- toYaml .Values.resources | nindent 8 }}
      securityContext:
        {{- toYaml .Values.securityContext | nindent 8 }}
      volumeMounts:
        - {name: settings, mountPath: /etc/signet, readOnly: true}
        - {name: tmp, mountPath: /tmp}
        {{- if not (include "signet.postgres" .) }}
        - {name: data, mountPath: /data}
        {{- end }}
        {{- if include "signet.hasSecrets" . }}
        - {name: secrets, mountPath: /run/secrets/signet, readOnly: true}
        {{- end }}
        {{- with .Values.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    - name: settings
      configMap: {name: {{ include "signet.fullname" . }}}
    - name: tmp
      emptyDir: {sizeLimit: 1Gi}
    {{- if and (not (include "signet.postgres" .)) .Values.persistence.existingClaim }}
    - name: data
      persistentVolumeClaim: {claimName: {{ .Values.persistence.existingClaim }}}
    {{- end }}
    {{- if include "signet.hasSecrets" . }}
    - name: secrets
      projected:
        defaultMode: 0440
        sources:
          {{- range $key := keys .Values.secrets | sortAlpha }}
          {{- $ref := index $.Values.secrets $key }}
          - secret: {name: {{ $ref.name }}, items: [{key: {{ $ref.key }}, path: {{ printf "settings/%s" $key }}}]}
          {{- end }}
          {{- range $id := keys .Values.connectorSecrets | sortAlpha }}
          {{- range $key := keys (index $.Values.connectorSecrets $id) | sortAlpha }}
          {{- $ref := index $.Values.connectorSecrets $id $key }}
          - secret: {name: {{ $ref.name }}, items: [{key: {{ $ref.key }}, path: {{ printf "connectors/%s/%s" $id $key }}}]}
          {{- end }}
          {{- end }}
          {{- with .Values.tls.existingSecret }}
          - secret: {name: {{ . }}, items: [{key: tls.crt, path: tls/tls.crt}, {key: tls.key, path: tls/tls.key}]}
          {{- end }}
    {{- end }}
    {{- with .Values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  topologySpreadConstraints:
    {{- with .Values.topologySpreadConstraints }}
    {{- toYaml . | nindent 4 }}
    {{- else }}
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "signet.selector" . | nindent 10 }}
    {{- end }}
{{- end }}

{{/* "true" if a Secret is mounted */}}
{{- define "signet.hasSecrets" -}}
{{- if or .Values.secrets .Values.connectorSecrets .Values.tls.existingSecret -}}true{{- end -}}
{{- end }}

{{/* The paths of the issuer, as a JSON list: its own, and those that Signet answers at the root of
the host. */}}
{{- define "signet.paths" -}}
{{- $path := include "signet.issuerPath" . -}}
{{- if $path -}}
{{- list $path (printf "/.well-known/oauth-authorization-server%s" $path) "/.well-known/change-password" | toJson -}}
{{- else -}}
{{- list "/" | toJson -}}
{{- end -}}
{{- end }}

{{/* The httpGet of a probe. kubelet sends the address of the Pod as the host; Signet answers at
every host. */}}
{{- define "signet.probe" -}}
{{- $root := index . 0 -}}
{{- $path := printf "%s%s" (include "signet.issuerPath" $root) (index . 1) -}}
{{- $tls := or $root.Values.tls.existingSecret (include "signet.setting" (dict "settings" $root.Values.settings "key" "tls.cert")) -}}
{path: {{ $path }}, port: http, scheme: {{ if $tls }}HTTPS{{ else }}HTTP{{ end }}}
{{- end }}
