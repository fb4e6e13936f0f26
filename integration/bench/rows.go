package main

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// The load: twelve columns of the usual types, about 230 bytes as COPY's text, and what could be compressed away is not
// there: half of a row is the digits of a hash.
const (
	rowsTable = `create table rows (
	id bigint primary key,
	customer_id integer not null,
	sku varchar(40) not null,
	status text not null,
	quantity integer not null,
	price numeric(12,2) not null,
	weight double precision,
	active boolean not null,
	note text,
	reference uuid,
	created timestamptz not null,
	updated timestamp
)`
	rowsOf = `select i, i %% 50000, 'SKU-' || lpad((i %% 1000)::text, 12, '0'), (array['new','paid','sent','done'])[1 + i %% 4], 1 + i %% 9,
	(i %% 100000) / 100.0, case when i %% 10 > 0 then i / 8.0 end, i %% 3 = 0, md5(i::text) || md5((-i)::text) || left(md5((i+7)::text), 16),
	md5((i+1)::text)::uuid, timestamptz '2026-01-01 00:00:00+00' + i * interval '1 ms', case when i %% 2 = 0 then now()::timestamp end
	from generate_series(%s, %s) i`
	insertRows = "insert into rows " + rowsOf

	// rowsPerTransaction is how many rows the stream's transactions have.
	rowsPerTransaction = 1000
)

// fillRows inserts rows 1 to n, so many in a transaction.
func fillRows(ctx context.Context, c *pgx.Conn, n, perTransaction int) error {
	insert := fmt.Sprintf(insertRows, "at", fmt.Sprintf("least(at + %d, %d)", perTransaction-1, n))
	return execute(ctx, c, fmt.Sprintf("do $$ begin for at in 1..%d by %d loop %s; commit; end loop; end $$", n, perTransaction, insert))
}

// copyBatches returns the rows of the table as streams of binary COPY, each of a batch's rows, in the order of the key.
func copyBatches(ctx context.Context, c *pgx.Conn, n int) ([][]byte, error) {
	var batches [][]byte
	for from := 1; from <= n; from += batchRows {
		var batch buffer
		sql := fmt.Sprintf("copy (select * from rows where id between %d and %d order by id) to stdout (format binary)", from, from+batchRows-1)
		if _, err := c.PgConn().CopyTo(ctx, &batch, sql); err != nil {
			return nil, fmt.Errorf("read the rows from %d: %w", from, err)
		}
		batches = append(batches, batch)
	}
	return batches, nil
}

// buffer collects what is written to it.
type buffer []byte

func (b *buffer) Write(p []byte) (int, error) {
	*b = append(*b, p...)
	return len(p), nil
}
