//go:build cgo

package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"math/big"
	"time"

	duck "github.com/duckdb/duckdb-go/v2"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// load is what is loaded by hand, as one would write it for one table.
type load struct {
	source, query string
	file          string
	batch         int
	// upsert says that all rows are there before, which is in no figure.
	upsert bool
}

// handColumns are those that the sink makes for the bench's table of orders. There is no primary key in either: DuckDB's
// index of one takes longer than the merge.
const handColumns = `(id BIGINT, customer_id INTEGER, sku VARCHAR, status VARCHAR, quantity INTEGER, price DECIMAL(12,2), weight DOUBLE,
	active BOOLEAN, note VARCHAR, reference UUID, created TIMESTAMPTZ, updated TIMESTAMP)`

// loadByHand reads the rows into memory and then loads them, a batch in a transaction: into a temporary table through
// DuckDB's appender, then a delete by key and an insert. It returns how long the loading took.
func loadByHand(ctx context.Context, l load) (time.Duration, error) {
	rows, err := readRows(ctx, l)
	if err != nil {
		return 0, err
	}
	db, err := sql.Open("duckdb", l.file)
	if err != nil {
		return 0, err
	}
	defer db.Close() //nolint:errcheck // everything is committed
	conn, err := db.Conn(ctx)
	if err != nil {
		return 0, err
	}
	defer conn.Close() //nolint:errcheck // it goes with db
	if err := execute(ctx, conn, "SET TimeZone = 'UTC'", "CREATE SCHEMA IF NOT EXISTS public", "CREATE TABLE public.rows "+handColumns,
		"CREATE TEMP TABLE hand "+handColumns); err != nil {
		return 0, err
	}
	if l.upsert {
		if _, err := merge(ctx, conn, rows, l.batch); err != nil {
			return 0, err
		}
		if err := execute(ctx, conn, "CHECKPOINT"); err != nil {
			return 0, err
		}
	}
	return merge(ctx, conn, rows, l.batch)
}

func merge(ctx context.Context, conn *sql.Conn, rows [][]driver.Value, size int) (time.Duration, error) {
	start := time.Now()
	for len(rows) > 0 {
		n := min(size, len(rows))
		if err := mergeBatch(ctx, conn, rows[:n]); err != nil {
			return 0, err
		}
		rows = rows[n:]
	}
	return time.Since(start), nil
}

func mergeBatch(ctx context.Context, conn *sql.Conn, rows [][]driver.Value) error {
	if err := execute(ctx, conn, "BEGIN"); err != nil {
		return err
	}
	err := conn.Raw(func(c any) error {
		a, err := duck.NewAppender(c.(driver.Conn), "temp", "main", "hand")
		if err != nil {
			return err
		}
		for _, row := range rows {
			if err := a.AppendRow(row...); err != nil {
				return err
			}
		}
		return a.Close()
	})
	if err != nil {
		return fmt.Errorf("append by hand: %w", err)
	}
	return execute(ctx, conn, "DELETE FROM public.rows t USING hand s WHERE t.id = s.id", "INSERT INTO public.rows SELECT * FROM hand",
		"DELETE FROM hand", "COMMIT")
}

func execute(ctx context.Context, conn *sql.Conn, statements ...string) error {
	for _, s := range statements {
		if _, err := conn.ExecContext(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return nil
}

// readRows reads all rows in the form that the appender takes.
func readRows(ctx context.Context, l load) ([][]driver.Value, error) {
	conn, err := pgx.Connect(ctx, l.source)
	if err != nil {
		return nil, err
	}
	defer conn.Close(ctx) //nolint:errcheck // only read
	found, err := conn.Query(ctx, l.query)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(found, func(r pgx.CollectableRow) ([]driver.Value, error) {
		values, err := r.Values()
		if err != nil {
			return nil, err
		}
		row := make([]driver.Value, len(values))
		for i, v := range values {
			row[i] = duckValue(v)
		}
		return row, nil
	})
}

func duckValue(v any) driver.Value {
	switch v := v.(type) {
	case pgtype.Numeric: // of the two digits that the table has, or fewer
		unscaled := new(big.Int).Mul(v.Int, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(2+v.Exp)), nil))
		return duck.Decimal{Width: 12, Scale: 2, Value: unscaled}
	case [16]byte:
		return duck.UUID(v)
	}
	return v
}

// check prints what the bench compares with the source.
func check(ctx context.Context, file string) error {
	db, err := sql.Open("duckdb", file+"?access_mode=read_only")
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // only read
	var count, sum int64
	if err := db.QueryRowContext(ctx, "SELECT count(*), coalesce(sum(quantity), 0)::BIGINT FROM public.rows").Scan(&count, &sum); err != nil {
		return err
	}
	fmt.Println(count, sum)
	return nil
}
