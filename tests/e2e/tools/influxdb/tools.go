//go:build tools

// Package tools names the InfluxDB that the e2e tests build from source, so that go.mod and go.sum pin it.
package tools

import (
	_ "github.com/influxdata/influxdb/v2/cmd/influxd"
	_ "github.com/influxdata/pkg-config"
)
