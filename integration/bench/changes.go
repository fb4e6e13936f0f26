package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5"
)

const (
	publication = "bench"
	// rowsPerTransaction is how many rows the transactions have where nothing else is said.
	rowsPerTransaction = 1000
)

// changes is a slot with changes behind it. Every run drains its own copy of the slot, so that the server decodes the
// same log each time.
type changes struct {
	stage  *stage
	conn   *pgx.Conn
	slot   slot
	tables []string
	// count is the number of changes, records that of the records that they become: a delete is followed by a tombstone.
	count, records int
	// end is where the log ended when all changes were in it.
	end string
}

// history says how the changes come about.
type history struct {
	tables []string
	// before are statements ahead of the slot: what they do is not read.
	before []string
	// after are the statements that make the changes, in a session that does not wait for its commits to be on disk.
	after          []string
	count, records int
}

// changesOf is the recipe of a load; share is its part of -rows.
func changesOf(name string, share float64, written func(rows int) history) recipe[*changes] {
	return recipe[*changes]{name, func(ctx context.Context, s *stage, o options) (*changes, error) {
		return s.writeChanges(ctx, underscored(name), written(o.part(share)))
	}}
}

func (s *stage) writeChanges(ctx context.Context, database string, h history) (*changes, error) {
	c, err := s.database(ctx, database)
	if err != nil {
		return nil, err
	}
	l := &changes{stage: s, conn: c, tables: h.tables, count: h.count, records: h.records}
	if l.records == 0 {
		l.records = l.count
	}
	if err := l.write(ctx, h); err != nil {
		disconnect(c)
		return nil, err
	}
	return l, nil
}

func (l *changes) write(ctx context.Context, h history) (err error) {
	if err := execute(ctx, l.conn, "set synchronous_commit = off"); err != nil {
		return err
	}
	if err := execute(ctx, l.conn, h.before...); err != nil {
		return err
	}
	// The publication comes first: the server cannot decode changes from before its creation.
	if err := execute(ctx, l.conn, "create publication "+publication+" for table "+strings.Join(h.tables, ", ")); err != nil {
		return err
	}
	if l.slot, err = makeSlot(ctx, l.conn, "prepared_"+l.conn.Config().Database); err != nil {
		return err
	}
	if err := execute(ctx, l.conn, h.after...); err != nil {
		return err
	}
	if err := execute(ctx, l.conn, "checkpoint"); err != nil {
		return err
	}
	l.end, err = one[string](ctx, l.conn, "select pg_current_wal_lsn()::text")
	return err
}

func (l *changes) drop(ctx context.Context) error {
	if err := l.slot.drop(ctx); err != nil {
		return err
	}
	return l.stage.dropDatabase(ctx, l.conn)
}

func (l *changes) url() string { return l.stage.server.URL(l.conn.Config().Database) }

// topics are those of a connector's tables.
func topics(connector string, tables []string) []string {
	var all []string
	for _, t := range tables {
		all = append(all, connector+".public."+t)
	}
	return all
}

// receive is the baseline: pg_recvlogical has the server decode the changes, and writes them into nothing. The clock runs
// from the moment when the slot is in use until the program has ended, which it does when it has everything.
var receive = side[*changes]{name: "pg_recvlogical (pgoutput → /dev/null)", run: func(ctx context.Context, s *stage, l *changes) (Sample, error) {
	slot, err := l.slot.copy(ctx, underscored(s.unique("receive")))
	if err != nil {
		return Sample{}, err
	}
	command := exec.CommandContext(ctx, filepath.Join(s.programs, "pg_recvlogical"), "--dbname", l.url(),
		"--slot", slot.name, "--start", "--file", "/dev/null", "--endpos", l.end, "--no-loop",
		"--option", "proto_version=1", "--option", "publication_names="+publication)
	took, err := timeProgram(command, slot.untilUsedOr(ctx))
	if err != nil {
		return Sample{}, err
	}
	return Sample{Value: perSecond(l.count, took)}, slot.drop(ctx)
}}

// publish is the subject: the source publishes the changes. The clock runs from the moment when the slot is in use until
// the broker has acknowledged the last record, or with exactly_once until the transaction that holds it is committed.
func publish(to place, how delivery, settings ...string) side[*changes] {
	return side[*changes]{name: "Syncline, " + string(how), run: func(ctx context.Context, s *stage, l *changes) (Sample, error) {
		b, err := to(ctx, s)
		if err != nil {
			return Sample{}, err
		}
		return l.publish(ctx, b, how, settings)
	}}
}

// warmed is a side on a broker whose first run is not counted.
func warmed[L load](s side[L]) side[L] {
	s.cold = true
	return s
}

func (l *changes) publish(ctx context.Context, b *broker, how delivery, settings []string) (Sample, error) {
	name := l.stage.unique("stream")
	slot, err := l.slot.copy(ctx, underscored(name))
	if err != nil {
		return Sample{}, err
	}
	p, err := l.stage.startConnector(ctx, spec{name: name, where: l.stage.with(b), yaml: fmt.Sprintf(`connector: postgres-source
delivery: %s
%s
postgres: {url: %q, tables: [%s], slot: %s, publication: %s, start: stream}
`, how, strings.Join(settings, "\n"), l.url(), "public."+strings.Join(l.tables, ", public."), slot.name, publication)})
	if err != nil {
		return Sample{}, err
	}
	defer p.kill()
	start, err := slot.untilUsed(ctx, p.failure)
	if err != nil {
		return Sample{}, err
	}
	brokerBefore := b.cpu()
	topics := topics(name, l.tables)
	end, err := b.untilArrived(ctx, p.failure, how, topics, l.records)
	if err != nil {
		return Sample{}, err
	}
	sample := Sample{Value: perSecond(l.count, end.Sub(start)), Rows: l.count, BrokerCPU: b.cpu() - brokerBefore}
	if sample.ServerCPU, err = slot.cpu(ctx); err != nil {
		return sample, err
	}
	if err := p.stop(&sample); err != nil {
		return sample, err
	}
	if err := b.dropTopics(ctx, topics); err != nil {
		return sample, err
	}
	return sample, slot.drop(ctx)
}
