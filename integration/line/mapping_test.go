package line

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/syncline-io/syncline/integration/engines"
	"github.com/syncline-io/syncline/integration/programs"
	"github.com/syncline-io/syncline/integration/proof"
)

// valuesSQL has a column of every type whose Avro form depends on the mapping, and rows before and after the snapshot.
const valuesSQL = `
CREATE TYPE mood AS ENUM ('sad', 'not ok');
CREATE TABLE "odd-values" (id numeric PRIMARY KEY, at timestamptz, local timestamp(3), day date, clock time, span interval, n numeric(6,2), free numeric NOT NULL,
	u uuid, j jsonb, m mood, b bytea, tags text[], days date[], "unit-price" int, unit_price int, big text);
INSERT INTO "odd-values" VALUES
	(1.50, '2025-01-01 12:00:00.123456+03', '2025-01-01 12:00:00.123', '2016-11-04', '13:51:30.124', '1 year -3 days 00:00:00.5', 12.34, 1.100, gen_random_uuid(), '{"b": 1}', 'not ok', '\x00ff', '{a,NULL}', '{2016-11-04}', 1, 2, (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 200) i)),
	(2, 'infinity', '-infinity', 'infinity', '24:00:00', '-1 mon', 'NaN', 'Infinity', NULL, NULL, NULL, NULL, '{{a,b},{c,d}}', '{infinity,NULL}', NULL, NULL, NULL);
`

var valuesChanges = []string{
	`UPDATE "odd-values" SET "unit-price" = 7 WHERE id = 1.5`, // big is not sent
	`INSERT INTO "odd-values" (id, free, at) SELECT i, i / 3.0, now() FROM generate_series(10, 500) i`,
	`UPDATE "odd-values" SET id = 3.0 WHERE id = 2`,
	`DELETE FROM "odd-values" WHERE id BETWEEN 20 AND 40`,
	`ALTER TABLE "odd-values" ADD COLUMN extra timestamptz NOT NULL DEFAULT '2020-01-01 00:00:00+00'`,
	`UPDATE "odd-values" SET free = 'NaN', span = NULL WHERE id > 490`,
}

// TestEveryMappingBringsTheSameRows has the table arrive in a target in each form that its topic can have.
func TestEveryMappingBringsTheSameRows(t *testing.T) {
	kafka, registry := engines.KafkaForTest(t), engines.RegistryForTest(t)
	for _, types := range []string{"debezium", "avro"} {
		for _, shape := range []string{"envelope", "row"} {
			t.Run(types+" "+shape, func(t *testing.T) {
				name, source, target := engines.Unique(t), engines.Database(t), engines.Database(t)
				ctx := context.Background()
				c, err := pgx.Connect(ctx, source)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close(ctx) //nolint:errcheck // the test's own server
				exec := func(sql string) {
					t.Helper()
					if _, err := c.PgConn().Exec(ctx, sql).ReadAll(); err != nil {
						t.Fatal(err)
					}
				}
				exec(valuesSQL)
				common := fmt.Sprintf("kafka: {brokers: [%q]}\nregistry: {url: %q}\nadmin: {listen: %q}\ninternal_prefix: %s_internal\n", kafka, registry, "{admin}", name)
				from := programs.New(t, "postgres-source", fmt.Sprintf("connector: postgres-source\nname: %s\ntypes: %s\nshape: %s\n%spostgres: {url: %q, tables: [public.*]}\n", name, types, shape, common, source))
				to := programs.New(t, "postgres-sink", fmt.Sprintf("connector: postgres-sink\nname: %s-copy\ntopics: [%q]\n%spostgres: {url: %q}\n", name, name+".public.*", common, target))
				from.Start()
				to.Start()
				if report, code := proof.Verify(t, from, to, time.Minute); code != 0 {
					t.Fatalf("after the snapshot the target differs from the source: %v", report)
				}
				for _, sql := range valuesChanges {
					exec(sql)
				}
				if report, code := proof.Verify(t, from, to, time.Minute); code != 0 {
					t.Errorf("the target differs from the source: %v", report)
				}
				exec(`TRUNCATE "odd-values"; INSERT INTO "odd-values" (id, free) VALUES (1, 1)`)
				if report, code := proof.Verify(t, from, to, time.Minute); code != 0 {
					t.Errorf("after the truncate the target differs from the source: %v", report)
				}
				for _, p := range []*programs.Program{from, to} {
					if strings.Contains(p.Output(), "dead letter") {
						t.Errorf("%s speaks of a dead letter", p.Name)
					}
					p.Stop()
				}
			})
		}
	}
}
