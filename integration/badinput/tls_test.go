package badinput

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/syncline-io/syncline/integration/engines"
)

// tlsServer is a PostgreSQL server that lets nobody in without TLS, and the role certified with a certificate only.
func tlsServer(t *testing.T, authority *engines.Authority) *engines.Postgres {
	t.Helper()
	server := engines.NewPostgres(t, engines.PostgresOptions{})
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(execute(server.URL(""), "CREATE ROLE certified SUPERUSER LOGIN"))
	certificate := authority.Server()
	for name, file := range map[string]string{"server.crt": certificate.Cert, "server.key": certificate.Key, "ca.crt": authority.CA} {
		give(t, file, filepath.Join(server.DataDir(), name))
	}
	must(os.WriteFile(filepath.Join(server.DataDir(), "pg_hba.conf"), []byte(
		"hostssl all certified all cert\nhostssl all all all trust\nhostnossl all all all reject\n"), 0o600))
	plain := server.URL("")
	must(execute(plain, "ALTER SYSTEM SET ssl_ca_file = 'ca.crt'"))
	must(execute(plain, "ALTER SYSTEM SET ssl = on"))
	must(execute(plain, "SELECT pg_reload_conf(), pg_sleep(0.5)"))
	if err := execute(plain, "SELECT"); err == nil {
		t.Fatal("the server still takes connections without TLS")
	}
	return server
}

// give copies a file so that the owner of the folder, and nobody else, can read it.
func give(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, text, 0o600)
	}
	var folder os.FileInfo
	if err == nil {
		folder, err = os.Stat(filepath.Dir(to))
	}
	if owner, ok := folder.Sys().(*syscall.Stat_t); ok && err == nil {
		err = os.Chown(to, int(owner.Uid), int(owner.Gid))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// withTLS sets the parameters of a connection: pairs of name and value.
func withTLS(t *testing.T, address, user string, parameters ...string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	if user != "" {
		u.User = url.User(user)
	}
	q := u.Query()
	for i := 0; i < len(parameters); i += 2 {
		q.Set(parameters[i], parameters[i+1])
	}
	u.RawQuery = q.Encode()
	return u.String()
}

func TestPostgreSQLOverTLS(t *testing.T) {
	s := newScene(t)
	authority, stranger := engines.NewAuthority(t), engines.NewAuthority(t)
	server := tlsServer(t, authority)
	admin := withTLS(t, server.URL(""), "", "sslmode", "verify-full", "sslrootcert", authority.CA)
	s.exec(admin, "CREATE DATABASE target")
	s.exec(admin, "CREATE TABLE item (id int PRIMARY KEY, label text); INSERT INTO item VALUES (1, 'one')")
	to := func(database, user string, parameters ...string) string {
		return withTLS(t, server.URL(database), user, parameters...)
	}
	both := func(golden, user string, code int, parameters ...string) {
		t.Helper()
		s.source, s.target = to("", user, parameters...), to("target", user, parameters...)
		s.mustStop(s.startSource(), code, "tls-postgres-"+golden)
		s.mustStop(s.start("postgres-sink", s.copyYAML()), code, "tls-target-"+golden)
	}
	both("wrong-ca", "", 2, "sslmode", "verify-full", "sslrootcert", stranger.CA)
	both("no-tls", "", 2, "sslmode", "disable")
	both("no-certificate", "certified", 2, "sslmode", "verify-full", "sslrootcert", authority.CA)
	foreign := stranger.Client("certified")
	both("foreign-certificate", "certified", 2, "sslmode", "verify-full", "sslrootcert", authority.CA, "sslcert", foreign.Cert, "sslkey", foreign.Key)

	mine := authority.Client("certified")
	certified := []string{"sslmode", "verify-full", "sslrootcert", authority.CA, "sslcert", mine.Cert, "sslkey", mine.Key}
	s.source, s.target = to("", "certified", certified...), to("target", "certified", certified...)
	source, sink := s.startPublished(), s.start("postgres-sink", s.copyYAML())
	s.exec(admin, "INSERT INTO item VALUES (2, 'two')")
	s.rows(s.target, itemsQuery, "1=one 2=two")
	s.rows(admin, "SELECT CASE WHEN count(*) >= 3 AND bool_and(ssl AND client_dn = '/CN=certified') THEN 'all' ELSE 'not all' END"+
		" FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = 'certified' AND backend_type IN ('client backend', 'walsender')", "all")
	s.stop(sink)
	s.stop(source)
}

// secured puts security and credentials into the section kafka.
func secured(yaml, section string) string {
	return strings.Replace(yaml, "kafka: {", "kafka: {"+section+", ", 1)
}

func TestKafkaOverTLSWithPasswords(t *testing.T) {
	s := newScene(t).withTarget()
	authority, stranger := engines.NewAuthority(t), engines.NewAuthority(t)
	broker := engines.NewKafka(t, engines.KafkaOptions{
		Security: "SASL_SSL", Users: map[string]string{"syncline": password},
		Settings: map[string]string{
			"listener.name.client.sasl.enabled.mechanisms":        "SCRAM-SHA-256,SCRAM-SHA-512",
			"listener.name.client.scram-sha-256.sasl.jaas.config": "org.apache.kafka.common.security.scram.ScramLoginModule required;",
			"listener.name.client.scram-sha-512.sasl.jaas.config": "org.apache.kafka.common.security.scram.ScramLoginModule required;",
			"listener.name.client.ssl.keystore.type":              "PEM",
			"listener.name.client.ssl.keystore.location":          authority.Server().Both,
		},
	})
	s.kafka = broker.Address()
	sasl := func(mechanism, password string) string {
		return fmt.Sprintf("sasl: {mechanism: %s, username: syncline, password: %q}", mechanism, password)
	}
	tls := func(ca string) string { return fmt.Sprintf("tls: {ca: %q}", ca) }
	both := func(golden, section string) {
		t.Helper()
		s.mustStop(s.start("postgres-source", secured(s.sourceYAML(""), section)), 2, "tls-kafka-"+golden)
		s.mustStop(s.start("postgres-sink", secured(s.copyYAML(), section)), 2, "tls-kafka-"+golden+"-sink")
	}
	both("wrong-ca", tls(stranger.CA)+", "+sasl("scram-sha-512", password))
	both("wrong-password", tls(authority.CA)+", "+sasl("scram-sha-512", password+"!"))
	both("mechanism", tls(authority.CA)+", "+sasl("plain", password))

	// Without TLS nothing is understood; that may also be a network in between, so it is tried again.
	p := s.start("postgres-source", secured(s.sourceYAML(""), sasl("scram-sha-512", password)))
	s.mustRetry(p, "Kafka", "tls-kafka-no-tls")
	s.stop(p)

	for i, mechanism := range []string{"scram-sha-256", "scram-sha-512"} {
		section := tls(authority.CA) + ", " + sasl(mechanism, password)
		source := s.start("postgres-source", secured(s.sourceYAML(""), section))
		s.streams(source)
		sink := s.start("postgres-sink", secured(s.copyYAML(), section))
		s.exec(s.source, "INSERT INTO item SELECT max(id) + 1, 'next' FROM item")
		s.rows(s.target, itemsQuery, "1=one"+strings.Join([]string{"", "2=next", "3=next"}[:i+2], " "))
		s.stop(sink)
		s.stop(source)
	}
}

func TestKafkaOverTLSWithCertificates(t *testing.T) {
	s := newScene(t).withTarget()
	authority, stranger := engines.NewAuthority(t), engines.NewAuthority(t)
	broker := engines.NewKafka(t, engines.KafkaOptions{
		Security: "SSL",
		Settings: map[string]string{
			"listener.name.client.ssl.keystore.type":       "PEM",
			"listener.name.client.ssl.keystore.location":   authority.Server().Both,
			"listener.name.client.ssl.truststore.type":     "PEM",
			"listener.name.client.ssl.truststore.location": authority.CA,
			"listener.name.client.ssl.client.auth":         "required",
		},
	})
	s.kafka = broker.Address()
	section := func(c engines.Certificate) string {
		return fmt.Sprintf("tls: {ca: %q, cert: %q, key: %q}", authority.CA, c.Cert, c.Key)
	}
	none, foreign := fmt.Sprintf("tls: {ca: %q}", authority.CA), section(stranger.Client("syncline"))
	s.mustStop(s.start("postgres-source", secured(s.sourceYAML(""), none)), 2, "tls-kafka-no-certificate")
	s.mustStop(s.start("postgres-sink", secured(s.copyYAML(), foreign)), 2, "tls-kafka-foreign-certificate-sink")

	mine := section(authority.Client("syncline"))
	source := s.start("postgres-source", secured(s.sourceYAML(""), mine))
	s.streams(source)
	sink := s.start("postgres-sink", secured(s.copyYAML(), mine))
	s.exec(s.source, "INSERT INTO item VALUES (2, 'two')")
	s.rows(s.target, itemsQuery, "1=one 2=two")
	s.stop(sink)
	s.stop(source)
}
