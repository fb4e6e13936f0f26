package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"

	"github.com/syncline-io/syncline/framework/config"
	"github.com/syncline-io/syncline/framework/source"
	"github.com/syncline-io/syncline/integration/engines"
	"github.com/syncline-io/syncline/schemas"
)

// recorder is an emitter that keeps all it is told, and confirms at once what it is asked to write.
type recorder struct {
	mu      sync.Mutex
	src     source.Source
	events  []event
	state   []byte
	version schemas.Version // of the last change or position
	emitted schemas.Version
	err     error
	limit   int              // refuses changes after so many; 0: never
	silent  bool             // confirms nothing
	before  func(events int) // called before each change is taken
	changed chan struct{}
}

// event is one change, in a form that can be compared.
type event struct {
	text     string
	version  schemas.Version
	table    *schemas.Table
	state    []byte
	snapshot schemas.Snapshot
	origin   string
	after    []string
}

func newRecorder() *recorder { return &recorder{changed: make(chan struct{}, 1)} }

func (r *recorder) notify() {
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

var errLimit = errors.New("the recorder takes no more")

func (r *recorder) Emit(c *schemas.Change) error {
	if r.before != nil {
		r.before(len(r.all()))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.limit > 0 && len(r.events) >= r.limit {
		return errLimit
	}
	if r.state == nil {
		r.err = errors.New("a change came before the state")
	}
	again := c.Op == schemas.Begin && c.Version.Compare(r.version) <= 0 // of a transaction that is sent again
	if !again && (c.Version.Compare(r.emitted) <= 0 || c.Version.Compare(r.version) <= 0 && r.version != r.emitted) {
		r.err = fmt.Errorf("version %v came after %v and position %v", c.Version, r.emitted, r.version)
	}
	if !again {
		r.emitted, r.version = c.Version, c.Version
	}
	e := event{text: shownChange(c), version: c.Version, table: c.Table, state: r.state, snapshot: c.Source.Snapshot, origin: c.Source.ReplicationOrigin}
	for _, v := range c.After {
		e.after = append(e.after, shownValue(v))
	}
	r.events = append(r.events, e)
	r.notify()
	return nil
}

func (r *recorder) Advance(v schemas.Version, urgent bool) error {
	r.mu.Lock()
	if v.Compare(r.version) < 0 {
		r.err = fmt.Errorf("advance to %v after %v", v, r.version)
	}
	r.version = v
	p := source.Position{State: r.state, Version: v}
	src := r.src
	r.mu.Unlock()
	r.notify()
	if src != nil && urgent && !r.silent {
		src.Confirm(p)
	}
	return nil
}

func (r *recorder) SetState(s []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state = s
	return nil
}

func (r *recorder) position() source.Position {
	r.mu.Lock()
	defer r.mu.Unlock()
	return source.Position{State: r.state, Version: r.version}
}

func (r *recorder) all() []event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events)
}

func texts(events []event) []string {
	var t []string
	for _, e := range events {
		t = append(t, e.text)
	}
	return t
}

func shownValue(v schemas.Value) string {
	switch v.Kind() {
	case schemas.KindNull:
		return "NULL"
	case schemas.KindUnchanged:
		return "UNCHANGED"
	case schemas.KindUnrepresentable:
		return "?" + v.String()
	case schemas.KindBool:
		return fmt.Sprint(v.Bool())
	case schemas.KindInt:
		return fmt.Sprint(v.Int())
	case schemas.KindFloat:
		return fmt.Sprintf("%v", v.Float())
	case schemas.KindDecimal:
		unscaled, scale, form := v.Decimal()
		return fmt.Sprintf("%x/%d/%d", unscaled, scale, form)
	case schemas.KindInterval:
		m, d, u := v.Interval()
		return fmt.Sprintf("%dm%dd%du", m, d, u)
	case schemas.KindArray:
		var parts []string
		for _, e := range v.Array() {
			parts = append(parts, shownValue(e))
		}
		return "[" + strings.Join(parts, " ") + "]"
	default:
		if s := v.String(); len(s) > 64 {
			return fmt.Sprintf("%s...(%d)", s[:4], len(s))
		}
		return strings.Clone(v.String())
	}
}

func shownRow(row []schemas.Value) string {
	if row == nil {
		return "-"
	}
	var parts []string
	for _, v := range row {
		parts = append(parts, shownValue(v))
	}
	return "(" + strings.Join(parts, ",") + ")"
}

// shownChange is op, table, before, after; a before that holds the key only has a k.
func shownChange(c *schemas.Change) string {
	before := shownRow(c.Before)
	if c.BeforeKeyOnly {
		before = "k" + before
	}
	text := fmt.Sprintf("%c %s %s %s", c.Op, c.Table.Name, before, shownRow(c.After))
	if c.OtherKey != nil {
		text += " other"
		for _, i := range c.Table.KeyColumns() {
			text += " " + shownValue(c.OtherKey[i])
		}
	}
	return text
}

// database is an empty database for one test.
type database struct {
	t    *testing.T
	url  string
	conn *pgx.Conn
	name string
}

func newDatabase(t *testing.T) *database {
	t.Helper()
	d := &database{t: t, url: engines.Database(t), name: engines.Unique(t)}
	d.conn = d.connect()
	return d
}

func (d *database) connect() *pgx.Conn {
	d.t.Helper()
	conn, err := pgx.Connect(d.t.Context(), d.url)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func (d *database) exec(sql string) {
	d.t.Helper()
	if _, err := d.conn.Exec(d.t.Context(), sql); err != nil {
		d.t.Fatalf("%s: %v", sql, err)
	}
}

func (d *database) scalar(sql string, args ...any) (text string) {
	d.t.Helper()
	if err := d.conn.QueryRow(d.t.Context(), sql, args...).Scan(&text); err != nil {
		d.t.Fatalf("%s: %v", sql, err)
	}
	return text
}

// major is the server's major version.
func (d *database) major() int {
	n, err := strconv.Atoi(d.scalar("select current_setting('server_version_num')"))
	if err != nil {
		d.t.Fatal(err)
	}
	return n / 10000
}

func (d *database) config() SourceConfig {
	c := sourceDefaults()
	c.URL = config.URL(d.url)
	c.HeartbeatInterval, c.StatusInterval = 100*time.Millisecond, 50*time.Millisecond
	return c
}

func (d *database) slot() string { return derivedName(d.name) }

func (d *database) env() source.Env { return source.Env{Name: d.name, Log: zap.NewNop()} }

// running is a source at work.
type running struct {
	t      *testing.T
	src    *pgSource
	out    *recorder
	cancel context.CancelFunc
	done   chan error
	ended  bool
}

func (d *database) start(cfg SourceConfig, from source.Position, out *recorder) *running {
	d.t.Helper()
	src, err := newSource(d.t.Context(), cfg, d.env())
	if err != nil {
		d.t.Fatal(err)
	}
	return d.run(src, from, out)
}

// run starts a source that was opened.
func (d *database) run(src *pgSource, from source.Position, out *recorder) *running {
	d.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{t: d.t, src: src, out: out, cancel: cancel, done: make(chan error, 1)}
	d.t.Cleanup(func() { _ = r.stop() })
	if err := src.Lease(ctx); err != nil {
		d.t.Fatal(err)
	}
	out.mu.Lock()
	out.src = src
	if from.State != nil {
		out.state, out.version, out.emitted = from.State, from.Version, from.Version
	}
	out.mu.Unlock()
	go func() { r.done <- src.Run(ctx, from, out) }()
	return r
}

// stop ends the source and returns the error of Run.
func (r *running) stop() error {
	if r.ended {
		return nil
	}
	r.cancel()
	return r.join()
}

// join waits until the source ends by itself.
func (r *running) join() error {
	r.t.Helper()
	r.ended = true
	var err error
	select {
	case err = <-r.done:
	case <-time.After(30 * time.Second):
		r.t.Fatal("Run does not end")
	}
	r.cancel()
	if closeErr := r.src.Close(); closeErr != nil {
		r.t.Errorf("close: %v", closeErr)
	}
	return err
}

// wait waits until the events satisfy ok.
func (r *running) wait(what string, ok func(events []event) bool) []event {
	r.t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		events := r.out.all()
		if r.out.err != nil {
			r.t.Fatal(r.out.err)
		}
		if ok(events) {
			return events
		}
		select {
		case <-r.out.changed:
		case err := <-r.done:
			r.ended = true
			_ = r.src.Close()
			r.t.Fatalf("waiting for %s: the source ended: %v; so far:\n%s", what, err, strings.Join(texts(events), "\n"))
		case <-deadline:
			r.t.Fatalf("waiting for %s; so far:\n%s", what, strings.Join(texts(events), "\n"))
		}
	}
}

func (r *running) waitCount(n int) []event {
	r.t.Helper()
	return r.wait(fmt.Sprintf("%d changes", n), func(events []event) bool { return len(events) >= n })
}

// waitFor waits for a change whose text ends in suffix.
func (r *running) waitFor(suffix string) []event {
	r.t.Helper()
	return r.wait(suffix, func(events []event) bool {
		return slices.ContainsFunc(events, func(e event) bool { return strings.HasSuffix(e.text, suffix) })
	})
}

func diff(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
