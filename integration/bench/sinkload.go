package main

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// where is a broker with its registry.
type where struct {
	broker   *broker
	registry string
}

// here is the embedded broker.
func (s *stage) here() where { return where{s.broker, s.embedded.RegistryURL()} }

// with is another broker with the registry of the embedded one.
func (s *stage) with(b *broker) where { return where{b, s.embedded.RegistryURL()} }

// recorded is a topic with the changes of one table, and the table behind it.
type recorded struct {
	where
	stage          *stage
	source, target *pgx.Conn
	topic          string
	// count is the number of changes, records that of the topic's records, and skipped those of them that a sink which
	// starts with an empty target must have applied before the clock starts.
	count, records, skipped int
	// before selects the rows that the target has at the start, "" for none.
	before string
	// batch selects, of the changes from and to (counted from 0, to excluded), the rows that are there after them; gone
	// selects the keys of those that are not, "" for none.
	batch, gone func(from, to int) string

	// What the source's table comes to, to be compared with the target's.
	rows, sum int64

	// hand are the batches of handRows changes, encoded.
	hand     []handBatch
	handRows int
}

// past says what changes a topic gets.
type past struct {
	// start is the source's: snapshot publishes the rows that are there, stream only what is changed later.
	start string
	// prepared are statements ahead of the source, after the table was made.
	prepared []string
	// changed are statements while the source streams.
	changed                 []string
	count, records, skipped int
	before                  string
	batch, gone             func(from, to int) string
}

// recordedOf is the recipe of a topic. share is its part of -rows.
func recordedOf(name string, share float64, written func(rows int) past) recipe[*recorded] {
	return recipe[*recorded]{name, func(ctx context.Context, s *stage, o options) (*recorded, error) {
		return s.record(ctx, name, written(o.part(share)), s.here(), 1)
	}}
}

func (s *stage) record(ctx context.Context, name string, h past, at where, partitions int) (l *recorded, err error) {
	l = &recorded{where: at, stage: s, count: h.count, records: h.records, skipped: h.skipped, before: h.before, batch: h.batch, gone: h.gone}
	if l.records == 0 {
		l.records = l.count
	}
	if l.source, err = s.database(ctx, underscored(name)); err != nil {
		return nil, err
	}
	if l.target, err = s.database(ctx, underscored(name)+"_target"); err != nil {
		disconnect(l.source)
		return nil, err
	}
	if err := l.fill(ctx, h, partitions); err != nil {
		disconnect(l.source)
		disconnect(l.target)
		return nil, err
	}
	return l, nil
}

func (l *recorded) fill(ctx context.Context, h past, partitions int) error {
	if err := execute(ctx, l.source, "set synchronous_commit = off", order.create("rows")); err != nil {
		return err
	}
	if err := execute(ctx, l.source, h.prepared...); err != nil {
		return err
	}
	if err := l.publish(ctx, h, partitions); err != nil {
		return err
	}
	return l.source.QueryRow(ctx, "select count(*), coalesce(sum(quantity), 0) from rows").Scan(&l.rows, &l.sum)
}

// publish fills the topic, with a source of its own.
func (l *recorded) publish(ctx context.Context, h past, partitions int) error {
	name := l.stage.unique("recorded")
	slot := slot{l.source, underscored(name)}
	p, err := l.stage.startConnector(ctx, spec{name: name, where: l.where, yaml: fmt.Sprintf(`connector: postgres-source
delivery: at_least_once
topics: {partitions: %d}
postgres: {url: %q, tables: [public.rows], slot: %s, start: %s}
`, partitions, l.sourceURL(), slot.name, h.start)})
	if err != nil {
		return err
	}
	defer p.kill()
	if _, err := slot.untilUsed(ctx, p.failure); err != nil {
		return err
	}
	if err := execute(ctx, l.source, h.changed...); err != nil {
		return err
	}
	l.topic = name + ".public.rows"
	if _, err := l.broker.untilArrived(ctx, p.failure, atLeastOnce, []string{l.topic}, l.records); err != nil {
		return err
	}
	if err := p.stop(new(Sample)); err != nil {
		return err
	}
	return slot.drop(ctx)
}

func (l *recorded) sourceURL() string { return l.stage.server.URL(l.source.Config().Database) }
func (l *recorded) targetURL() string { return l.stage.server.URL(l.target.Config().Database) }

func (l *recorded) drop(ctx context.Context) error {
	l.hand = nil
	if err := l.broker.dropTopics(ctx, []string{l.topic}); err != nil {
		return err
	}
	if err := l.stage.dropDatabase(ctx, l.target); err != nil {
		return err
	}
	return l.stage.dropDatabase(ctx, l.source)
}

// byID selects the rows with the ids after from and up to to, in the order of the key.
func byID(from, to int) string {
	return fmt.Sprintf("select * from rows where id > %d and id <= %d order by id", from, to)
}

func allInserted(rows int) string {
	return inTransactions(rows, 100*rowsPerTransaction, order.insert("rows", "at", "upto"))
}

const updateAll = "update rows set quantity = quantity + 1, status = 'back', updated = now() where id between at and upto"

// newRows come by a snapshot.
func newRows(rows int) past {
	return past{start: "snapshot", prepared: []string{allInserted(rows)}, count: rows, batch: byID}
}

// updatedRows were there before.
func updatedRows(rows int) past {
	return past{
		start: "stream", prepared: []string{allInserted(rows)},
		changed: []string{inTransactions(rows, rowsPerTransaction, updateAll)},
		count:   rows, before: order.selected("1", fmt.Sprint(rows)), batch: byID,
	}
}

// newThenUpdated is a snapshot and an update of each row, for a target that only the sink itself can fill beforehand.
func newThenUpdated(rows int) past {
	return past{
		start: "snapshot", prepared: []string{allInserted(rows)},
		changed: []string{inTransactions(rows, rowsPerTransaction, updateAll)},
		count:   rows, records: 2 * rows, skipped: rows, batch: byID,
	}
}

// mixedRows are changes of which two in five insert, two update and one deletes, each another row.
func mixedRows(rows int) past {
	fifth := rows / 5
	updates, there := 2*fifth, 3*fifth // ids: updated, then deleted, then inserted
	const each = rowsPerTransaction / 5
	return past{
		start: "stream", prepared: []string{allInserted(there)},
		changed: []string{inTransactions(fifth, each,
			order.insert("rows", fmt.Sprintf("%d + 2 * at - 1", there), fmt.Sprintf("%d + 2 * upto", there)),
			"update rows set quantity = quantity + 1, updated = now() where id between 2 * at - 1 and 2 * upto",
			fmt.Sprintf("delete from rows where id between %d + at and %[1]d + upto", updates))},
		count: 5 * fifth, records: 6 * fifth, before: order.selected("1", fmt.Sprint(there)),
		batch: func(from, to int) string {
			return fmt.Sprintf("select * from rows where id > %d and id <= %d or id > %d and id <= %d order by id", 2*from/5, 2*to/5, there+2*from/5, there+2*to/5)
		},
		gone: func(from, to int) string {
			return fmt.Sprintf("select i::bigint from generate_series(%d, %d) i", updates+from/5+1, updates+to/5)
		},
	}
}
