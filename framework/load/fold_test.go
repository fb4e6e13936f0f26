package load

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/simtest/model"
	"github.com/syncline-io/syncline/framework/sink"
	"github.com/syncline-io/syncline/schemas"
)

// foldTable is orders as a target table; key columns by index.
func foldTable(key ...int) *sink.Table {
	t := orders(1)
	return &sink.Table{Schema: "public", Name: "orders", Columns: t.Columns, Key: key, Source: t}
}

// eventsOf gives changes offsets and versions from 1.
func eventsOf(t *sink.Table, whole bool, changes ...schemas.Change) []event {
	p := &partition{}
	var events []event
	for i, c := range changes {
		events = append(events, event{
			record: &kgo.Record{Offset: int64(i + 1)}, part: p, table: t, op: c.Op, before: c.Before, after: c.After,
			beforeWhole: whole && c.Before != nil, version: schemas.Version{High: uint64(i + 1)},
		})
	}
	return events
}

func rowsText(b *sink.Batch) []string {
	actions := [...]string{"upsert", "delete", "append", "remove"}
	var lines []string
	for _, t := range b.Tables {
		if t.Truncate {
			lines = append(lines, "truncate")
		}
		for _, r := range t.Rows {
			line := actions[r.Action]
			for i, v := range r.Values {
				text := "unchanged"
				if !v.IsUnchanged() {
					text = model.ValueText(&t.Table.Columns[i].Type, v)
				}
				line += " " + text
			}
			if r.Partial {
				line += " partial"
			}
			lines = append(lines, fmt.Sprintf("%s @%d", line, r.Version.High))
		}
	}
	return lines
}

func changed(before, after []schemas.Value) schemas.Change {
	return schemas.Change{Op: schemas.Update, Before: before, After: after}
}

func TestFold(t *testing.T) {
	const refused = "refused"
	for _, tt := range []struct {
		name    string
		key     []int
		whole   bool
		changes []schemas.Change
		want    []string
	}{
		{
			"the last change of a key wins",
			[]int{0},
			false,
			[]schemas.Change{insert(1, "a", "x"), insert(2, "b", "y"), update(1, "c", "z")},
			[]string{"upsert 1 c z @3", "upsert 2 b y @2"},
		},
		{
			"unchanged values come from the earlier change",
			[]int{0},
			false,
			[]schemas.Change{insert(1, "a", "x"), update(1, "b", "unchanged"), update(1, "unchanged", "unchanged")},
			[]string{"upsert 1 b x @3"},
		},
		{
			"an unchanged value that no earlier change has stays open",
			[]int{0},
			false,
			[]schemas.Change{update(1, "unchanged", "y"), update(1, "b", "unchanged"), update(1, "c", "unchanged")},
			[]string{"upsert 1 c y @3"},
		},
		{
			"an update alone stays partial",
			[]int{0},
			false,
			[]schemas.Change{update(1, "b", "unchanged")},
			[]string{"upsert 1 b unchanged partial @1"},
		},
		{
			"a delete ends the fold",
			[]int{0},
			false,
			[]schemas.Change{insert(1, "a", "x"), remove(1, nil, nil)},
			[]string{"delete 1 NULL NULL @2"},
		},
		{
			"a row inserted again replaces its delete",
			[]int{0},
			false,
			[]schemas.Change{remove(1, nil, nil), insert(1, "b", "y")},
			[]string{"upsert 1 b y @2"},
		},
		{
			"an unchanged value of a deleted row is refused",
			[]int{0},
			false,
			[]schemas.Change{insert(1, "a", "x"), remove(1, nil, nil), update(1, "b", "unchanged")},
			[]string{refused},
		},
		{
			"a truncate drops what came before it",
			[]int{0},
			false,
			[]schemas.Change{insert(1, "a", "x"), remove(2, nil, nil), truncate(), insert(3, "c", "z")},
			[]string{"truncate", "upsert 3 c z @4"},
		},
		{
			"an unchanged value of a truncated row is refused",
			[]int{0},
			false,
			[]schemas.Change{insert(1, "a", "x"), truncate(), update(1, "b", "unchanged")},
			[]string{refused},
		},
		{
			"a truncate alone is a batch",
			[]int{0},
			false,
			[]schemas.Change{truncate()},
			[]string{"truncate"},
		},
		{
			"a key change is a delete and a create",
			[]int{0},
			false,
			[]schemas.Change{insert(1, "a", "x"), remove(1, nil, nil), insert(2, "a", "x")},
			[]string{"delete 1 NULL NULL @2", "upsert 2 a x @3"},
		},
		{
			"key columns do not run together",
			[]int{1, 2},
			true,
			[]schemas.Change{insert(1, "a", "bc"), insert(2, "ab", "c")},
			[]string{"upsert 1 a bc @1", "upsert 2 ab c @2"},
		},
		{
			"a chosen key moves with the whole old row",
			[]int{1},
			true,
			[]schemas.Change{insert(1, "a", "x"), changed(row(1, "a", "x"), row(1, "b", "x"))},
			[]string{"delete NULL a NULL @2", "upsert 1 b x @2"},
		},
		{
			"a chosen key that stays is one upsert",
			[]int{1},
			true,
			[]schemas.Change{changed(row(1, "a", "x"), row(1, "a", "y"))},
			[]string{"upsert 1 a y @1"},
		},
		{
			"a chosen key needs the whole old row",
			[]int{1},
			false,
			[]schemas.Change{changed(row(1, nil, nil), row(1, "b", "x"))},
			[]string{refused},
		},
		{
			"a delete by a chosen key needs the whole old row",
			[]int{1},
			false,
			[]schemas.Change{remove(1, nil, nil)},
			[]string{refused},
		},
		{
			"a chosen key without a value is refused",
			[]int{1},
			true,
			[]schemas.Change{insert(1, nil, "x")},
			[]string{refused},
		},
		{
			"without a key every change stays, in order", nil, true,
			[]schemas.Change{insert(1, "a", "x"), insert(1, "a", "x"), changed(row(1, "a", "x"), row(1, "b", "x")), {Op: schemas.Delete, Before: row(1, "a", "x")}},
			[]string{"append 1 a x @1", "append 1 a x @2", "remove 1 a x @3", "append 1 b x @3", "remove 1 a x @4"},
		},
		{
			"without a key an old row that is not whole is refused", nil, false,
			[]schemas.Change{changed(row(1, nil, nil), row(1, "b", "x"))},
			[]string{refused},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			table := foldTable(tt.key...)
			events := eventsOf(table, tt.whole, tt.changes...)
			f := newFolder()
			for range 2 { // memory used again changes nothing
				b, err := f.fold(events)
				got := []string{refused}
				if err == nil {
					got = rowsText(b)
				} else if failure.Classify(err) != failure.Refused {
					t.Fatalf("class of %v", err)
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

func TestEqualKeysOfEveryTypeFold(t *testing.T) {
	decimal := func(text string) schemas.Value {
		v, err := schemas.ParseDecimal([]byte(text), new(schemas.Arena))
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	same := [][2]schemas.Value{
		{decimal("1.0"), decimal("1.000")},
		{decimal("-12"), decimal("-12.0")},
		{decimal("0"), decimal("0.00")},
		{decimal("100"), decimal("100.0")},
		{schemas.FloatValue(0), schemas.FloatValue(negativeZero())},
		{schemas.IntervalValue(1, 0, 0), schemas.IntervalValue(0, 30, 0)},
	}
	for _, s := range same {
		if !sameKeyValue(s[0], s[1]) {
			t.Errorf("%v and %v are different keys", s[0], s[1])
		}
	}
	different := []schemas.Value{
		decimal("1"), decimal("10"), decimal("-1"), decimal("0.1"), schemas.SpecialDecimal(schemas.NaN), schemas.IntValue(1), schemas.StringValue("1"),
		schemas.BoolValue(true), schemas.FloatValue(1), schemas.StringValue(""), schemas.ArrayValue(row(1)), schemas.ArrayValue(row(1, 1)),
		schemas.IntervalValue(0, 1, 0),
	}
	for i, a := range different {
		for j, b := range different {
			if (i == j) != sameKeyValue(a, b) {
				t.Errorf("values %d and %d: same key is %t", i, j, i != j)
			}
		}
	}
}

func TestAKeyOfManyZerosFoldsWithItsShortForm(t *testing.T) {
	const zeros = 1_500_000
	long := new(big.Int).Exp(big.NewInt(10), big.NewInt(zeros), nil)
	began := time.Now()
	if !sameKeyValue(schemas.DecimalValue(append([]byte{0}, long.Bytes()...), zeros), schemas.DecimalValue([]byte{1}, 0)) {
		t.Error("a one with zeros behind the point is another key than 1")
	}
	// A bound with much room: a division for each zero takes a minute.
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("%v for one key", took)
	}
}

func negativeZero() float64 { return math.Copysign(0, -1) }

func TestTruncatesOfSiblingsAreNotBisected(t *testing.T) {
	table := foldTable(0)
	events := eventsOf(table, false, insert(1, "a", "x"), truncate(), truncate(), truncate(), insert(2, "b", "y"))
	for i := 1; i <= 3; i++ {
		events[i].version = schemas.Version{High: 9}
	}
	if got := middle(events); got != 1 {
		t.Errorf("split at %d", got)
	}
	if got := middle(events[1:]); got != 3 {
		t.Errorf("split at %d", got)
	}
}

func TestNamesOfTargets(t *testing.T) {
	n := Naming{Schema: "raw_{schema}", Table: "{database}_{table}", Tables: map[string]Target{"public.orders": {Table: "o", Key: []string{"note", "id"}}}}
	got, err := n.table(ordersTopic, orders(1))
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != "raw_public.o" || !slices.Equal(got.Key, []int{1, 0}) {
		t.Errorf("%s key %v", got, got.Key)
	}
	n.Tables["public.orders"] = Target{Key: []string{"nope"}}
	if _, err = n.table(ordersTopic, orders(1)); failure.Classify(err) != failure.Config || !strings.Contains(err.Error(), `"nope"`) {
		t.Errorf("unknown key column: %v", err)
	}
	if err := (Naming{Table: "{tabel}"}).validate(); err == nil {
		t.Error("a misspelt placeholder is taken")
	}
}

func TestTopicsByPattern(t *testing.T) {
	for _, tt := range []struct {
		topics []string
		topic  string
		want   bool
	}{
		{[]string{"shop.*"}, "shop.public.orders", true},
		{[]string{"shop.public.orders"}, "shop.public.orders2", false},
		{[]string{"shop.public.orders"}, "shopXpublic.orders", false},
		{[]string{"/shop\\.(a|b)/"}, "shop.b", true},
		{[]string{"/shop\\.(a|b)/"}, "shop.bc", false},
		{[]string{"*"}, "syncline.tables", false},
		{[]string{"*"}, "warehouse.dlq", false},
		{[]string{"*"}, "other.dlq", false},
		{[]string{"other.dlq"}, "other.dlq", true},
		{[]string{"*"}, "shop.public.orders.quarantine", false},
		{[]string{"shop.public.orders.quarantine"}, "shop.public.orders.quarantine", true},
		{[]string{"*.dlq"}, "warehouse.dlq", false},
	} {
		o := Options{Name: "warehouse", InternalPrefix: "syncline", Topics: tt.topics}
		wanted, err := matcher(o.subscription())
		if err != nil {
			t.Fatal(err)
		}
		if got := wanted(tt.topic); got != tt.want {
			t.Errorf("%q reads %s: %t", tt.topics, tt.topic, got)
		}
	}
}

// TestTheFoldDoesNotKeepTheMemoryOfEveryTableThatHadALargeBatch is about tables that are loaded one after the other.
func TestTheFoldDoesNotKeepTheMemoryOfEveryTableThatHadALargeBatch(t *testing.T) {
	const rows = 2_000
	f := newFolder()
	for range 50 {
		table := foldTable(0)
		var changes []schemas.Change
		for i := range rows {
			changes = append(changes, insert(i, "note", "x"))
		}
		if _, err := f.fold(eventsOf(table, false, changes...)); err != nil {
			t.Fatal(err)
		}
	}
	kept := 0
	for _, table := range f.byName {
		kept += cap(table.Rows)
	}
	if kept > 6*rows {
		t.Errorf("memory for %d rows is kept, and no batch had more than %d", kept, rows)
	}
}

// TestTheSizeOfAnEventCountsItsHeaders is about narrow rows, whose headers are as large as they are.
func TestTheSizeOfAnEventCountsItsHeaders(t *testing.T) {
	r := &kgo.Record{Key: []byte("k"), Value: []byte("v")}
	bare := (&event{record: r}).size()
	r.Headers = []kgo.RecordHeader{{Key: schemas.HeaderVersion, Value: make([]byte, 16)}, {Key: schemas.HeaderTable, Value: make([]byte, 8)}}
	if got, want := (&event{record: r}).size(), bare+2*40+len(schemas.HeaderVersion)+len(schemas.HeaderTable)+24; got != want {
		t.Errorf("%d bytes, want %d", got, want)
	}
}

func BenchmarkFold(b *testing.B) {
	table := foldTable(0)
	var changes []schemas.Change
	for i := range 10_000 {
		changes = append(changes, insert(i%8_000, "note", "some text of a usual length"))
	}
	events := eventsOf(table, false, changes...)
	f := newFolder()
	b.ReportAllocs()
	b.ResetTimer()
	began := time.Now()
	for range b.N {
		if _, err := f.fold(events); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*len(events))/time.Since(began).Seconds(), "rows/s")
}
