package postgres

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/source"
	"github.com/syncline-io/syncline/schemas"
)

// tupleBytes writes values as pgoutput does; nil is null, "u" alone is unchanged, bytes are a binary form.
func tupleBytes(values ...any) []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(len(values)))
	for _, v := range values {
		switch v := v.(type) {
		case nil:
			b = append(b, 'n')
		case rune:
			b = append(b, 'u')
		case []byte:
			b = append(b, 'b')
			b = binary.BigEndian.AppendUint32(b, uint32(len(v)))
			b = append(b, v...)
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
	f.Add(byte('U'), rowBytes(7, 'K', tupleBytes([]byte{0, 0, 0, 1}, nil), 'N', tupleBytes([]byte{0, 0, 0, 2}, 'u')))
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

// FuzzBinaryDecoders gives every decoder of a binary form any bytes, and the printers' text to the text's decoder: what can be
// printed is decoded from its text to the same value.
func FuzzBinaryDecoders(f *testing.F) {
	array := func(elem byte, rest ...byte) []byte {
		return append([]byte{0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, elem}, rest...)
	}
	for _, b := range [][]byte{
		{0, 1, 0, 0, 0x40, 0, 0, 2, 0, 5},
		{0, 1, 0x7f, 0xff, 0, 0, 0xff, 0xff, 0, 5},
		[]byte("\x01{}"),
		{0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe},
		{0, 1, 0x31, 0x30, 0, 0, 0x30, 0x30, 0x30, 0x30}, // a word of five digits
		array(23, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 7, 0xff, 0xff, 0xff, 0xff), array(25, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, '"'),
		{2, 24, 0, 4, 10, 0, 0, 1},
		{3, 128, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 1, 2, 3, 4},
		{2, 0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 2},
		{0, 0, 0, 1, 'a', 0, 0, 1, 0x40, 3},
		{0, 0, 0, 7, 0xfe},
	} {
		for _, oid := range []uint32{1700, 3802, 1184, 1007, 1009, 869, 3904, 3614, 1266} {
			f.Add(oid, b)
		}
	}
	for oid := range binaryForms {
		f.Add(oid, []byte{0, 0, 0, 7})
	}
	var a, other schemas.Arena
	f.Fuzz(func(t *testing.T, oid uint32, b []byte) {
		a.Reset()
		other.Reset()
		typ := typeOfOID(oid)
		decode, _ := binaryDecoderOf(oid, typ, nil)
		if decode == nil {
			return
		}
		v, err := decode(b, &a)
		if err == nil {
			_ = shownValue(v)
		}
		form := binaryForms[oid]
		if form.text == nil || err != nil {
			return
		}
		text, err := form.text(nil, b)
		if err != nil {
			return
		}
		if again := textDecoderOf(typ)(text, &other); again.Kind() == v.Kind() && !sameValue(again, v) {
			t.Fatalf("type %d: %x is %s, and its text %q is %s", oid, b, shownValue(v), text, shownValue(again))
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

// hotTypes are those of hotReading's table; hotText and hotBinary are a row of it as the server sends it.
var (
	hotTypes = []uint32{23, 25, 1043, 1700, 1184, 16, 20, 701, 2950, 3802, 1082, 1009, 869}
	hotText  = tupleBytes(12345678, "some text of a customer", "varchar", "1234567.89", "2024-02-29 12:34:56.789012+00", "t", 9876543210, "0.125",
		"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", `{"a": 1, "b": [1, 2, 3]}`, "2024-02-29", `{one,"two words",three}`, "10.0.0.0/24")
	hotBinary = tupleBytes(hexed("00bc614e"), []byte("some text of a customer"), []byte("varchar"), hexed("0003000100000002"+"007b11d722c4"), hexed("0002b58341728614"), []byte{1},
		hexed("000000024cb016ea"), hexed("3fc0000000000000"), hexed("a0eebc999c0b4ef8bb6d6bb9bd380a11"), []byte("\x01"+`{"a": 1, "b": [1, 2, 3]}`), hexed("00002279"),
		hexed("00000001"+"00000000"+"00000019"+"00000003"+"00000001"+"00000003"+"6f6e65"+"00000009"+"74776f20776f726473"+"00000005"+"7468726565"), hexed("02180004"+"0a000000"))
)

func hexed(text string) []byte {
	b, err := hex.DecodeString(text)
	if err != nil {
		panic(err)
	}
	return b
}

// hotReading is a reading with one table of the usual types, compiled, in an open transaction, and an insert and an update
// of the row.
func hotReading(out source.Emitter, row []byte) (r *reading, insert, update []byte) {
	table := &schemas.Table{System: systemName, Schema: "public", Name: "orders", ID: 7, Identity: schemas.IdentityFull}
	lay := &layout{table: table, key: []int{0}}
	for i, oid := range hotTypes {
		typ := typeOfOID(oid)
		table.Columns = append(table.Columns, schemas.Column{ID: int32(i + 1), Name: fmt.Sprint("c", i), Type: *typ, Nullable: true})
		c := wireColumn{row: i, decode: textDecoderOf(typ), wire: oid, nullable: true}
		c.binary, c.partial = binaryDecoderOf(oid, typ, nil)
		lay.columns = append(lay.columns, c)
	}
	table.Columns[0].Key = 1
	rel := &relation{layout: lay, before: make([]schemas.Value, len(hotTypes)), after: make([]schemas.Value, len(hotTypes))}
	s := &pgSource{tables: map[uint32]bool{7: true}, state: &state{}}
	r = &reading{source: s, out: out, stream: stream{relations: map[uint32]*relation{7: rel}, commit: 1000, open: true}}
	insert = append([]byte{'I'}, rowBytes(7, 'N', row)...)
	update = append([]byte{'U'}, rowBytes(7, 'O', row, 'N', row)...)
	return r, insert, update
}

func TestRowsAreHandledWithoutAllocating(t *testing.T) {
	rows := map[string]string{}
	for form, row := range map[string][]byte{"text": hotText, "binary": hotBinary} {
		r, insert, update := hotReading(&nowhere{}, row)
		for name, data := range map[string][]byte{"insert": insert, "update": update} {
			handle := func() {
				if err := r.handle(t.Context(), streamMessage{start: 1, data: data}); err != nil {
					t.Fatal(err)
				}
			}
			handle()
			rows[form] = shownRow(r.change.After)
			if n := testing.AllocsPerRun(1000, handle); n != 0 {
				t.Errorf("%s of %s: %v allocations", name, form, n)
			}
		}
	}
	if rows["text"] != rows["binary"] {
		t.Errorf("the row is %s as text and %s in binary", rows["text"], rows["binary"])
	}
}

// BenchmarkInsert reads one row of the usual types, up to the emitter.
func BenchmarkInsert(b *testing.B) {
	for _, form := range []struct {
		name string
		row  []byte
	}{{"text", hotText}, {"binary", hotBinary}} {
		b.Run(form.name, func(b *testing.B) {
			r, insert, _ := hotReading(&nowhere{}, form.row)
			b.ReportAllocs()
			b.SetBytes(int64(len(insert)))
			for b.Loop() {
				if err := r.handle(b.Context(), streamMessage{start: 1, data: insert}); err != nil {
					b.Fatal(err)
				}
			}
		})
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
