package postgres

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/syncline-io/syncline/framework/config"
	"github.com/syncline-io/syncline/framework/failure"
)

// sessionSettings fix the form of every text that the server sends, whatever the role or the database say, and keep
// time limits made for applications away from a reader that is there for good. A name that is not in pg_catalog is
// printed with its schema. Where row-level security would hide rows, reading fails instead. Warnings are to come: a
// walsender tells with one that it leaves a publication out.
var sessionSettings = map[string]string{
	"client_encoding":                     "UTF8",
	"client_min_messages":                 "notice",
	"TimeZone":                            "UTC",
	"DateStyle":                           "ISO",
	"IntervalStyle":                       "postgres",
	"extra_float_digits":                  "3",
	"bytea_output":                        "hex",
	"lc_monetary":                         "C",
	"xmlbinary":                           "base64",
	"search_path":                         "pg_catalog",
	"row_security":                        "off",
	"statement_timeout":                   "0",
	"lock_timeout":                        "0",
	"idle_in_transaction_session_timeout": "0",
	"idle_session_timeout":                "0",
}

const connectTimeout = 15 * time.Second

// SQLSTATE codes that decide something.
const (
	codeInvalidPassword      = "28P01"
	codeInvalidAuthorization = "28000"
	codeNoDatabase           = "3D000"
	codeNoPrivilege          = "42501"
	codeUndefinedObject      = "42704"
	codeUndefinedFunction    = "42883"
	codeObjectInUse          = "55006"
	codeNotInPrerequisite    = "55000"
	codeLimitExceeded        = "53400"
)

// server opens connections to the source database.
type server struct {
	config *pgx.ConnConfig
}

func newServer(u config.URL, application string) (*server, error) {
	c, err := pgx.ParseConfig(u.Reveal())
	if err != nil {
		return nil, failure.As(failure.Config, fmt.Errorf("postgres.url: %s is no usable connection string", u), "")
	}
	maps.Copy(c.RuntimeParams, sessionSettings)
	c.RuntimeParams["application_name"] = application
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = connectTimeout
	}
	// Statements are few and never the same plan twice; simple round trips also work behind statement poolers.
	c.DefaultQueryExecMode = pgx.QueryExecModeExec
	return &server{config: c}, nil
}

// application is the name under which the server knows the connections.
func (s *server) application() string { return s.config.RuntimeParams["application_name"] }

// address names the server for messages, without credentials.
func (s *server) address() string {
	return fmt.Sprintf("%s:%d, database %s", s.config.Host, s.config.Port, s.config.Database)
}

// session opens an ordinary connection.
func (s *server) session(ctx context.Context) (*pgx.Conn, error) {
	c, err := pgx.ConnectConfig(ctx, s.config.Copy())
	if err != nil {
		return nil, s.connectError(err)
	}
	return c, nil
}

// replication opens a connection that takes replication commands. wrap, if not nil, comes between it and the network.
func (s *server) replication(ctx context.Context, wrap func(net.Conn) net.Conn) (*pgconn.PgConn, error) {
	c := s.config.Config.Copy()
	c.RuntimeParams["replication"] = "database"
	if wrap != nil {
		dial := c.DialFunc
		c.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := dial(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return wrap(conn), nil
		}
	}
	conn, err := pgconn.ConnectConfig(ctx, c)
	if err != nil {
		return nil, s.connectError(err)
	}
	return conn, nil
}

// connectError says what a refused connection means.
func (s *server) connectError(err error) error {
	code := sqlState(err)
	err = fmt.Errorf("connect to PostgreSQL at %s as %s: %w", s.address(), s.config.User, connectCause(err))
	switch code {
	case "":
		if failure.RefusedCertificate(err) {
			return failure.As(failure.Config, err, hintCertificate)
		}
		return failure.WithHint(err, "see that the server runs and can be reached from here, and that postgres.url names it")
	case codeInvalidPassword, codeInvalidAuthorization:
		return failure.As(failure.Config, err, "check user and password in postgres.url, and the server's pg_hba.conf")
	case codeNoDatabase:
		return failure.As(failure.Config, err, "check the database in postgres.url")
	case codeNoPrivilege:
		return failure.As(failure.Config, err,
			fmt.Sprintf("give the role the right to replicate: ALTER ROLE %s REPLICATION", quoteName(s.config.User)))
	}
	return err
}

// hintCertificate is the way out when one side of a TLS connection did not accept the other's certificate.
const hintCertificate = "check sslrootcert in postgres.url, the host's name against the server's certificate, and sslcert and sslkey where the server asks for them"

// connectCause takes from pgconn's error what went wrong, without the addresses and names that it repeats for every try.
// pgconn leaves the password out of its messages.
func connectCause(err error) error {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pg
	}
	if failure.RefusedCertificate(err) {
		return tlsCause(err)
	}
	if dial, ok := errors.AsType[*net.OpError](err); ok {
		return dial
	}
	return err
}

func tlsCause(err error) error {
	if refused, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return refused
	}
	if alert, ok := errors.AsType[*net.OpError](err); ok {
		return alert
	}
	return err
}

// sqlState returns the SQLSTATE of an error of the server, or "".
func sqlState(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

// quoteName quotes an identifier.
func quoteName(name string) string { return pgx.Identifier{name}.Sanitize() }

// quoteTable quotes a table's name with its schema.
func quoteTable(schema, name string) string { return pgx.Identifier{schema, name}.Sanitize() }
