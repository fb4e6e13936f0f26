package postgres

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"

	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/schemas"
)

const oldestServer = 140000

// checkServer refuses servers that cannot send what the source needs.
func checkServer(ctx context.Context, conn *pgx.Conn) error {
	var version, level, encoding string
	err := conn.QueryRow(ctx, `select current_setting('server_version_num'), current_setting('wal_level'),
		current_setting('server_encoding')`).Scan(&version, &level, &encoding)
	if err != nil {
		return fmt.Errorf("read the server's settings: %w", err)
	}
	if n, err := strconv.Atoi(version); err != nil || n < oldestServer {
		return failure.As(failure.Config, fmt.Errorf("postgres.url: the server has version %s", version), "PostgreSQL 14 or newer is needed")
	}
	if level != "logical" {
		return failure.As(failure.Config, fmt.Errorf("postgres.url: the server has wal_level = %s", level),
			"set wal_level = logical in postgresql.conf and restart the server")
	}
	return nil
}

// Partitions below a chosen table travel as part of it; without the root, only what holds rows itself is a table.
const tablesQuery = `
select c.oid, n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p') and c.relpersistence = 'p' and n.nspname <> 'information_schema' and n.nspname !~ '^pg_'
	and case when $1 then not c.relispartition else c.relkind = 'r' end
order by 2, 3`

// chooseTables returns the tables that the patterns choose.
func chooseTables(ctx context.Context, conn *pgx.Conn, cfg SourceConfig) ([]relationName, error) {
	all, err := queryNames(ctx, conn, tablesQuery, cfg.PartitionRoot)
	if err != nil {
		return nil, fmt.Errorf("list the tables: %w", err)
	}
	var chosen []relationName
	for _, t := range all {
		if pattern(cfg.Tables).matches(t.String()) && !pattern(cfg.ExcludeTables).matches(t.String()) {
			chosen = append(chosen, t)
		}
	}
	if len(chosen) == 0 {
		return nil, failure.As(failure.Config,
			fmt.Errorf("postgres.tables: no table matches %s", strings.Join(cfg.Tables, ", ")),
			fmt.Sprintf("write patterns as schema.table, and check the database in postgres.url: %s has %d tables (%s)",
				conn.Config().Database, len(all), nameList(all[:min(len(all), 3)])))
	}
	return chosen, nil
}

// checkTopics refuses tables whose changes would be mixed in one topic. It looks before anything is sent: by the time the second
// one is met, the rows of the first are in the topic, and after a restart the second one may come first.
func checkTopics(chosen []relationName) error {
	tables := map[string]relationName{}
	for _, t := range chosen {
		topic := schemas.TopicName("", t.schema, t.name)
		if other, ok := tables[topic]; ok {
			return failure.As(failure.Config, fmt.Errorf("postgres.tables: %s and %s have the same topic, PREFIX%s", other, t, topic),
				"leave one of them out with postgres.exclude_tables, or rename it")
		}
		tables[topic] = t
	}
	return nil
}

// checkTables refuses tables that cannot be read, and warns of those that cannot be changed once they are published.
func checkTables(ctx context.Context, conn *pgx.Conn, chosen []relationName, log *zap.Logger) error {
	oids := make([]uint32, len(chosen))
	for i, t := range chosen {
		oids[i] = t.oid
	}
	denied, err := queryNames(ctx, conn, `select c.oid, n.nspname, c.relname from pg_class c
		join pg_namespace n on n.oid = c.relnamespace
		where c.oid = any($1::oid[]) and not (has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select'))
		order by 2, 3`, oids)
	if err != nil {
		return fmt.Errorf("check the privileges on the tables: %w", err)
	}
	if len(denied) > 0 {
		return failure.As(failure.Config, fmt.Errorf("postgres.tables: the role %s may not read %s", conn.Config().User, nameList(denied)),
			grantSelect(denied, conn.Config().User)+"; or leave such tables out with exclude_tables")
	}
	unidentified, err := queryNames(ctx, conn, `select c.oid, n.nspname, c.relname from pg_class c
		join pg_namespace n on n.oid = c.relnamespace
		where c.oid = any($1::oid[]) and (c.relreplident = 'n' or c.relreplident = 'd' and not exists (
			select from pg_index i where i.indrelid = c.oid and i.indisprimary and i.indimmediate))
		order by 2, 3`, oids)
	if err != nil {
		return fmt.Errorf("check the replica identities: %w", err)
	}
	for _, t := range unidentified {
		log.Warn("the table has no replica identity: PostgreSQL refuses its updates and deletes once it is published",
			zap.Stringer("table", t), zap.String("way out", "add a primary key, or ALTER TABLE ... REPLICA IDENTITY FULL"))
	}
	return nil
}

// grantSelect is what the tables' owner must run so that the role can read them.
func grantSelect(tables []relationName, role string) string {
	var schemas []string
	for _, t := range tables {
		if s := quoteName(t.schema); !slices.Contains(schemas, s) {
			schemas = append(schemas, s)
		}
	}
	return fmt.Sprintf("GRANT USAGE ON SCHEMA %s TO %s; GRANT SELECT ON %s TO %[2]s", strings.Join(schemas, ", "), quoteName(role), tableList(tables))
}

// namesShown bounds how many tables a message names.
const namesShown = 5

func nameList(tables []relationName) string {
	if len(tables) == 0 {
		return "none"
	}
	var names []string
	for _, t := range tables[:min(len(tables), namesShown)] {
		names = append(names, t.String())
	}
	if more := len(tables) - len(names); more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(names, ", ")
}

// existingTables says which of the tables in the state are still there.
func existingTables(ctx context.Context, conn *pgx.Conn, s *state) (map[uint32]bool, error) {
	rows, err := conn.Query(ctx, "select oid from pg_class where oid = any($1::oid[])", s.oids())
	if err != nil {
		return nil, fmt.Errorf("look for the position's tables: %w", err)
	}
	exists := map[uint32]bool{}
	var oid uint32
	_, err = pgx.ForEachRow(rows, []any{&oid}, func() error { exists[oid] = true; return nil })
	if err != nil {
		return nil, fmt.Errorf("look for the position's tables: %w", err)
	}
	return exists, nil
}
