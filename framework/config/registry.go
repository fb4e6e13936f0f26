package config

import (
	"errors"
	"fmt"
	"net/url"

	"github.com/syncline-io/syncline/schemas/registry"
)

// Registry says how to reach the schema registry.
type Registry struct {
	// URL is the registry's address, such as http://localhost:8081.
	URL URL `yaml:"url"`
	// URLs are tried in turn, instead of URL.
	URLs []URL `yaml:"urls"`
	// Username and Password are sent as basic authentication.
	Username string `yaml:"username"`
	Password Secret `yaml:"password"`
	// Token is sent as a bearer token.
	Token Secret      `yaml:"token"`
	TLS   RegistryTLS `yaml:"tls"`
}

// RegistryTLS is what an https address needs beyond the system's authorities.
type RegistryTLS struct {
	// CA is the file with the authorities to trust (PEM).
	CA string `yaml:"ca"`
	// Cert and Key are the files of the client's certificate (PEM).
	Cert string `yaml:"cert"`
	Key  string `yaml:"key"`
}

// Client gives the registry client's configuration.
func (r Registry) Client() registry.Config {
	return registry.Config{
		URLs: r.Addresses(), Username: r.Username, Password: r.Password.Reveal(), BearerToken: r.Token.Reveal(),
		TLS: registry.TLS{CA: r.TLS.CA, Cert: r.TLS.Cert, Key: r.TLS.Key},
	}
}

// Addresses returns URLs, or URL alone.
func (r Registry) Addresses() []string {
	if r.URL != "" {
		return []string{r.URL.Reveal()}
	}
	var out []string
	for _, u := range r.URLs {
		out = append(out, u.Reveal())
	}
	return out
}

// Validate reports every problem of the section.
func (r Registry) Validate() error {
	var errs []error
	if r.URL != "" && len(r.URLs) > 0 {
		errs = append(errs, errors.New("registry: give url or urls, not both"))
	}
	addresses := r.Addresses()
	if len(addresses) == 0 {
		errs = append(errs, errors.New("registry.url: name the schema registry, such as http://localhost:8081"))
	}
	for _, a := range addresses {
		if u, err := url.Parse(a); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			errs = append(errs, fmt.Errorf("registry.url: %s is no http or https address", URL(a)))
		}
	}
	if (r.Username == "") != (r.Password == "") {
		errs = append(errs, errors.New("registry: username and password go together"))
	}
	if r.Username != "" && r.Token != "" {
		errs = append(errs, errors.New("registry: give username and password, or token, not both"))
	}
	return errors.Join(errs...)
}
