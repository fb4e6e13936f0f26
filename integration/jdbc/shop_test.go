package jdbc

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// smaller are the sizes of the demo's shop, and what they are here: the sink takes a few thousand rows a second.
var smaller = [][2]string{
	{"generate_series(1, 20000)", "generate_series(1, 2100)"},
	{"generate_series(1, 2000)", "generate_series(1, 500)"},
	{"generate_series(1, 60000)", "generate_series(1, 2000)"},
	{"1 + i * 31 % 2000", "1 + i * 31 % 500"},
	{"generate_series(0, 117999)", "generate_series(0, 2999)"},
	{"1 + i % 60000", "1 + i % 2000"},
	{"1 + i / 60000", "1 + i / 2000"},
}

// shopSQL is the demo's shop, smaller.
func shopSQL(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "cmd", "syncline", "demo", "shop.sql"))
	if err != nil {
		t.Fatal(err)
	}
	sql := string(text)
	for _, size := range smaller {
		if strings.Count(sql, size[0]) != 1 {
			t.Fatalf("shop.sql has %q %d times, and should have it once", size[0], strings.Count(sql, size[0]))
		}
		sql = strings.Replace(sql, size[0], size[1], 1)
	}
	return sql
}

// shopChanges is the shop's daily life, a transaction to a line.
const shopChanges = `
INSERT INTO customers SELECT i, md5('new ' || i)::uuid, 'new' || i || '@example.com', NULL, 'gold', ARRAY['a', NULL, 'b"c'], '{"a": [1, null]}', -0.01, '2026-03-29 01:30:00.000001+00', '0001-01-01' FROM generate_series(3001, 3010) i
BEGIN; INSERT INTO orders SELECT md5('new ' || i)::uuid, i, 'new', 9.99, NULL, '2026-01-01 00:00:00+00', NULL, '3 days', NULL FROM generate_series(3001, 3010) i; INSERT INTO order_items SELECT md5('new ' || i)::uuid, 1, 1, 1, 9.99, NULL FROM generate_series(3001, 3010) i; COMMIT
UPDATE customers SET preferences = preferences || '{"seen": true}', balance = balance + 1.5 WHERE id % 100 = 7
UPDATE products SET price = price + 0.01, active = NOT active WHERE id IN (11, 13, 15)
UPDATE products SET description = 'short' WHERE id % 100 = 2
UPDATE products SET price = price + 1 WHERE id = 40
UPDATE order_items SET line = line + 100 WHERE order_id IN (SELECT md5('order ' || i)::uuid FROM generate_series(1, 50) i)
BEGIN; DELETE FROM order_items WHERE order_id = md5('new 3010')::uuid; UPDATE orders SET id = md5('moved')::uuid WHERE id = md5('new 3010')::uuid; COMMIT
DELETE FROM order_items WHERE order_id IN (SELECT md5('order ' || i)::uuid FROM generate_series(100, 120) i)
UPDATE orders SET status = 'returned', note = NULL WHERE id IN (SELECT md5('order ' || i)::uuid FROM generate_series(100, 120) i)
BEGIN; DELETE FROM order_items WHERE order_id = md5('new 3005')::uuid; DELETE FROM orders WHERE customer_id = 3005; DELETE FROM customers WHERE id = 3005; COMMIT
ALTER TABLE customers ADD COLUMN loyalty_points integer
UPDATE customers SET loyalty_points = 10 WHERE id % 50 = 3`
