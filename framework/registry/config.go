package registry

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"
)

// defaultTimeout bounds one request to one URL when the configuration says nothing.
const defaultTimeout = 10 * time.Second

// Config is the registry section of the config file.
type Config struct {
	// URL is the base of the registry's Confluent API, such as "http://registry:8081" or
	// "https://registry/apis/ccompat/v7".
	URL string `yaml:"url"`
	// URLs are several bases of one registry, tried in turn. Set url or urls.
	URLs []string `yaml:"urls"`
	// Username and Password are sent as basic authentication. A name and password in a URL count too.
	Username string `yaml:"username"`
	Password string `yaml:"password"`
	// BearerToken is sent instead of a name and password.
	BearerToken string `yaml:"bearer_token"`
	// Timeout bounds one request to one URL. Default 10s.
	Timeout time.Duration `yaml:"timeout"`
	TLS     TLS           `yaml:"tls"`
}

// TLS is what an https URL needs beyond the system's certificates.
type TLS struct {
	// CA is a PEM file with the certificates that the registry's must descend from, instead of the system's.
	CA string `yaml:"ca"`
	// Cert and Key are PEM files with the client's certificate and its private key.
	Cert string `yaml:"cert"`
	Key  string `yaml:"key"`
}

// Validate reports all that is wrong, each problem by its key. It reads no file and asks no server.
func (c Config) Validate() error {
	var errs []error
	problem := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	switch {
	case c.URL == "" && len(c.URLs) == 0:
		problem("url: missing; give the address of the schema registry")
	case c.URL != "" && len(c.URLs) > 0:
		problem("urls: set url or urls, not both")
	}
	for i, raw := range c.URLs {
		if _, err := parseBase(raw); err != nil {
			problem("urls[%d]: %w", i, err)
		}
	}
	if c.URL != "" {
		if _, err := parseBase(c.URL); err != nil {
			problem("url: %w", err)
		}
	}
	if c.Password != "" && c.Username == "" {
		problem("username: missing although there is a password")
	}
	if c.BearerToken != "" && c.Username != "" {
		problem("bearer_token: set bearer_token or username, not both")
	}
	if c.Timeout < 0 {
		problem("timeout: %v is negative", c.Timeout)
	}
	if (c.TLS.Cert == "") != (c.TLS.Key == "") {
		problem("tls.cert: set tls.cert and tls.key together")
	}
	return errors.Join(errs...)
}

// base is one URL of the registry, taken apart so that no message can hold the password in it.
type base struct {
	url                string // without user, query and trailing slash
	host               string
	username, password string
}

// parseBase's errors do not wrap those of net/url: they quote the URL, and so the password.
func parseBase(raw string) (base, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return base{}, errors.New("not a URL (is there a character in the password that must be escaped?)")
	case u.Scheme != "http" && u.Scheme != "https":
		return base{}, errors.New("not a URL that begins with http:// or https://")
	case u.Host == "":
		return base{}, errors.New("a URL without a host")
	case u.RawQuery != "" || u.Fragment != "":
		return base{}, errors.New("a URL with a query or fragment; give the base of the API alone")
	}
	b := base{host: u.Host}
	if u.User != nil {
		b.username = u.User.Username()
		b.password, _ = u.User.Password()
		u.User = nil
	}
	b.url = strings.TrimRight(u.String(), "/")
	return b, nil
}

func (c Config) bases() ([]base, error) {
	raws := c.URLs
	if c.URL != "" {
		raws = []string{c.URL}
	}
	var all []base
	for _, raw := range raws {
		b, err := parseBase(raw)
		if err != nil {
			return nil, err
		}
		if c.Username != "" {
			b.username, b.password = c.Username, c.Password
		}
		all = append(all, b)
	}
	return all, nil
}

// tlsConfig reads the files that t names.
func (t TLS) tlsConfig() (*tls.Config, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, fmt.Errorf("tls.ca: %w", err)
		}
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls.ca: no certificate in %s", t.CA)
		}
	}
	if t.Cert != "" {
		pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			return nil, fmt.Errorf("tls.cert: %w", err)
		}
		conf.Certificates = []tls.Certificate{pair}
	}
	return conf, nil
}
