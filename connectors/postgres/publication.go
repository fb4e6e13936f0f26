package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"

	"github.com/syncline-io/syncline/framework/failure"
)

// hintAfterGap is the way out of every gap: there is no other that loses nothing.
const hintAfterGap = "changes may have been lost: delete the connector's position (its topic of offsets), " +
	"drop the replication slot if there is one, and start again with postgres.start: snapshot"

func publicationGone(name string, err error) error {
	cause := fmt.Errorf("publication %s is gone although a position exists", name)
	if err != nil {
		cause = fmt.Errorf("%w: %w", cause, err)
	}
	return failure.As(failure.Gap, cause, "what changed while it was away is not in the stream, even if it is made again; "+hintAfterGap)
}

// publication is what the catalog says of a publication.
type publication struct {
	name      string
	id        publicationIdentity
	allTables bool
	viaRoot   bool
	// insert, update, delete and truncate say which operations it publishes.
	insert, update, delete, truncate bool
	// tables that it names itself, and all that it covers, such as those of a schema.
	named, covered []relationName
	// narrowed are the tables of which it publishes some rows or some columns only.
	narrowed []relationName
}

// relationName is a table's identity and its names.
type relationName struct {
	oid          uint32
	schema, name string
}

func (r relationName) String() string { return r.schema + "." + r.name }

func scanName(row pgx.CollectableRow) (r relationName, err error) {
	err = row.Scan(&r.oid, &r.schema, &r.name)
	return r, err
}

func queryNames(ctx context.Context, conn *pgx.Conn, sql string, args ...any) ([]relationName, error) {
	rows, err := conn.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanName)
}

// readPublication returns nil when there is none of this name.
func readPublication(ctx context.Context, conn *pgx.Conn, name string) (*publication, error) {
	p := &publication{name: name}
	err := conn.QueryRow(ctx, `select oid, xmin, puballtables, pubviaroot, pubinsert, pubupdate, pubdelete, pubtruncate
		from pg_publication where pubname = $1`, name).
		Scan(&p.id.OID, &p.id.Altered, &p.allTables, &p.viaRoot, &p.insert, &p.update, &p.delete, &p.truncate)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err == nil {
		p.named, err = queryNames(ctx, conn, `select c.oid, n.nspname, c.relname from pg_publication p
			join pg_publication_rel r on r.prpubid = p.oid join pg_class c on c.oid = r.prrelid
			join pg_namespace n on n.oid = c.relnamespace where p.pubname = $1 order by 2, 3`, name)
	}
	if err == nil {
		p.covered, err = queryNames(ctx, conn, `select c.oid, n.nspname, c.relname from pg_publication_tables t
			join pg_namespace n on n.nspname = t.schemaname
			join pg_class c on c.relnamespace = n.oid and c.relname = t.tablename where t.pubname = $1`, name)
	}
	if err == nil {
		// As JSON, because PostgreSQL 14 has neither of the two columns.
		p.narrowed, err = queryNames(ctx, conn, `select c.oid, n.nspname, c.relname from pg_publication p
			join pg_publication_rel r on r.prpubid = p.oid join pg_class c on c.oid = r.prrelid
			join pg_namespace n on n.oid = c.relnamespace
			where p.pubname = $1 and coalesce(to_jsonb(r) ->> 'prqual', to_jsonb(r) ->> 'prattrs') is not null order by 2, 3`, name)
	}
	if err != nil {
		return nil, fmt.Errorf("read publication %s: %w", name, err)
	}
	return p, nil
}

// createPublication makes a publication of exactly these tables.
func createPublication(ctx context.Context, conn *pgx.Conn, name string, tables []relationName, viaRoot bool) error {
	sql := fmt.Sprintf("create publication %s for table %s with (publish = 'insert, update, delete, truncate', "+
		"publish_via_partition_root = %t)", quoteName(name), tableList(tables), viaRoot)
	if _, err := conn.Exec(ctx, sql); err != nil {
		return publicationRefused(fmt.Errorf("create publication %s: %w", name, err), sql)
	}
	return nil
}

// check refuses a publication whose stream would not be that of the tables as the snapshot reads them.
func (p *publication) check(tables []relationName, viaRoot bool, log *zap.Logger) error {
	if p.viaRoot != viaRoot {
		return failure.As(failure.Config,
			fmt.Errorf("postgres.partition_root: publication %s has publish_via_partition_root = %t", p.name, p.viaRoot),
			fmt.Sprintf("set partition_root: %t, or alter the publication", p.viaRoot))
	}
	if narrowed := intersection(p.narrowed, tables); len(narrowed) > 0 {
		return failure.As(failure.Config,
			fmt.Errorf("postgres.publication: %s has a row filter or a list of columns for %s, and the snapshot would read all of it",
				p.name, nameList(narrowed)),
			"publish the whole table, or leave it out with exclude_tables; columns are left out with exclude_columns")
	}
	if !p.insert || !p.update || !p.delete || !p.truncate {
		log.Warn("the publication does not publish every operation, so targets will differ from the source",
			zap.String("publication", p.name))
	}
	return nil
}

// lacking returns those of the tables whose changes are not published.
func (p *publication) lacking(tables []relationName) []relationName {
	if p.allTables {
		return nil
	}
	return difference(tables, p.covered)
}

// fit brings an existing publication in line with the chosen tables. One that covers them already is left as it is where
// the role may not change it: what it has too much is not emitted.
func (p *publication) fit(ctx context.Context, conn *pgx.Conn, tables []relationName, log *zap.Logger) error {
	if p.allTables {
		return nil
	}
	if lacking := p.lacking(tables); len(lacking) > 0 {
		sql := fmt.Sprintf("alter publication %s add table %s", quoteName(p.name), tableList(lacking))
		if _, err := conn.Exec(ctx, sql); err != nil {
			return publicationRefused(fmt.Errorf("add tables to publication %s: %w", p.name, err), sql)
		}
	}
	above, err := tablesAbove(ctx, conn, tables)
	if err != nil {
		return err
	}
	if surplus := difference(p.named, append(above, tables...)); len(surplus) > 0 {
		sql := fmt.Sprintf("alter publication %s drop table %s", quoteName(p.name), tableList(surplus))
		if _, err := conn.Exec(ctx, sql); err != nil {
			log.Warn("the publication holds tables that are not chosen", zap.String("publication", p.name), zap.Error(err))
		}
	}
	return nil
}

// tablesAbove returns the partitioned tables that the tables are partitions of: who publishes them publishes these.
func tablesAbove(ctx context.Context, conn *pgx.Conn, tables []relationName) ([]relationName, error) {
	oids := make([]uint32, len(tables))
	for i, t := range tables {
		oids[i] = t.oid
	}
	above, err := queryNames(ctx, conn, `select distinct c.oid, n.nspname, c.relname from unnest($1::oid[]) t(oid)
		cross join pg_partition_ancestors(t.oid) a(oid) join pg_class c on c.oid = a.oid and c.relkind = 'p'
		join pg_namespace n on n.oid = c.relnamespace`, oids)
	if err != nil {
		return nil, fmt.Errorf("look for the tables that have the chosen ones as partitions: %w", err)
	}
	return above, nil
}

func publicationRefused(err error, sql string) error {
	if sqlState(err) != codeNoPrivilege {
		return err
	}
	return failure.As(failure.Config, err, "let the owner of the tables run: "+sql)
}

// difference returns the tables of a that are not in b.
func difference(a, b []relationName) []relationName {
	return slices.DeleteFunc(slices.Clone(a), func(t relationName) bool {
		return slices.ContainsFunc(b, func(u relationName) bool { return u.oid == t.oid })
	})
}

// intersection returns the tables of a that are in b too.
func intersection(a, b []relationName) []relationName { return difference(a, difference(a, b)) }

func tableList(tables []relationName) string {
	quoted := make([]string, len(tables))
	for i, t := range tables {
		quoted[i] = quoteTable(t.schema, t.name)
	}
	return strings.Join(quoted, ", ")
}
