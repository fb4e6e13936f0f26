package config

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// Kafka says how to reach the brokers.
type Kafka struct {
	// Brokers are the bootstrap addresses, host:port.
	Brokers []string `yaml:"brokers"`
	// TLS encrypts the connections; an empty section uses the system's authorities.
	TLS *TLS `yaml:"tls"`
	// SASL authenticates by user name and password.
	SASL *SASL `yaml:"sasl"`
	// ClientID appears in the brokers' logs and quotas; the connector's name by default.
	ClientID string `yaml:"client_id"`
}

// TLS is the client's side of a TLS connection.
type TLS struct {
	// CA is the file with the authorities to trust (PEM); the system's by default.
	CA string `yaml:"ca"`
	// Cert and Key are the files of the client's certificate (PEM), for mutual TLS.
	Cert string `yaml:"cert"`
	Key  string `yaml:"key"`
	// ServerName is the name expected in the server's certificate; the address's host by default.
	ServerName string `yaml:"server_name"`
}

// SASL is a user name and password.
type SASL struct {
	// Mechanism is plain, scram-sha-256 or scram-sha-512.
	Mechanism string `yaml:"mechanism"`
	// Username is the user to log in as.
	Username string `yaml:"username"`
	// Password is the user's; it appears in no log.
	Password Secret `yaml:"password"`
}

var mechanisms = []string{"plain", "scram-sha-256", "scram-sha-512"}

// Validate reports every problem of the section.
func (k Kafka) Validate() error {
	var errs []error
	if len(k.Brokers) == 0 {
		errs = append(errs, errors.New("kafka.brokers: name at least one broker, such as [localhost:9092]"))
	}
	if k.TLS != nil && (k.TLS.Cert == "") != (k.TLS.Key == "") {
		errs = append(errs, errors.New("kafka.tls: cert and key go together"))
	}
	if s := k.SASL; s != nil {
		if !slices.Contains(mechanisms, s.Mechanism) {
			errs = append(errs, fmt.Errorf("kafka.sasl.mechanism: %q is not one of %v", s.Mechanism, mechanisms))
		}
		if s.Username == "" || s.Password == "" {
			errs = append(errs, errors.New("kafka.sasl: username and password are needed"))
		}
	}
	return errors.Join(errs...)
}

// Options gives the client's options for address, TLS and SASL. It reads the TLS files.
func (k Kafka) Options() ([]kgo.Opt, error) {
	opts := []kgo.Opt{kgo.SeedBrokers(k.Brokers...)}
	if k.ClientID != "" {
		opts = append(opts, kgo.ClientID(k.ClientID))
	}
	if k.TLS != nil {
		c, err := k.TLS.Config()
		if err != nil {
			return nil, fmt.Errorf("kafka.tls: %w", err)
		}
		opts = append(opts, kgo.DialTLSConfig(c))
	}
	if s := k.SASL; s != nil {
		switch s.Mechanism {
		case "plain":
			opts = append(opts, kgo.SASL(plain.Auth{User: s.Username, Pass: s.Password.Reveal()}.AsMechanism()))
		case "scram-sha-256":
			opts = append(opts, kgo.SASL(scram.Auth{User: s.Username, Pass: s.Password.Reveal()}.AsSha256Mechanism()))
		case "scram-sha-512":
			opts = append(opts, kgo.SASL(scram.Auth{User: s.Username, Pass: s.Password.Reveal()}.AsSha512Mechanism()))
		}
	}
	return opts, nil
}

// Config reads the files and gives what crypto/tls needs.
func (t TLS) Config() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, fmt.Errorf("ca: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("ca: %s holds no certificate in PEM form", t.CA)
		}
	}
	if t.Cert != "" {
		pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			return nil, fmt.Errorf("cert and key: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}
