//go:build cgo

package duckdb

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/syncline-io/syncline/framework/crash"
	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/sink"
	"github.com/syncline-io/syncline/framework/warehouse"
	"github.com/syncline-io/syncline/schemas"
)

// ledger is the table of offsets: one row per partition, with the id of the topic that its offset belongs to.
type ledger struct {
	session   *session
	connector string // quoted
	table     string // quoted
}

func (l *ledger) create(ctx context.Context) error {
	_, err := l.session.exec(ctx, "CREATE TABLE IF NOT EXISTS "+l.table+` (
  connector VARCHAR NOT NULL,
  topic VARCHAR NOT NULL,
  topic_id VARCHAR NOT NULL,
  "partition" INTEGER NOT NULL,
  next_offset BIGINT NOT NULL,
  fence BIGINT NOT NULL,
  applied VARCHAR NOT NULL
)`)
	return err
}

// where selects the row of p.
func (l *ledger) where(p sink.Partition) string {
	return fmt.Sprintf("connector = %s AND topic = %s AND \"partition\" = %d", l.connector, warehouse.QuoteText(p.Topic), p.Partition)
}

// claim raises the fence of p's row, or makes the row.
func (l *ledger) claim(ctx context.Context, p sink.Partition) (sink.Entry, error) {
	changed, err := l.session.exec(ctx, "UPDATE "+l.table+" SET fence = fence + 1 WHERE "+l.where(p))
	if err == nil && changed == 0 {
		_, err = l.session.exec(ctx, fmt.Sprintf("INSERT INTO %s VALUES (%s, %s, '%x', %d, -1, 1, '%s')",
			l.table, l.connector, warehouse.QuoteText(p.Topic), p.TopicID, p.Partition, schemas.Version{}))
	}
	if err != nil {
		return sink.Entry{}, err
	}
	return l.entry(ctx, p)
}

// entry reads p's row. Its TopicID is the one in the ledger: the caller compares.
func (l *ledger) entry(ctx context.Context, p sink.Partition) (sink.Entry, error) {
	rows, err := l.session.query(ctx, "SELECT CAST(next_offset AS VARCHAR), CAST(fence AS VARCHAR), applied, topic_id FROM "+l.table+" WHERE "+l.where(p))
	if err != nil {
		return sink.Entry{}, err
	}
	if len(rows) != 1 {
		return sink.Entry{}, failure.As(failure.Gap, fmt.Errorf("the ledger has %d rows for partition %d of topic %s", len(rows), p.Partition, p.Topic),
			"somebody has written to "+l.table+": leave one of them")
	}
	e := sink.Entry{Partition: p}
	var errs [4]error
	e.Next, errs[0] = strconv.ParseInt(rows[0][0], 10, 64)
	e.Fence, errs[1] = strconv.ParseInt(rows[0][1], 10, 64)
	errs[2] = e.Applied.UnmarshalText([]byte(rows[0][2]))
	e.TopicID, errs[3] = parseTopicID(rows[0][3])
	return e, errors.Join(errs[:]...)
}

func parseTopicID(text string) (id [16]byte, err error) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(id) {
		return id, fmt.Errorf("the ledger's topic_id %q is not one", text)
	}
	return [16]byte(b), nil
}

// move takes every entry forward, or none: exactly as many rows must change as there are moves.
func (l *ledger) move(ctx context.Context, moves []sink.Move) error {
	if len(moves) == 0 {
		return nil
	}
	values := make([]string, len(moves))
	for i := range moves {
		m := &moves[i]
		values[i] = fmt.Sprintf("(%s, '%s', %d, %d, %d, %d, '%s')", warehouse.QuoteText(m.Topic), hex.EncodeToString(m.TopicID[:]),
			m.Partition.Partition, m.Fence, m.Next, m.To, m.Applied)
	}
	changed, err := l.session.exec(ctx, fmt.Sprintf("UPDATE %s l SET next_offset = v.next_to, applied = v.applied"+
		" FROM (VALUES %s) v(topic, topic_id, part, fence, next_from, next_to, applied)"+
		" WHERE l.connector = %s AND l.topic = v.topic AND l.topic_id = v.topic_id AND l.\"partition\" = v.part"+
		" AND l.fence = v.fence AND l.next_offset = v.next_from", l.table, strings.Join(values, ", "), l.connector))
	if err != nil {
		return fmt.Errorf("move the ledger: %w", err)
	}
	if changed != int64(len(moves)) {
		return failure.As(failure.Fenced, fmt.Errorf("the ledger moved %d of %d partitions: another member has claimed the others", changed, len(moves)), "")
	}
	return nil
}

// Claim implements [sink.Ledger].
func (s *Sink) Claim(ctx context.Context, partitions []sink.Partition) ([]sink.Entry, error) {
	var entries []sink.Entry
	err := s.session.transaction(ctx, func() error {
		entries = entries[:0]
		for _, p := range partitions {
			e, err := s.ledger.claim(ctx, p)
			if err != nil {
				return fmt.Errorf("claim partition %d of topic %s: %w", p.Partition, p.Topic, err)
			}
			entries = append(entries, e)
		}
		crash.Point("duckdb-sink.fence-raised")
		return nil
	})
	return entries, err
}

// Reset implements [sink.Ledger].
func (s *Sink) Reset(ctx context.Context, e sink.Entry, next int64) error {
	return s.session.transaction(ctx, func() error {
		changed, err := s.session.exec(ctx, fmt.Sprintf("UPDATE %s SET next_offset = %d, topic_id = '%x', applied = '%s' WHERE %s AND fence = %d",
			s.ledger.table, next, e.TopicID, schemas.Version{}, s.ledger.where(e.Partition), e.Fence))
		if err == nil && changed != 1 {
			err = failure.As(failure.Fenced, errors.New("another member has claimed the partition"), "")
		}
		if err != nil {
			return fmt.Errorf("reset partition %d of topic %s: %w", e.Partition.Partition, e.Topic, err)
		}
		crash.Point("duckdb-sink.ledger-reset")
		return nil
	})
}
