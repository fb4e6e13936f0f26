package config

import (
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/syncline-io/syncline/framework/registry"
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
	// Timeout bounds one request to one address.
	Timeout time.Duration `yaml:"timeout"`
	// SubjectNameStrategy says under which subjects a source's schemas are: topic (TOPIC-key and TOPIC-value), record
	// (the record's full name) or topic_record (TOPIC-RECORD). Confluent's names, such as RecordNameStrategy, are taken too.
	SubjectNameStrategy string `yaml:"subject_name_strategy"`
	// AutoRegister says whether a source registers the schemas that it needs. With false they must be there: it writes
	// under the version that is the very schema it needs, or as use_version and versions say; else it stops, or the
	// table goes to quarantine, and the message names the first difference.
	AutoRegister bool `yaml:"auto_register"`
	// UseVersion is latest, or nothing; for auto_register: false. With latest, a source writes under each subject's
	// latest version, as long as that is the same on the wire as what it needs: it may differ in documentation, defaults and labels.
	UseVersion string `yaml:"use_version"`
	// Versions are the numbers of the versions to write under, by subject, on the same condition; for auto_register: false.
	Versions map[string]int `yaml:"versions"`
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
		TLS: registry.TLS{CA: r.TLS.CA, Cert: r.TLS.Cert, Key: r.TLS.Key}, Timeout: r.Timeout,
	}
}

// At returns r with another address, and what belongs to an address with it.
func (r Registry) At(address string) Registry {
	r.URL, r.URLs, r.Username, r.Password, r.Token, r.TLS = URL(address), nil, "", "", "", RegistryTLS{}
	return r
}

// Policy says which schemas a source may write with.
func (r Registry) Policy() registry.Policy {
	return registry.Policy{AutoRegister: r.AutoRegister, UseLatest: r.UseVersion == "latest", Versions: r.Versions}
}

// Strategy names subjects. It counts after Validate.
func (r Registry) Strategy() registry.Strategy {
	s, _ := registry.ParseStrategy(r.SubjectNameStrategy)
	return s
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
	if r.Timeout < 0 {
		errs = append(errs, errors.New("registry.timeout: want a positive duration"))
	}
	errs = append(errs, r.validateSchemas())
	return errors.Join(errs...)
}

// validateSchemas is about the keys that say which schemas are written with.
func (r Registry) validateSchemas() error {
	var errs []error
	if _, err := registry.ParseStrategy(r.SubjectNameStrategy); err != nil {
		errs = append(errs, fmt.Errorf("registry.subject_name_strategy: %w", err))
	}
	if r.UseVersion != "" && r.UseVersion != "latest" {
		errs = append(errs, fmt.Errorf("registry.use_version: %q is not latest; give numbers by subject in registry.versions", r.UseVersion))
	}
	if r.AutoRegister && (r.UseVersion != "" || len(r.Versions) > 0) {
		errs = append(errs, errors.New("registry.auto_register: use_version and versions need auto_register: false"))
	}
	for subject, version := range r.Versions {
		if version < 1 {
			errs = append(errs, fmt.Errorf("registry.versions.%s: want a version, 1 or more", subject))
		}
	}
	return errors.Join(errs...)
}
