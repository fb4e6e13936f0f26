package postgres

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"

	"github.com/syncline-io/syncline/framework/crash"
	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/source"
)

// PostgreSQL decides with the catalog of each change's own moment whether a publication publishes it. A table that was
// taken out and put back, or a publication that was narrowed and widened again, looks afterwards as if nothing had
// happened, and what changed in between is in no stream. What cannot be put back is the identity of the catalog's rows:
// they are kept in the position and compared with those of today.

// publicationIdentity identifies a publication and its last alteration.
type publicationIdentity struct {
	// OID changes when the publication is dropped and made again.
	OID uint32 `json:"oid"`
	// Altered is the transaction that wrote the publication's row, with the operations that it publishes: ALTER
	// PUBLICATION ... SET (...), RENAME and OWNER change it; adding and dropping tables do not.
	Altered uint32 `json:"altered"`
}

// via says by which rows of the catalog a publication comes to publish a table: the OIDs of its entries for the table, for
// the table's schema, or for a table above it. One that is there before and after has been there all along.
type via map[uint32][]string

const (
	// An entry for a table above counts for as long as the partitions in between stay attached: a row of pg_inherits has
	// no OID, but is written anew by each ATTACH.
	viaTables = `with recursive up(oid, at, path) as (
			select c.oid, c.oid, '' from pg_class c where c.oid = any($2::oid[])
			union all
			select u.oid, i.inhparent, u.path || '/' || i.xmin from up u
			join pg_class c on c.oid = u.at and c.relispartition join pg_inherits i on i.inhrelid = u.at)
		select u.oid, 'r' || r.oid || u.path from up u join pg_publication_rel r on r.prrelid = u.at where r.prpubid = $1`
	viaSchemas = `
		union all
		select u.oid, 's' || s.oid || u.path from up u join pg_class c on c.oid = u.at
			join pg_publication_namespace s on s.pnnspid = c.relnamespace where s.pnpubid = $1`
)

// viaAll stands for a publication of all tables, which cannot be made one of some.
const viaAll = "all"

// readVia says by what p publishes the tables.
func (p *publication) readVia(ctx context.Context, conn *pgx.Conn, tables []uint32) (via, error) {
	found := via{}
	if p.allTables {
		for _, oid := range tables {
			found[oid] = []string{viaAll}
		}
		return found, nil
	}
	sql := viaTables
	var schemas bool // PostgreSQL 15 and newer
	err := conn.QueryRow(ctx, "select to_regclass('pg_catalog.pg_publication_namespace') is not null").Scan(&schemas)
	if schemas {
		sql += viaSchemas
	}
	var rows pgx.Rows
	if err == nil {
		rows, err = conn.Query(ctx, sql+" order by 1, 2", p.id.OID, tables)
	}
	if err == nil {
		var oid uint32
		var entry string
		_, err = pgx.ForEachRow(rows, []any{&oid, &entry}, func() error {
			found[oid] = append(found[oid], entry)
			return nil
		})
	}
	if err != nil {
		return nil, fmt.Errorf("read by what publication %s publishes its tables: %w", p.name, err)
	}
	return found, nil
}

// interrupted returns those of the tables whose changes are streamed and that the publication has not published all the
// time since they were last looked at. A position of an older program tells only what is missing now.
func (s *state) interrupted(tables []relationName, p *publication, now via) []relationName {
	altered := s.Publication != p.name || s.Published != nil && *s.Published != p.id
	lacking := p.lacking(tables)
	return slices.DeleteFunc(slices.Clone(tables), func(c relationName) bool {
		t := s.table(c.oid)
		if t == nil || !t.Done {
			return true
		}
		return !altered && !slices.Contains(lacking, c) && (len(t.Via) == 0 || overlap(t.Via, now[c.oid]))
	})
}

func overlap(a, b []string) bool {
	return slices.ContainsFunc(a, func(entry string) bool { return slices.Contains(b, entry) })
}

// checkIdentity refuses a publication that was made anew: the stream cannot be decoded from before that.
func (s *state) checkIdentity(p *publication) error {
	if s.Published == nil || s.Published.OID == p.id.OID || s.Publication != p.name {
		return nil
	}
	return failure.As(failure.Gap, fmt.Errorf("publication %s was dropped and made again since the position was written", p.name),
		"what changed while it was away is not in the stream; "+hintAfterGap)
}

// remember keeps the identities in the state: for tables whose changes are streamed those that were compared, for the
// others those of now, which are older than their rows will be.
func (s *state) remember(compared, now *publication, old, young via) {
	s.Published, s.Publication = &compared.id, now.name
	for _, t := range s.Tables {
		if t.Done {
			t.Via = old[t.OID]
		} else {
			t.Via = young[t.OID]
		}
	}
}

// remember looks at the publication as it has come to be, and keeps what identifies it. compared and old are what
// [state.interrupted] saw; without them everything is of now.
func (r *reading) remember(ctx context.Context, compared *publication, old via) error {
	s, conn := r.source, r.catalog.conn
	now, err := readPublication(ctx, conn, s.cfg.Publication)
	if err != nil {
		return err
	}
	if now == nil {
		return publicationGone(s.cfg.Publication, nil)
	}
	young, err := now.readVia(ctx, conn, s.state.oids())
	if err != nil {
		return err
	}
	if compared == nil {
		compared, old = now, young
	}
	s.state.remember(compared, now, old, young)
	s.watched.Store(&watched{id: *s.state.Published, tables: s.state.vias()})
	return nil
}

// missed has those of the tables read again whose changes were streamed once and then were not published for a time: what
// changed then is in no stream. Only afterwards may they be put back: a publication that covers them looks as if nothing
// had happened.
func (r *reading) missed(ctx context.Context, from source.Position, tables []relationName) error {
	s := r.source
	if len(tables) == 0 {
		return nil
	}
	if s.cfg.Start == startStream {
		return failure.As(failure.Gap,
			fmt.Errorf("publication %s has not published %s all the time: it was altered, and what changed in between may not be in the stream",
				s.cfg.Publication, nameList(tables)),
			"with postgres.start: snapshot they are published and read again")
	}
	for _, c := range tables {
		s.log.Warn("the publication has not published the table all the time, so changes may be missing; it is read again",
			zap.Stringer("table", c), zap.String("publication", s.cfg.Publication))
		t := s.state.table(c.oid)
		t.Done, t.Again = false, true
	}
	r.pos = from.Version
	err := r.awaitState(ctx)
	crash.Point("postgres-source.after-missed")
	return err
}

// watched is what the monitor compares while the stream runs.
type watched struct {
	id     publicationIdentity
	tables map[uint32][]string
}

// publicationInterval is how often a running source looks whether its publication was altered. Nothing is lost by looking
// late: what is compared are identities.
const publicationInterval = 10 * time.Second

// errAltered ends a run. The next one compares again and reads what has to be read.
var errAltered = errors.New("it was altered while the source was running, so that it begins again")

// checkPublication ends the run when somebody has altered the publication: the next start finds out what is to be read
// again. It runs on the session of the lease.
func (s *pgSource) checkPublication(ctx context.Context) error {
	w := s.watched.Load()
	if w == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, monitorTimeout)
	defer cancel()
	p, err := readPublication(ctx, s.session, s.cfg.Publication)
	if err != nil {
		return err
	}
	if p == nil {
		return publicationGone(s.cfg.Publication, nil)
	}
	now, err := p.readVia(ctx, s.session, slices.Collect(maps.Keys(w.tables)))
	if err != nil {
		return err
	}
	var lacking []uint32
	for oid, entries := range w.tables {
		if !overlap(entries, now[oid]) {
			lacking = append(lacking, oid)
		}
	}
	var exist bool // a table that was dropped is no loss
	if err := s.session.QueryRow(ctx, "select exists (select from pg_class where oid = any($1::oid[]))", lacking).Scan(&exist); err != nil {
		return fmt.Errorf("look for the tables that publication %s does not publish any more: %w", p.name, err)
	}
	if exist || w.id != p.id {
		return fmt.Errorf("publication %s: %w", s.cfg.Publication, errAltered)
	}
	return nil
}
