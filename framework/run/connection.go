package run

import (
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/syncline-io/syncline/framework/config"
	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/registry"
)

// Common reads what a connector's file says of Kafka and the registry, for a tool that looks at what the connector reads or
// writes. The whole file is checked, as at a start.
func Common(known []Connector, file string) (config.Common, error) {
	t, err := read(known, file, Platform{})
	if err != nil {
		return config.Common{}, err
	}
	return t.common, nil
}

// Clients gives a tool what it needs to reach Kafka and the registry; it reads files and connects to nothing. The registry's
// client is nil when c names no registry.
func Clients(c config.Common) ([]kgo.Opt, *registry.Client, error) {
	if len(c.Registry.Addresses()) > 0 {
		return clients(c)
	}
	kafka, err := c.Kafka.Options()
	return kafka, nil, failure.As(failure.Config, err, "")
}
