package postgres

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/source"
	"github.com/syncline-io/syncline/schemas"
)

// tupleBytes writes values as pgoutput does; nil is null, "u" alone is unchanged.
func tupleBytes(values ...any) []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(len(values)))
	for _, v := range values {
		switch v := v.(type) {
		case nil:
			b = append(b, 'n')
		case rune:
			b = append(b, 'u')
		default:
			text := fmt.Sprint(v)
			b = append(b, 't')
			b = binary.BigEndian.AppendUint32(b, uint32(len(text)))
			b = append(b, text...)
		}
	}
	return b
}

func rowBytes(relation uint32, parts ...any) []byte {
	b := binary.BigEndian.AppendUint32(nil, relation)
	for _, p := range parts {
		switch p := p.(type) {
		case rune:
			b = append(b, byte(p))
		case []byte:
			b = append(b, p...)
		}
	}
	return b
}

func FuzzRowMessage(f *testing.F) {
	f.Add(byte('I'), rowBytes(7, 'N', tupleBytes(1, nil, 'u', "text")))
	f.Add(byte('U'), rowBytes(7, 'K', tupleBytes(1, nil), 'N', tupleBytes(2, 'u')))
	f.Add(byte('U'), rowBytes(7, 'O', tupleBytes(1, "x"), 'N', tupleBytes(2, "y")))
	f.Add(byte('D'), rowBytes(7, 'K', tupleBytes(1, nil)))
	f.Add(byte('I'), []byte{0, 0, 0, 1, 'N', 0xff, 0xff, 't', 0xff, 0xff, 0xff, 0xff})
	var m rowMessage
	f.Fuzz(func(t *testing.T, kind byte, b []byte) {
		if m.parse(kind, &wire{b: b}) != nil {
			return
		}
		size := 0
		for _, fields := range [][]field{m.old, m.new} {
			for _, v := range fields {
				size += len(v.text) + 1
			}
		}
		if size > len(b) {
			t.Fatalf("%d bytes of values out of a message of %d", size, len(b))
		}
	})
}

func FuzzTextDecoders(f *testing.F) {
	for _, s := range []string{
		"", "t", "-12", "1.50", "NaN", "infinity", `{1,NULL,"a \"b\""}`, "2018-06-20 15:13:16.9+00", "0001-12-31 BC", "-1 years +3 days -00:00:01.5",
		`\x00ff`, "24:00:00", "{", "{,}", `{"}`, `{a\}`, `{"a"x,b}`, "99999999999999999999999999999999999999999", "294276-12-31 23:59:59.999999",
	} {
		for _, oid := range decodedOIDs {
			f.Add(oid, []byte(s))
		}
	}
	var a schemas.Arena
	f.Fuzz(func(_ *testing.T, oid uint32, b []byte) {
		a.Reset()
		_ = shownValue(textDecoderOf(typeOfOID(oid))(b, &a))
	})
}

var decodedOIDs = []uint32{16, 20, 21, 23, 25, 700, 701, 1700, 17, 1082, 1083, 1114, 1184, 1186, 2950, 1005, 1007, 1016, 1009, 1015}

func FuzzBinaryDecoders(f *testing.F) {
	f.Add(uint32(1700), []byte{0, 1, 0, 0, 0x40, 0, 0, 2, 0, 5})
	f.Add(uint32(1700), []byte{0, 1, 0x7f, 0xff, 0, 0, 0xff, 0xff, 0, 5})
	f.Add(uint32(1700), []byte{0, 1, 0x31, 0x30, 0, 0, 0x30, 0x30, 0x30, 0x30}) // a word of five digits
	f.Add(uint32(3802), []byte("\x01{}"))
	f.Add(uint32(1184), []byte{0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe})
	var a schemas.Arena
	f.Fuzz(func(_ *testing.T, oid uint32, b []byte) {
		a.Reset()
		if decode, _ := binaryDecoderOf(oid, typeOfOID(oid), nil); decode != nil {
			if v, err := decode(b, &a); err == nil {
				_ = shownValue(v)
			}
		}
	})
}

func TestOtherMessagesRefuseWhatIsTooShort(t *testing.T) {
	for n := range 20 {
		b := make([]byte, n)
		for i := range b {
			b[i] = 0xff
		}
		if _, err := parseRelation(&wire{b: b}); !errors.Is(err, errShortMessage) {
			t.Errorf("relation of %d bytes: %v", n, err)
		}
		if _, err := parseTruncate(&wire{b: b}); !errors.Is(err, errShortMessage) {
			t.Errorf("truncate of %d bytes: %v", n, err)
		}
		if _, err := parseBegin(&wire{b: b}); (err == nil) != (n >= 20) {
			t.Errorf("begin of %d bytes: %v", n, err)
		}
	}
}

// nowhere takes changes and does nothing.
type nowhere struct{ changes int }

func (n *nowhere) Emit(*schemas.Change) error        { n.changes++; return nil }
func (*nowhere) Advance(schemas.Version, bool) error { return nil }
func (*nowhere) SetState([]byte) error               { return nil }

// hotReading is a reading with one table of the usual types, compiled, in an open transaction.
func hotReading(out source.Emitter) (*reading, []byte, []byte) {
	types := []uint32{23, 25, 1043, 1700, 1184, 16, 20, 701, 2950, 3802, 1082, 1009}
	table := &schemas.Table{System: systemName, Schema: "public", Name: "orders", ID: 7}
	lay := &layout{table: table, key: []int{0}}
	for i, oid := range types {
		table.Columns = append(table.Columns, schemas.Column{ID: int32(i + 1), Name: fmt.Sprint("c", i), Type: *typeOfOID(oid), Nullable: true})
		lay.columns = append(lay.columns, wireColumn{row: i, decode: textDecoderOf(typeOfOID(oid)), wire: oid, nullable: true})
	}
	table.Columns[0].Key = 1
	rel := &relation{layout: lay, before: make([]schemas.Value, len(types)), after: make([]schemas.Value, len(types))}
	s := &pgSource{tables: map[uint32]bool{7: true}, state: &state{}}
	r := &reading{source: s, out: out, stream: stream{relations: map[uint32]*relation{7: rel}, commit: 1000, open: true}}
	row := tupleBytes(12345678, "some text of a customer", "varchar", "1234567.89", "2024-02-29 12:34:56.789012+00", "t", 9876543210, "0.125",
		"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", `{"a": 1, "b": [1, 2, 3]}`, "2024-02-29", `{one,"two words",three}`)
	insert := append([]byte{'I'}, rowBytes(7, 'N', row)...)
	update := append([]byte{'U'}, rowBytes(7, 'O', row, 'N', row)...)
	return r, insert, update
}

func TestRowsAreHandledWithoutAllocating(t *testing.T) {
	r, insert, update := hotReading(&nowhere{})
	for name, data := range map[string][]byte{"insert": insert, "update": update} {
		handle := func() {
			if err := r.handle(t.Context(), streamMessage{start: 1, data: data}); err != nil {
				t.Fatal(err)
			}
		}
		handle()
		if n := testing.AllocsPerRun(1000, handle); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkInsert(b *testing.B) {
	r, insert, _ := hotReading(&nowhere{})
	b.ReportAllocs()
	b.SetBytes(int64(len(insert)))
	for b.Loop() {
		if err := r.handle(b.Context(), streamMessage{start: 1, data: insert}); err != nil {
			b.Fatal(err)
		}
	}
}

func TestNoticeThatThePublicationIsLeftOutIsAGap(t *testing.T) {
	notice := func(code, message string) []byte {
		b, err := (&pgproto3.NoticeResponse{Severity: "WARNING", Code: code, Message: message}).Encode(nil)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	stream := append(notice("01000", "something else"), notice("55000", `skipped loading publication "p"`)...)
	r := &replication{buf: stream, w: len(stream)}
	_, err := r.receive()
	if err = streamError(err, "s", "p"); failure.Classify(err) != failure.Gap || !strings.Contains(err.Error(), "skipped loading") {
		t.Errorf("got %v, want a gap", err)
	}
}

func typeOfOID(oid uint32) *schemas.Type {
	t := userTypes(nil).columnType(oid, -1)
	return &t
}

func TestBoxesInAnArrayStandBetweenSemicolons(t *testing.T) {
	for _, tc := range []struct {
		form schemas.Form
		text string
		want []string
	}{
		{schemas.FormBox, "{(1,1),(0,0);NULL;(3.5,-1),(2,-7)}", []string{"(1,1),(0,0)", "", "(3.5,-1),(2,-7)"}},
		{schemas.FormPath, `{"((0,0),(1,1))","[(0,0)]"}`, []string{"((0,0),(1,1))", "[(0,0)]"}},
		{"", "{a;b,c}", []string{"a;b", "c"}},
	} {
		v := textDecoderOf(&schemas.Type{Kind: schemas.Array, Elem: &schemas.Type{Kind: schemas.String, Form: tc.form}})([]byte(tc.text), new(schemas.Arena))
		if v.Kind() != schemas.KindArray || len(v.Array()) != len(tc.want) {
			t.Errorf("%s: %v", tc.text, v)
			continue
		}
		for i, elem := range v.Array() {
			if got := string(elem.Bytes()); elem.IsNull() != (tc.want[i] == "") || !elem.IsNull() && got != tc.want[i] {
				t.Errorf("%s, element %d: %q, want %q", tc.text, i, got, tc.want[i])
			}
		}
	}
}
