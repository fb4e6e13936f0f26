package postgres

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

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
		return err
	})
	return s.explain(err)
}

const ledgerMoveSQL = `update %s set next_offset = $4, applied = $5
where connector = $1 and topic = $2 and partition = $3 and fence = $6 and next_offset = $7`

// moveLedger takes the entries forward inside the transaction of the rows, in the order of topic and partition, which
// every member keeps.
func (s *pgSink) moveLedger(ctx context.Context, tx pgx.Tx, moves []sink.Move) error {
	if len(moves) == 0 {
		return nil
	}
	ordered := slices.SortedFunc(slices.Values(moves), func(a, b sink.Move) int {
		return comparePartitions(a.Partition, b.Partition)
	})
	sql := fmt.Sprintf(ledgerMoveSQL, s.own("ledger"))
	batch := &pgx.Batch{}
	for _, m := range ordered {
		batch.Queue(sql, s.env.Name, m.Topic, m.Partition.Partition, m.To, m.Applied.String(), m.Fence, m.Next)
	}
	results := tx.SendBatch(ctx, batch)
	for _, m := range ordered {
		tag, err := results.Exec()
		if err == nil && tag.RowsAffected() != 1 {
			err = fencedError(m.Entry)
		}
		if err != nil {
			_ = results.Close()
			return err
		}
	}
	return results.Close()
}

func fencedError(e sink.Entry) error {
	return failure.As(failure.Fenced, fmt.Errorf("ledger entry %s[%d] is no longer at fence %d, offset %d: another member has claimed it",
		e.Topic, e.Partition.Partition, e.Fence, e.Next), "")
}

func comparePartitions(a, b sink.Partition) int {
	return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
}
