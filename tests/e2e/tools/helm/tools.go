//go:build tools

// Package tools names the helm program that the e2e tests build from source, so that go.mod and go.sum pin it.
package tools

import _ "helm.sh/helm/v4/cmd/helm"
