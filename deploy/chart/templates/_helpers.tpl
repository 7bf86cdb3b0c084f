{{/* Names do not depend on the release: a cluster has one controller, and a second release is refused by Helm. */}}
{{- define "engine.name" -}}
liqo-connectivity-engine
{{- end }}

{{/* Nothing that changes with the chart alone: pods are not replaced for it. */}}
{{- define "engine.podLabels" -}}
app: {{ include "engine.name" . }}
app.kubernetes.io/name: {{ include "engine.name" . }}
app.kubernetes.io/part-of: liqo
{{- end }}

{{- define "engine.labels" -}}
{{ include "engine.podLabels" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "engine.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}
