package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// arrival is the database that rows arrive in, from the server's other one.
type arrival struct {
	stage *stage
	conn  *pgx.Conn
}

func (l *clocked) target(ctx context.Context) (*arrival, error) {
	c, err := l.stage.database(ctx, l.conn.Config().Database+"_target")
	if err != nil {
		return nil, err
	}
	if err := execute(ctx, c, "drop table if exists rows", order.create("rows")); err != nil {
		disconnect(c)
		return nil, err
	}
	return &arrival{l.stage, c}, nil
}

func (a *arrival) url() string { return a.stage.server.URL(a.conn.Config().Database) }

// arrivalLook is the pause between two looks for new rows.
const arrivalLook = time.Millisecond

// watch looks for new rows with a session of its own, again and again.
func (a *arrival) watch(ctx context.Context, first, count int, seen func(int, time.Time) error) error {
	c, err := pgx.Connect(ctx, a.url())
	if err != nil {
		return err
	}
	defer disconnect(c)
	came := make([]bool, count)
	for lowest := 0; lowest < count; { // all before it have come
		ids, err := a.newer(ctx, c, first+lowest)
		if err != nil {
			return err
		}
		now := time.Now()
		for _, id := range ids {
			i := id - first
			if i < 0 || i >= count || came[i] {
				continue
			}
			came[i] = true
			if err := seen(i, now); err != nil {
				return err
			}
		}
		for lowest < count && came[lowest] {
			lowest++
		}
		time.Sleep(arrivalLook)
	}
	return nil
}

func (a *arrival) newer(ctx context.Context, c *pgx.Conn, id int) ([]int, error) {
	rows, err := c.Query(ctx, "select id from rows where id >= $1", id)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[int])
}

// subscribe is the baseline: PostgreSQL's own logical replication from one database into the other, without Kafka.
var subscribe = side[*clocked]{name: "PostgreSQL's logical replication, no Kafka", run: func(ctx context.Context, s *stage, l *clocked) (_ Sample, err error) {
	a, err := l.target(ctx)
	if err != nil {
		return Sample{}, err
	}
	defer disconnect(a.conn)
	name := underscored(s.unique("subscription"))
	if err := execute(ctx, l.conn, "create publication "+name+" for table rows"); err != nil {
		return Sample{}, err
	}
	slot, err := makeSlot(ctx, l.conn, name)
	if err != nil {
		return Sample{}, err
	}
	// Within one server a subscription cannot make its slot: it would wait for its own transaction. Left to itself it does
	// not wait for the disk, as the sink does.
	err = execute(ctx, a.conn, fmt.Sprintf("create subscription %s connection '%s' publication %[1]s with (create_slot = false, slot_name = %[1]s, copy_data = false, synchronous_commit = 'on')", name, l.url()))
	if err != nil {
		return Sample{}, err
	}
	if _, err := slot.untilUsed(ctx, func() error { return nil }); err != nil {
		return Sample{}, err
	}
	m, measuring := l.measure(ctx, l.insert, a.watch)
	err = execute(ctx, a.conn, "alter subscription "+name+" disable", "alter subscription "+name+" set (slot_name = none)", "drop subscription "+name)
	if err = errors.Join(measuring, err); err != nil {
		return Sample{}, err
	}
	if err := slot.drop(ctx); err != nil {
		return Sample{}, err
	}
	return m.sample(0), execute(ctx, l.conn, "drop publication "+name)
}}

// throughTopic is the subject: a source and a sink with Apache Kafka between them. The clock starts when the writer sends
// the transaction and stops when another session sees the row in the target, for which it looks every millisecond. What
// the two connectors used is added up.
func throughTopic(mode string) side[*clocked] {
	return side[*clocked]{name: "Syncline", run: func(ctx context.Context, s *stage, l *clocked) (Sample, error) {
		b, err := toKafka(ctx, s)
		if err != nil {
			return Sample{}, err
		}
		a, err := l.target(ctx)
		if err != nil {
			return Sample{}, err
		}
		defer disconnect(a.conn)
		source, slot, err := l.startSource(ctx, b, mode, exactlyOnce)
		if err != nil {
			return Sample{}, err
		}
		defer source.kill()
		topic := source.name + ".public.rows"
		sink, err := l.startSink(ctx, b, a, topic)
		if err != nil {
			return Sample{}, errors.Join(err, source.failure())
		}
		defer sink.kill()
		m, err := l.measure(ctx, l.insert, a.watch)
		if err != nil {
			return Sample{}, errors.Join(err, source.failure(), sink.failure())
		}
		sample := m.sample(l.rows())
		if err := errors.Join(sink.stop(&sample), source.stop(&sample)); err != nil {
			return Sample{}, err
		}
		if err := b.dropTopics(ctx, []string{topic}); err != nil {
			return Sample{}, err
		}
		return sample, slot.drop(ctx)
	}}
}

// startSink starts a sink on a topic that a first row makes, and waits until it has that row.
func (l *clocked) startSink(ctx context.Context, b *broker, a *arrival, topic string) (*connector, error) {
	if err := l.insert(ctx, 0, l.next, 1); err != nil {
		return nil, err
	}
	l.next++
	if _, err := b.untilArrived(ctx, func() error { return nil }, atLeastOnce, []string{topic}, 1); err != nil {
		return nil, err
	}
	p, err := l.stage.startConnector(ctx, spec{name: l.stage.unique("sink"), where: l.stage.with(b), yaml: fmt.Sprintf(`connector: postgres-sink
topics: [%q]
postgres: {url: %q}
`, topic, a.url())})
	if err != nil {
		return nil, err
	}
	if _, err := untilApplied(ctx, a.conn, p, slowLook, 1); err != nil {
		p.kill()
		return nil, err
	}
	return p, nil
}
