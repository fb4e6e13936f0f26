package postgres

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/jackc/pgx/v5"

	"github.com/syncline-io/syncline/framework/sink"
	"github.com/syncline-io/syncline/schemas"
)

const (
	// sinkStages bounds the staging tables of a session: every commit empties all of them.
	sinkStages = 32
	// sinkStatements is the number of prepared statements after which a new session is made: a table whose rows come
	// with ever other columns unchanged has many.
	sinkStatements = 512
	// sinkCopyChunk is how much is encoded at a time.
	sinkCopyChunk = 64 << 10
	// sinkCopyKept is the largest buffer that is kept for the next batch: one huge row must not stay for ever.
	sinkCopyKept = 1 << 20
)

// sinkSession is one server session and what lives in it: staging tables and prepared statements, and the buffers that
// batches reuse.
type sinkSession struct {
	conn *pgx.Conn

	stages   []sinkStage // oldest use first
	stageSeq int
	prepared map[string]string // name by rowStatement.id

	rows    copyRows
	sent    []sentRow
	ops     []int16
	shape   []byte
	buffer  []byte
	ends    []int
	values  [][]byte
	formats []int16
}

// sinkStage is a staging table. It is fresh until the transaction that made it is committed, and used until the
// transaction ends that put rows into it.
type sinkStage struct {
	plan        *sinkPlan
	name        string
	fresh, used bool
}

func newSinkSession(conn *pgx.Conn) *sinkSession {
	return &sinkSession{conn: conn, prepared: map[string]string{}}
}

// stage returns the staging table of a plan, empty. It is emptied by every commit, and here when the same transaction
// used it before.
func (s *sinkSession) stage(ctx context.Context, p *sinkPlan) (string, error) {
	if i := slices.IndexFunc(s.stages, func(g sinkStage) bool { return g.plan == p }); i >= 0 {
		g := s.stages[i]
		if g.used {
			if err := s.exec(ctx, "truncate table "+g.name); err != nil {
				return "", err
			}
		}
		g.used = true
		s.stages = append(slices.Delete(s.stages, i, i+1), g)
		return g.name, nil
	}
	if len(s.stages) >= sinkStages {
		if err := s.dropStage(ctx); err != nil {
			return "", err
		}
	}
	s.stageSeq++
	name := "pg_temp.syncline_stage_" + strconv.Itoa(s.stageSeq)
	if err := s.exec(ctx, p.createStage(name)); err != nil {
		return "", fmt.Errorf("create the staging table of %s: %w", p.table, err)
	}
	s.stages = append(s.stages, sinkStage{p, name, true, true})
	return name, nil
}

// dropStage drops the staging table that was not used for longest, unless this transaction may be using it.
func (s *sinkSession) dropStage(ctx context.Context) error {
	if s.stages[0].used {
		return nil
	}
	if err := s.exec(ctx, "drop table "+s.stages[0].name); err != nil {
		return err
	}
	s.stages = slices.Delete(s.stages, 0, 1)
	return nil
}

// committed and rolledBack are told how the transaction ended.
func (s *sinkSession) committed() {
	for i := range s.stages {
		s.stages[i].fresh, s.stages[i].used = false, false
	}
}

func (s *sinkSession) rolledBack() {
	s.stages = slices.DeleteFunc(s.stages, func(g sinkStage) bool { return g.fresh })
	s.committed()
}

func (s *sinkSession) exec(ctx context.Context, sql string) error {
	return s.conn.PgConn().Exec(ctx, sql).Close()
}

// prepare makes sure that the session knows the statement.
func (s *sinkSession) prepare(ctx context.Context, st *rowStatement) error {
	if _, ok := s.prepared[st.id]; ok {
		return nil
	}
	name := "syncline_" + strconv.Itoa(len(s.prepared)+1)
	_, err := s.conn.PgConn().Prepare(ctx, name, st.sql, st.oids)
	if err == nil {
		s.prepared[st.id] = name
	}
	return err
}

// parameters encodes the parameters of a row's statement into buffers that hold until the next call.
func (s *sinkSession) parameters(p *sinkPlan, r sentRow) (values [][]byte, formats []int16, err error) {
	s.buffer, s.ends, s.values, s.formats = s.buffer[:0], s.ends[:0], s.values[:0], s.formats[:0]
	for k, i := range r.st.columns {
		v, c := r.row.Values[i], &p.columns[i]
		format := int16(1)
		if r.st.raw[k] || c.textual {
			format = 0
		}
		switch {
		case v.IsNull():
		case r.st.raw[k]:
			s.buffer = append(s.buffer, v.Bytes()...)
		default:
			if s.buffer, err = c.encode(s.buffer, v, &s.rows.scratch); err != nil {
				return nil, nil, fmt.Errorf("column %s: %w", c.name, err)
			}
		}
		s.ends = append(s.ends, len(s.buffer))
		s.formats = append(s.formats, format)
	}
	start := 0
	for k, i := range r.st.columns {
		// Only now: the buffer does not move any more.
		value := s.buffer[start:s.ends[k]:s.ends[k]]
		if r.row.Values[i].IsNull() {
			value = nil
		} else if value == nil {
			value = []byte{}
		}
		s.values = append(s.values, value)
		start = s.ends[k]
	}
	return s.values, s.formats, nil
}

// opsFor returns room for one op per row.
func (s *sinkSession) opsFor(n int) []int16 {
	s.ops = slices.Grow(s.ops[:0], n)[:n]
	return s.ops
}

// copyRows encodes rows as a binary COPY stream while it is read. It allocates nothing per row.
type copyRows struct {
	plan    *sinkPlan
	rows    []sink.Row
	ops     []int16 // nil: no column op, and every row is sent
	next    int
	ended   bool
	buffer  []byte
	read    int
	scratch copyScratch
	err     error
}

func (r *copyRows) reset(p *sinkPlan, rows []sink.Row, ops []int16) {
	if cap(r.buffer) > sinkCopyKept {
		r.buffer = nil
	}
	*r = copyRows{plan: p, rows: rows, ops: ops, buffer: append(r.buffer[:0], copyHeader...), scratch: r.scratch}
}

// Read implements io.Reader. After an error that is not io.EOF the COPY is broken off, and err says why.
func (r *copyRows) Read(b []byte) (int, error) {
	if r.read == len(r.buffer) {
		if r.ended {
			return 0, io.EOF
		}
		r.buffer, r.read = r.buffer[:0], 0
	}
	if r.read == 0 {
		if r.err = r.fill(); r.err != nil {
			return 0, r.err
		}
	}
	n := copy(b, r.buffer[r.read:])
	r.read += n
	return n, nil
}

// fill encodes about a chunk of rows behind what the buffer holds.
func (r *copyRows) fill() error {
	for ; r.next < len(r.rows); r.next++ {
		if len(r.buffer) >= sinkCopyChunk {
			return nil
		}
		op := int16(opUpsert)
		if r.ops != nil {
			if op = r.ops[r.next]; op == opAlone {
				continue
			}
		}
		if err := r.encode(&r.rows[r.next], op); err != nil {
			w := sinkWriter{plan: r.plan}
			return w.valueError(&r.rows[r.next], err)
		}
	}
	if !r.ended {
		r.buffer = append(r.buffer, copyTrailer...)
		r.ended = true
	}
	return nil
}

// encode appends one row: the number of fields, the op if there is one, the columns. What a delete or a partial update
// does not know is null.
func (r *copyRows) encode(row *sink.Row, op int16) error {
	dst := r.buffer
	if r.ops == nil {
		dst = binary.BigEndian.AppendUint16(dst, uint16(len(r.plan.columns)))
	} else {
		dst = binary.BigEndian.AppendUint16(dst, uint16(len(r.plan.columns)+1))
		dst = binary.BigEndian.AppendUint32(dst, 2)
		dst = binary.BigEndian.AppendUint16(dst, uint16(op))
	}
	var err error
	for i := range r.plan.columns {
		v := row.Values[i]
		if v.Kind() == schemas.KindUnchanged || op == opDelete && !r.plan.isKey(i) {
			v = schemas.Null()
		}
		if dst, err = copyField(dst, v, r.plan.columns[i].encode, &r.scratch); err != nil {
			return fmt.Errorf("column %s: %w", r.plan.columns[i].name, err)
		}
	}
	r.buffer = dst
	return nil
}
