{{- define "keyturn.name" -}}
{{- ternary .Release.Name (printf "%s-keyturn" .Release.Name) (contains "keyturn" .Release.Name) | trunc 52 | trimSuffix "-" }}
{{- end }}

{{- define "keyturn.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (include "keyturn.name" .) }}
{{- end }}

{{- define "keyturn.selectorLabels" -}}
app.kubernetes.io/name: keyturn
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "keyturn.labels" -}}
{{ include "keyturn.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}
{{- end }}

{{- /* The config file. Empty settings are left to the operator's own defaults. */}}
{{- define "keyturn.config" -}}
{{- $config := deepCopy .Values.config }}
{{- range $key, $value := .Values.config }}{{ if and (kindIs "string" $value) (eq $value "") }}{{ $_ := unset $config $key }}{{ end }}{{ end }}
{{- $_ := set $config "listen" ":8080" }}
{{- $_ := set $config "leaderElection" (dict "enabled" true "namespace" .Release.Namespace "name" (include "keyturn.name" .)) }}
{{- if .Values.namespaces }}{{ $_ := set $config "namespaces" .Values.namespaces }}{{ end }}
{{- toYaml $config }}
{{- end }}

{{- /* What the operator does to policies and Secrets; each verb has its reason in docs/install.md. */}}
{{- define "keyturn.rules" -}}
- apiGroups: [keyturn.dev]
  resources: [rotationpolicies]
  verbs: [get, list, watch, patch]
- apiGroups: [keyturn.dev]
  resources: [rotationpolicies/status]
  verbs: [patch]
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [serviceaccounts]
  verbs: [get]
- apiGroups: [""]
  resources: [namespaces]
  verbs: [get]
- apiGroups: [""]
  resources: [serviceaccounts/token]
  verbs: [create]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
- apiGroups: [apps]
  resources: [deployments, statefulsets, daemonsets]
  verbs: [get, list, patch]
- apiGroups: [""]
  resources: [pods]
  verbs: [list]
{{- end }}
