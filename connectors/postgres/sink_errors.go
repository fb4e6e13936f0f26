package postgres

import (
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/sink"
	"github.com/syncline-io/syncline/framework/warehouse"
)

// sinkState returns the SQLSTATE of a server's error, "" when err is none.
func sinkState(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	return ""
}

// explain marks an error of the target by its SQLSTATE, where it is not marked already. What it does not know stays
// plain and is tried again: the server is away or shutting down (08, 57P), out of room or memory (53), failing at its
// files (58), or breaking a deadlock (40P01), giving up a lock (55P03).
func (s *pgSink) explain(err error) error {
	if err == nil {
		return nil
	}
	if _, marked := errors.AsType[*failure.Error](err); marked {
		return err
	}
	code := sinkState(err)
	switch {
	case noPartition(err):
		return failure.WithHint(err, "add a partition for the row, or a default one")
	case refusedState(code):
		return failure.As(failure.Refused, err, "")
	case code == "23505", code == "23503", code == "23P01":
		// Not the sink's own key, which ON CONFLICT handles: another constraint that the target's owner made.
		return failure.As(failure.Conflict, err, "a constraint of the target other than the key; drop it if the wait does not end")
	case code == "42501":
		return failure.WithHint(err, fmt.Sprintf("give the role %s the privileges that the sink needs", warehouse.QuoteName(s.user)))
	case code == "25006":
		return failure.WithHint(err, "the target is a standby or read-only: point url at the primary")
	}
	return err
}

// noPartition reports whether a row was refused because of where it goes, not of what it is: the partitioned table has no
// partition for it, or the row is written to one that is not for it. PostgreSQL gives that the code of a violated check, but
// names no constraint. A trigger that raises the same code without a name refuses the row: only the function of the server
// that wrote the error tells them apart.
func noPartition(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && e.Code == "23514" && (e.Routine == "ExecFindPartition" || e.Routine == "ExecPartitionCheckEmitError")
}

// refusedState reports whether the server refuses the row itself, whenever it is sent.
func refusedState(code string) bool {
	switch code {
	case "22P03", "22P04": // a binary value or the COPY stream is malformed: a defect of ours, no row's fault
		return false
	case "23502", "23514":
		return true
	}
	return strings.HasPrefix(code, "22") || strings.HasPrefix(code, "54")
}

// connectError names the server that could not be reached.
func (s *pgSink) connectError(err error) error {
	c := s.config
	err = fmt.Errorf("connect to the target at %s:%d, database %s as %s: %w", c.Host, c.Port, c.Database, c.User, connectCause(err))
	if sinkState(err) == "" && !failure.RefusedCertificate(err) {
		return failure.WithHint(err, "see that the server runs and can be reached from here, and that postgres.url names it")
	}
	return err
}

// openError marks what a first connection meets: wrong credentials and wrong names are the configuration's fault.
func openError(err error) error {
	switch code := sinkState(err); {
	case strings.HasPrefix(code, "28"):
		return failure.As(failure.Config, err, "check user and password in postgres.url, and the server's pg_hba.conf")
	case code == "3D000":
		return failure.As(failure.Config, err, "create the database, or correct its name in postgres.url")
	case failure.RefusedCertificate(err):
		return failure.As(failure.Config, err, hintCertificate)
	}
	return err
}

func (s *pgSink) grantCreate(schema string) string {
	return fmt.Sprintf("grant create on database %s to %s; or, as its owner: create schema %s authorization %s",
		warehouse.QuoteName(s.database), warehouse.QuoteName(s.user), warehouse.QuoteName(schema), warehouse.QuoteName(s.user))
}

// deniedRows adds to a missing privilege on a table's rows what grants it.
func (s *pgSink) deniedRows(err error, t *sink.Table) error {
	if sinkState(err) != "42501" {
		return err
	}
	return failure.WithHint(err, fmt.Sprintf("grant usage on schema %s to %s; grant select, insert, update, delete on %s to %[2]s",
		warehouse.QuoteName(t.Schema), warehouse.QuoteName(s.user), quoteTable(t.Schema, t.Name)))
}

// deniedTable adds to a missing privilege to make or to change a table what grants it: PostgreSQL lets only the owner
// change a table.
func (s *pgSink) deniedTable(err error, t *sink.Table) error {
	if sinkState(err) != "42501" {
		return err
	}
	role := warehouse.QuoteName(s.user)
	return failure.WithHint(err, fmt.Sprintf("grant usage, create on schema %s to %s; if the table exists: alter table %s owner to %[2]s",
		warehouse.QuoteName(t.Schema), role, quoteTable(t.Schema, t.Name)))
}
