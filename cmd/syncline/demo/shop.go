package demo

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

//go:embed shop.sql
var shopSQL string

// shopRows is the number of rows that shop.sql makes in the tables that are synchronized.
const shopRows = 200_000

// shopTables are the tables that are synchronized.
var shopTables = []string{"public.customers", "public.products", "public.orders", "public.order_items"}

// makeShop fills an empty database with the shop, in one transaction; it leaves a shop alone that is there.
func makeShop(ctx context.Context, c *pgx.Conn) (made bool, err error) {
	var exists bool
	if err := c.QueryRow(ctx, "SELECT to_regclass('public.demo_made') IS NOT NULL").Scan(&exists); err != nil {
		return false, fmt.Errorf("look for the shop: %w", err)
	}
	if exists {
		return false, nil
	}
	err = pgx.BeginFunc(ctx, c, func(tx pgx.Tx) error {
		_, err := tx.Conn().PgConn().Exec(ctx, shopSQL).ReadAll()
		return err
	})
	if err != nil {
		return false, fmt.Errorf("make the shop: %w", err)
	}
	return true, nil
}

// traffic is the shop's daily life: short transactions, one after the other, until its context ends.
type traffic struct {
	conn   *pgx.Conn
	random *rand.Rand
	// Transactions and Rows count what was committed.
	Transactions, Rows int
	lastOrder          string
}

func newTraffic(c *pgx.Conn) *traffic {
	now := uint64(time.Now().UnixNano())
	return &traffic{conn: c, random: rand.New(rand.NewPCG(now, now))}
}

// run makes about perSecond transactions a second for d; half-way it adds a column to customers.
func (t *traffic) run(ctx context.Context, d time.Duration, perSecond int) error {
	start := time.Now()
	tick := time.NewTicker(time.Second / time.Duration(perSecond))
	defer tick.Stop()
	altered := false
	for time.Since(start) < d {
		if !altered && time.Since(start) > d/2 {
			if _, err := t.conn.Exec(ctx, "ALTER TABLE customers ADD COLUMN IF NOT EXISTS loyalty_points integer"); err != nil {
				return fmt.Errorf("add a column: %w", err)
			}
			altered = true
		}
		if err := t.transaction(ctx, altered); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return nil
}

// transaction does one thing that happens in a shop.
func (t *traffic) transaction(ctx context.Context, altered bool) error {
	rows := 0
	err := pgx.BeginFunc(ctx, t.conn, func(tx pgx.Tx) error {
		rows = 0
		exec := func(sql string, args ...any) error {
			tag, err := tx.Exec(ctx, sql, args...)
			rows += int(tag.RowsAffected())
			return err
		}
		customer, product := 1+t.random.IntN(20_000), 1+t.random.IntN(2_000)
		switch n := t.random.IntN(100); {
		case n < 40:
			return t.order(ctx, tx, exec, customer, product)
		case n < 60: // the long description stays untouched: an unchanged TOAST value
			return exec("UPDATE products SET price = price + 0.01, active = NOT active WHERE id = $1", product)
		case n < 70:
			return exec("UPDATE products SET description = $2 WHERE id = $1", product, longText(t.random))
		case n < 80:
			if altered {
				return exec("UPDATE customers SET loyalty_points = coalesce(loyalty_points, 0) + 10 WHERE id = $1", customer)
			}
			return exec("UPDATE customers SET preferences = preferences || '{\"seen\": true}', balance = balance + 1.5 WHERE id = $1", customer)
		case n < 88: // a key change
			return exec("UPDATE order_items SET line = line + 100 WHERE order_id = $1::uuid AND line < 100", t.someOrder())
		case n < 95:
			return errors.Join(
				exec("DELETE FROM order_items WHERE order_id = $1::uuid", t.someOrder()),
				exec("UPDATE orders SET status = 'returned' WHERE id = $1::uuid", t.someOrder()))
		default: // the customer leaves, orders and all
			return errors.Join(
				exec("DELETE FROM order_items i USING orders o WHERE o.id = i.order_id AND o.customer_id = $1", customer),
				exec("DELETE FROM orders WHERE customer_id = $1", customer),
				exec("DELETE FROM customers WHERE id = $1", customer))
		}
	})
	var pg *pgconn.PgError
	if errors.As(err, &pg) && (pg.Code == "23503" || pg.Code == "23505") {
		return nil // the customer has left meanwhile, or the line is taken: nothing happened
	}
	if err != nil {
		return fmt.Errorf("traffic: %w", err)
	}
	t.Transactions++
	t.Rows += rows
	return nil
}

// order is one transaction over three tables.
func (t *traffic) order(ctx context.Context, tx pgx.Tx, exec func(string, ...any) error, customer, product int) error {
	var id string
	if err := tx.QueryRow(ctx, "SELECT gen_random_uuid()::text").Scan(&id); err != nil {
		return err
	}
	err := exec("INSERT INTO orders VALUES ($1::uuid, $2, 'new', $3::numeric, NULL, clock_timestamp(), NULL, interval '3 days', NULL)",
		id, customer, fmt.Sprintf("%d.%02d", t.random.IntN(1000), t.random.IntN(100)))
	for line := 1; line <= 1+t.random.IntN(4) && err == nil; line++ {
		err = exec("INSERT INTO order_items VALUES ($1::uuid, $2, $3, 1, 9.99, NULL)", id, line, product)
	}
	if err == nil {
		err = exec("UPDATE customers SET balance = coalesce(balance, 0) - 9.99 WHERE id = $1", customer)
	}
	if err == nil {
		t.lastOrder = id
	}
	return err
}

// someOrder is the latest order, or one that the shop was made with.
func (t *traffic) someOrder() string {
	if t.lastOrder != "" && t.random.IntN(2) == 0 {
		return t.lastOrder
	}
	return md5UUID(fmt.Sprintf("order %d", 1+t.random.IntN(60_000)))
}
