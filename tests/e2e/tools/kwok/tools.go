//go:build tools

// Package tools names the node simulator that the e2e tests build from source, so that go.mod and go.sum pin it.
package tools

import _ "sigs.k8s.io/kwok/cmd/kwok"
