package postgres

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/syncline-io/syncline/framework/crash"
	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/sink"
	"github.com/syncline-io/syncline/schemas"
)

var _ sink.Ledger = (*pgSink)(nil)

// ledgerTables is the DDL of the sink's own tables, given the schema's quoted name. The ledger's numbers are readable
// with psql: topic_id as Kafka's tools show it but for the encoding, applied as in the records' header.
const ledgerTables = `create table if not exists %[1]s.ledger (
	connector text not null,
	topic text not null,
	partition integer not null,
	topic_id uuid not null,
	next_offset bigint not null,
	fence bigint not null,
	applied text not null,
	primary key (connector, topic, partition)
);
create table if not exists %[1]s.tables (
	table_schema text not null,
	table_name text not null,
	source_id bigint not null,
	version numeric(20) not null,
	columns jsonb not null,
	primary key (table_schema, table_name)
)`

// Claim raises the fence of each entry in one committed transaction. It waits for a Write of the former owner that is
// already committing, so that the entries it returns are final.
//
// The TopicID of an entry that existed is the one in the ledger: the caller compares.
func (s *pgSink) Claim(ctx context.Context, partitions []sink.Partition) ([]sink.Entry, error) {
	ordered := slices.SortedFunc(slices.Values(partitions), comparePartitions)
	entries := make([]sink.Entry, 0, len(ordered))
	err := s.transact(ctx, func(tx pgx.Tx) error {
		for _, p := range ordered {
			e, err := s.claimOne(ctx, tx, p)
			if err != nil {
				return fmt.Errorf("claim %s[%d]: %w", p.Topic, p.Partition, err)
			}
			entries = append(entries, e)
		}
		crash.Point("postgres-sink.fence-raised")
		return nil
	})
	if err != nil {
		return nil, s.explain(err)
	}
	return entries, nil
}

func (s *pgSink) claimOne(ctx context.Context, tx pgx.Tx, p sink.Partition) (sink.Entry, error) {
	const sql = `insert into %[1]s as l (connector, topic, partition, topic_id, next_offset, fence, applied)
values ($1, $2, $3, $4, -1, 1, $5)
on conflict (connector, topic, partition) do update set fence = l.fence + 1
returning topic_id, next_offset, fence, applied`
	e := sink.Entry{Partition: p}
	var applied string
	err := tx.QueryRow(ctx, fmt.Sprintf(sql, s.own("ledger")), s.env.Name, p.Topic, p.Partition, p.TopicID, schemas.Version{}.String()).
		Scan(&e.TopicID, &e.Next, &e.Fence, &applied)
	if err != nil {
		return e, err
	}
	return e, e.Applied.UnmarshalText([]byte(applied))
}

// Reset sets Next and the topic's id, and clears Applied.
func (s *pgSink) Reset(ctx context.Context, e sink.Entry, next int64) error {
	const sql = `update %s set next_offset = $4, topic_id = $5, applied = $6
where connector = $1 and topic = $2 and partition = $3 and fence = $7`
	err := s.transact(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, fmt.Sprintf(sql, s.own("ledger")), s.env.Name, e.Topic, e.Partition.Partition, next, e.TopicID,
			schemas.Version{}.String(), e.Fence)
		if err == nil && tag.RowsAffected() != 1 {
			err = fencedError(e)
		}
		crash.Point("postgres-sink.ledger-reset")
		return err
	})
	return s.explain(err)
}

const ledgerMoveSQL = `update %s set next_offset = $4, applied = $5
where connector = $1 and topic = $2 and partition = $3 and fence = $6 and next_offset = $7`

// finish is the last step before the commit, in one round trip: it takes the ledger's entries forward, in the order of
// topic and partition that every member keeps, and makes sure that no table has been changed by another member since
// its plan was made. The rows that are written hold off any later change until the commit.
func (s *pgSink) finish(ctx context.Context, tx pgx.Tx, plans []*sinkPlan, moves []sink.Move) error {
	if len(moves)+len(plans) == 0 {
		return nil
	}
	ordered := slices.SortedFunc(slices.Values(moves), func(a, b sink.Move) int {
		return comparePartitions(a.Partition, b.Partition)
	})
	batch := &pgx.Batch{}
	for _, p := range plans {
		batch.Queue(s.stampSQL(), p.table.Schema, p.table.Name).QueryRow(func(row pgx.Row) error {
			var stamp string
			if err := row.Scan(&stamp); err != nil {
				return err
			}
			if stamp != p.stamp {
				return fmt.Errorf("table %s: %w", p.table, errTableChanged)
			}
			return nil
		})
	}
	sql := fmt.Sprintf(ledgerMoveSQL, s.own("ledger"))
	for _, m := range ordered {
		batch.Queue(sql, s.env.Name, m.Topic, m.Partition.Partition, m.To, m.Applied.String(), m.Fence, m.Next).
			Exec(func(tag pgconn.CommandTag) error {
				if tag.RowsAffected() != 1 {
					return fencedError(m.Entry)
				}
				return nil
			})
	}
	return tx.SendBatch(ctx, batch).Close()
}

func fencedError(e sink.Entry) error {
	return failure.As(failure.Fenced, fmt.Errorf("ledger entry %s[%d] is no longer at fence %d, offset %d: another member has claimed it",
		e.Topic, e.Partition.Partition, e.Fence, e.Next), "")
}

func comparePartitions(a, b sink.Partition) int {
	return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
}
