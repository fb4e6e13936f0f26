package postgres

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// modelRow is a row of a table (id numeric primary key deferrable initially deferred, v int, big text) whose replica
// identity is full.
type modelRow struct {
	id    int
	scale int // of the id's text: 1 and 1.0 are one key
	v     int
	big   int // which large value, stored outside of the row
}

func (r *modelRow) fields() []field {
	id := strconv.Itoa(r.id)
	if r.scale > 0 {
		id += "." + strings.Repeat("0", r.scale)
	}
	return []field{{kind: 't', text: []byte(id)}, {kind: 't', text: []byte(strconv.Itoa(r.v))}, {kind: 't', text: []byte("large " + strconv.Itoa(r.big))}}
}

// content is what a target has of the row beside its key.
func (r *modelRow) content() string { return fmt.Sprint(r.v, r.big) }

// modelMessage is what the server sends of one row; kind T is a truncate. row is the row as it is after the change.
type modelMessage struct {
	kind byte
	m    rowMessage
	id   int // of the old row
	row  modelRow
}

// modelTable is the table, with the messages of the open transaction.
type modelTable struct {
	rows []modelRow
	sent []modelMessage
}

func (m *modelTable) insert(r modelRow) {
	m.rows = append(m.rows, r)
	m.sent = append(m.sent, modelMessage{kind: 'I', m: rowMessage{new: r.fields()}, row: r})
}

func (m *modelTable) delete(i int) {
	r := m.rows[i]
	m.rows = slices.Delete(m.rows, i, i+1)
	m.sent = append(m.sent, modelMessage{kind: 'D', m: rowMessage{oldKind: 'O', old: r.fields()}, id: r.id})
}

// update sends the large value only if it is another one.
func (m *modelTable) update(i int, r modelRow) {
	old := m.rows[i]
	m.rows[i] = r
	msg := rowMessage{oldKind: 'O', old: old.fields(), new: r.fields()}
	if old.big == r.big {
		msg.new[2] = field{kind: 'u'}
	}
	m.sent = append(m.sent, modelMessage{kind: 'U', m: msg, id: old.id, row: r})
}

func (m *modelTable) truncate() {
	m.rows = nil
	m.sent = append(m.sent, modelMessage{kind: 'T'})
}

// statement runs one at random, over few keys and few values, so that rows meet under a key and equal each other.
func (m *modelTable) statement(t *rapid.T) {
	key, value := rapid.IntRange(0, 12), rapid.IntRange(0, 3)
	scale := func() int { return rapid.IntRange(0, 1).Draw(t, "scale") }
	some := func() int { return rapid.IntRange(0, len(m.rows)-1).Draw(t, "row") }
	what := rapid.IntRange(0, 99).Draw(t, "statement")
	switch {
	case what < 15 || len(m.rows) == 0:
		m.insert(modelRow{id: key.Draw(t, "id"), scale: scale(), v: value.Draw(t, "v"), big: value.Draw(t, "big")})
	case what < 25:
		m.delete(some())
	case what < 35:
		i := some()
		r := m.rows[i]
		r.v, r.big = value.Draw(t, "v"), value.Draw(t, "big")
		m.update(i, r)
	case what < 45: // one row, wherever it goes
		i := some()
		r := m.rows[i]
		r.id, r.scale = key.Draw(t, "to"), scale()
		m.update(i, r)
	case what < 65: // swap
		a, b := key.Draw(t, "a"), key.Draw(t, "b")
		m.each(func(r *modelRow) {
			switch r.id {
			case a:
				r.id = b
			case b:
				r.id = a
			}
		})
	case what < 80: // shift
		by := rapid.SampledFrom([]int{-1, 1, 2}).Draw(t, "by")
		m.each(func(r *modelRow) { r.id = (r.id + by + 13) % 13 })
	case what < 90: // away and back
		m.each(func(r *modelRow) { r.id += 100 })
		m.each(func(r *modelRow) { r.id -= 100 })
	case what < 97: // a chain of one row
		i := some()
		for range rapid.IntRange(1, 4).Draw(t, "links") {
			r := m.rows[i]
			r.id = key.Draw(t, "link")
			m.update(i, r)
		}
	default:
		m.truncate()
	}
}

// each updates the rows that change, in the table's order.
func (m *modelTable) each(change func(r *modelRow)) {
	for i, r := range m.rows {
		if change(&r); r != m.rows[i] {
			m.update(i, r)
		}
	}
}

func (m *modelTable) byKey() (rows map[int]string, unique bool) {
	rows = map[int]string{}
	for _, r := range m.rows {
		rows[r.id] = r.content()
	}
	return rows, len(rows) == len(m.rows)
}

// modelSource judges messages and applies to the target what is sent, as stream.go does it.
type modelSource struct {
	keys   collisions
	target map[int]string
	now    map[int]string // what the table holds when it is asked
}

func (s *modelSource) begin(memory *keySet) *writtenKeys {
	s.keys = newCollisions(memory)
	lay := &layout{columns: []wireColumn{{row: 0, wire: 1700}, {row: 1, wire: 23}, {row: 2, wire: 25}}, key: []int{0}}
	return s.keys.of(&relationMessage{oid: 1}, lay, false)
}

func (s *modelSource) take(w *writtenKeys, m *modelMessage) (err error) {
	var v verdict
	switch {
	case m.kind == 'T':
		clear(s.target)
	case m.kind == 'I':
		err = w.create(m.m.new, nil)
		s.target[m.row.id] = m.row.content()
	case m.kind == 'D':
		v, err = w.remove(m.m.old)
		s.remove(m, v)
	case w.keyChanged(&m.m):
		if v, err = w.remove(m.m.old); err != nil {
			return err
		}
		s.remove(m, v)
		err = w.create(m.m.new, m.m.old)
		s.target[m.row.id] = m.row.content()
	default:
		v, err = w.replace(m.m.old, m.m.new)
		if now, ok := s.now[m.id]; v == ask && ok {
			s.target[m.id] = now
		} else if v != drop {
			s.target[m.id] = m.row.content()
		}
	}
	return err
}

func (s *modelSource) remove(m *modelMessage, v verdict) {
	if now, ok := s.now[m.id]; v == ask && ok {
		s.target[m.id] = now
	} else if v != drop {
		delete(s.target, m.id)
	}
}

// Random transactions of a model of the server: the target equals the table after each one, or, where what is asked for is
// younger than the transaction, after all. The memory is tiny, so that it is a file all the time; and every transaction
// may be read again from some change on, as after a crash.
func TestTargetOfTheModelEqualsItsTable(t *testing.T) {
	dir := t.TempDir()
	for range 50 { // of 100 runs each: they are short, and it takes a few thousand to see what is rare
		rapid.Check(t, func(t *rapid.T) { runModel(t, dir) })
	}
}

func runModel(t *rapid.T, dir string) {
	memory := func() *keySet { return smallKeySet(dir, rapid.SampledFrom([]int{1, 2, 5, 1000}).Draw(t, "memory")) }
	table := &modelTable{}
	for i := range 8 {
		table.rows = append(table.rows, modelRow{id: i, v: i % 4, big: i % 3})
	}
	start, _ := table.byKey()
	s := &modelSource{target: maps.Clone(start)}
	var log [][]modelMessage
	var states []map[int]string
	for range rapid.IntRange(1, 6).Draw(t, "transactions") {
		before := slices.Clone(table.rows)
		table.sent = nil
		for range rapid.IntRange(1, 6).Draw(t, "statements") {
			table.statement(t)
		}
		if state, unique := table.byKey(); unique { // else it is rolled back
			log, states = append(log, table.sent), append(states, state)
		} else {
			table.rows = before
		}
	}
	exact := true
	for i, messages := range log {
		asked := rapid.IntRange(i, len(log)-1).Draw(t, "asked after")
		s.now, exact = states[asked], exact && asked == i
		again := rapid.IntRange(0, len(messages)).Draw(t, "read again from")
		w := s.begin(memory())
		for j := range messages {
			if j == again {
				s.keys.reset()
				w = s.begin(memory())
				passOverModel(t, w, messages[:j])
			}
			if err := s.take(w, &messages[j]); err != nil {
				t.Fatal(err)
			}
		}
		sameMemory(t, w, messages)
		s.keys.reset()
		if (exact || i == len(log)-1) && !maps.Equal(s.target, states[i]) {
			t.Fatalf("transaction %d: the target has %v, the table %v", i, s.target, states[i])
		}
	}
}

// sameMemory compares what is remembered with what is after all changes have been passed over.
func sameMemory(t *rapid.T, w *writtenKeys, messages []modelMessage) {
	again := &modelSource{}
	noted := again.begin(newKeySet("", keySetBytes))
	passOverModel(t, noted, messages)
	for id := range 113 {
		key := w.keyOf((&modelRow{id: id}).fields(), nil)
		got, found, err := w.keys.get(key)
		want, wanted, _ := noted.keys.get(key) // of a set without a file
		if err != nil || found != wanted || got != want {
			t.Fatalf("key %d: %+v, %v, %v; after a restart %+v, %v", id, got, found, err, want, wanted)
		}
	}
}

// passOverModel takes note of changes that were sent before a restart.
func passOverModel(t *rapid.T, w *writtenKeys, messages []modelMessage) {
	for i := range messages {
		if messages[i].kind == 'T' {
			continue
		}
		if err := w.note(messages[i].kind, &messages[i].m); err != nil {
			t.Fatal(err)
		}
	}
}
