package schemas

import (
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/linkedin/goavro/v2"
)

// Parts of the schemas that Debezium's versions register, put together as the versions do.
const (
	// The row of an inventory table, in which a sequence, a function and a literal are defaults.
	dbzRow = `{"type":"record","name":"Value","fields":[{"name":"id","type":{"type":"int","connect.default":0},"default":0},{"name":"email","type":["null","string"],"default":null},` +
		`{"name":"state","type":[{"type":"string","connect.default":"new"},"null"],"default":"new"},` +
		`{"name":"created_at","type":[{"type":"long","connect.version":1,"connect.default":0,"connect.name":"io.debezium.time.MicroTimestamp"},"null"],"default":0},` +
		`{"name":"price","type":["null",{"type":"bytes","scale":2,"precision":10,"connect.version":1,"connect.parameters":{"scale":"2","connect.decimal.precision":"10"},"connect.name":"org.apache.kafka.connect.data.Decimal","logicalType":"decimal"}],"default":null}],"connect.name":"srv.public.users.Value"}`
	dbzRows        = `{"name":"before","type":["null",` + dbzRow + `],"default":null},{"name":"after","type":["null","Value"],"default":null}`
	dbzSourceHead  = `{"name":"version","type":"string"},{"name":"connector","type":"string"},{"name":"name","type":"string"},{"name":"ts_ms","type":"long"}`
	dbzSnapshot    = `{"name":"snapshot","type":[{"type":"string","connect.version":1,"connect.parameters":{"allowed":"true,last,false,incremental"},"connect.default":"false","connect.name":"io.debezium.data.Enum"},"null"],"default":"false"}`
	dbzBlock       = `[{"name":"id","type":"string"},{"name":"total_order","type":"long"},{"name":"data_collection_order","type":"long"}]`
	dbzFineTimes   = `{"name":"ts_us","type":["null","long"],"default":null},{"name":"ts_ns","type":["null","long"],"default":null}`
	dbzOp          = `{"name":"op","type":"string"}`
	dbzTime        = `{"name":"ts_ms","type":["null","long"],"default":null}`
	dbzTransaction = `{"name":"transaction","type":["null",{"type":"record","name":"block","namespace":"event","fields":` + dbzBlock + `,"connect.version":1,"connect.name":"event.block"}],"default":null}`
	// Before blocks had a name of their own, the converter gave them one.
	dbzOldTransaction = `{"name":"transaction","type":["null",{"type":"record","name":"ConnectDefault","namespace":"io.confluent.connect.avro","fields":` + dbzBlock + `}],"default":null}`
)

func dbzSource(connector string, fields ...string) string {
	return `{"name":"source","type":{"type":"record","name":"Source","namespace":"io.debezium.connector.` + connector + `","fields":[` + strings.Join(fields, ",") + `],"connect.name":"io.debezium.connector.` + connector + `.Source"}}`
}

func dbzEnvelope(fields ...string) string {
	return `{"type":"record","name":"Envelope","namespace":"srv.public.users","fields":[` + strings.Join(fields, ",") + `],"connect.name":"srv.public.users.Envelope"}`
}

func dbzPostgres(more ...string) string {
	return dbzSource("postgresql", append([]string{
		dbzSourceHead, dbzSnapshot, `{"name":"db","type":"string"},{"name":"sequence","type":["null","string"],"default":null}`,
		`{"name":"schema","type":"string"},{"name":"table","type":"string"},{"name":"txId","type":["null","long"],"default":null},{"name":"lsn","type":["null","long"],"default":null},{"name":"xmin","type":["null","long"],"default":null}`,
	}, more...)...)
}

func TestEnvelopesOfDebeziumsVersionsAreRead(t *testing.T) {
	long := func(v int64) any { return inUnion("long", v) }
	row := func() map[string]any {
		return map[string]any{"id": 7, "email": inUnion("string", "a@b"), "state": nil, "created_at": long(1_700_000_000_123_456), "price": nil}
	}
	source := func(connector string, more map[string]any) map[string]any {
		out := map[string]any{"version": "x", "connector": connector, "name": "srv", "ts_ms": int64(1_700_000_000_123), "snapshot": inUnion("string", "last"), "db": "d"}
		for k, v := range more {
			out[k] = v
		}
		return out
	}
	postgres := map[string]any{"sequence": inUnion("string", `["11","22"]`), "schema": "public", "table": "users", "txId": long(5), "lsn": long(22), "xmin": nil}
	mysql := map[string]any{"sequence": nil, "table": inUnion("string", "users"), "server_id": int64(1), "gtid": nil, "file": "binlog.1", "pos": int64(4), "row": 0, "thread": long(9), "query": nil}
	mysqlFields := `{"name":"db","type":"string"},{"name":"sequence","type":["null","string"],"default":null},{"name":"table","type":["null","string"],"default":null},{"name":"server_id","type":"long"},` +
		`{"name":"gtid","type":["null","string"],"default":null},{"name":"file","type":"string"},{"name":"pos","type":"long"},{"name":"row","type":"int"},{"name":"thread","type":["null","long"],"default":null},{"name":"query","type":["null","string"],"default":null}`
	with := func(base map[string]any, k string, v any) map[string]any {
		out := map[string]any{k: v}
		for k, v := range base {
			out[k] = v
		}
		return out
	}
	for _, tc := range []struct {
		name, schema string
		source       map[string]any
		more         map[string]any
		system       string
		want         Origin
	}{
		{
			"1.9 PostgreSQL", dbzEnvelope(dbzRows, dbzPostgres(), dbzOp, dbzTime, dbzOldTransaction), source("postgresql", postgres), nil, "postgresql",
			Origin{Time: 1_700_000_000_123_000, TxID: 5, LSN: 22, LastCommit: 11, Snapshot: SnapshotLast},
		},
		{
			"2.5 PostgreSQL", dbzEnvelope(dbzRows, dbzPostgres(), dbzOp, dbzTime, dbzTransaction), source("postgresql", postgres), nil, "postgresql",
			Origin{Time: 1_700_000_000_123_000, TxID: 5, LSN: 22, LastCommit: 11, Snapshot: SnapshotLast},
		},
		{
			"2.6 PostgreSQL, with fine times", dbzEnvelope(dbzRows, dbzPostgres(dbzFineTimes), dbzTransaction, dbzOp, dbzTime, dbzFineTimes),
			with(with(source("postgresql", postgres), "ts_us", long(1_700_000_000_123_456)), "ts_ns", long(1_700_000_000_123_456_789)),
			map[string]any{"ts_us": nil, "ts_ns": nil},
			"postgresql",
			Origin{Time: 1_700_000_000_123_456, TxID: 5, LSN: 22, LastCommit: 11, Snapshot: SnapshotLast},
		},
		{
			"3.7 PostgreSQL", dbzEnvelope(dbzRows, dbzPostgres(dbzFineTimes, `{"name":"origin","type":["null","string"],"default":null},{"name":"origin_lsn","type":["null","long"],"default":null}`), dbzTransaction, dbzOp, dbzTime, dbzFineTimes),
			with(with(with(with(source("postgresql", postgres), "ts_us", long(1)), "ts_ns", long(1000)), "origin", inUnion("string", "peer")), "origin_lsn", long(3)),
			map[string]any{"ts_us": nil, "ts_ns": nil},
			"postgresql",
			Origin{Time: 1, TxID: 5, LSN: 22, LastCommit: 11, Snapshot: SnapshotLast, ReplicationOrigin: "peer"},
		},
		{
			"1.9 MySQL", dbzEnvelope(dbzRows, dbzSource("mysql", dbzSourceHead, dbzSnapshot, mysqlFields), dbzOp, dbzTime, dbzOldTransaction), source("mysql", mysql), nil, "mysql",
			Origin{Time: 1_700_000_000_123_000, Snapshot: SnapshotLast},
		},
		{
			"a snapshot mark that is a boolean", dbzEnvelope(dbzRows, dbzSource("mysql", dbzSourceHead, `{"name":"snapshot","type":["null","boolean"],"default":null}`, mysqlFields), dbzOp, dbzTime, dbzOldTransaction),
			with(source("mysql", mysql), "snapshot", nil), nil, "mysql",
			Origin{Time: 1_700_000_000_123_000, Snapshot: SnapshotTrue},
		},
		{
			"a snapshot mark that is an enum", dbzEnvelope(dbzRows, dbzSource("mysql", dbzSourceHead, `{"name":"snapshot","type":{"type":"enum","name":"Mark","symbols":["false","true","last"]}}`, mysqlFields), dbzOp, dbzTime, dbzOldTransaction),
			with(source("mysql", mysql), "snapshot", nil), nil, "mysql",
			Origin{Time: 1_700_000_000_123_000, Snapshot: SnapshotLast},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			switch {
			case strings.HasSuffix(tc.name, "boolean"):
				tc.source["snapshot"] = inUnion("boolean", true)
			case strings.HasSuffix(tc.name, "enum"):
				tc.source["snapshot"] = "last"
			}
			native := map[string]any{"before": nil, "after": inUnion("srv.public.users.Value", row()), "source": tc.source, "op": "r", "ts_ms": long(1), "transaction": nil}
			for k, v := range tc.more {
				native[k] = v
			}
			d, c := decodeNative(t, tc.schema, native)
			if c.Op != Read || c.Source != tc.want || d.Table().System != tc.system {
				t.Errorf("%c of %q, %+v; want r of %q, %+v", c.Op, d.Table().System, c.Source, tc.system, tc.want)
			}
			want := &Table{System: tc.system, Schema: "public", Name: "users", Identity: IdentityKey, Columns: []Column{
				{Name: "id", Type: kind(Int32)},
				{Name: "email", Type: kind(String), Nullable: true},
				{Name: "state", Type: kind(String), Nullable: true, Default: "'new'"},
				{Name: "created_at", Type: digits(Timestamp, 6), Nullable: true},
				{Name: "price", Type: numeric(10, 2), Nullable: true},
			}}
			if diff := cmp.Diff(want, d.Table()); diff != "" {
				t.Error(diff)
			}
			if got, want := texted(d.Table(), c.After), "7 a@b NULL 2023-11-14 22:13:20.123456 NULL"; got != want {
				t.Errorf("%s, want %s", got, want)
			}
		})
	}
}

// decodeNative has goavro write a value and reads it.
func decodeNative(t *testing.T, schema string, native any) (*Decoder, *Change) {
	t.Helper()
	codec, err := goavro.NewCodec(schema)
	if err != nil {
		t.Fatal(err)
	}
	body, err := codec.BinaryFromNative(nil, native)
	if err != nil {
		t.Fatal(err)
	}
	d, err := NewDecoder(schema, nil)
	if err != nil {
		t.Fatal(err)
	}
	var c Change
	if err := d.Decode(body, &c, new(Arena)); err != nil {
		t.Fatal(err)
	}
	return d, &c
}

func texted(t *Table, row []Value) string {
	var out []string
	for i, v := range row {
		if v.IsNull() {
			out = append(out, "NULL")
			continue
		}
		out = append(out, string(AppendText(nil, &t.Columns[i].Type, v)))
	}
	return strings.Join(out, " ")
}

func TestRowsOfFlinkAndOfPlainProducersAreRead(t *testing.T) {
	// As Flink's avro-confluent registers (id BIGINT NOT NULL, at TIMESTAMP(3), since TIMESTAMP_LTZ(6), day DATE, t TIME,
	// price DECIMAL(10,2), tags ARRAY<STRING>, address ROW<city STRING, zip INT>, attrs MAP<STRING, STRING>), with
	// avro.timestamp_mapping.legacy=false; "record" is its name for every row.
	flink := `{"type":"record","name":"record","namespace":"org.apache.flink.avro.generated","fields":[{"name":"id","type":"long"},` +
		`{"name":"at","type":["null",{"type":"long","logicalType":"local-timestamp-millis"}],"default":null},{"name":"since","type":["null",{"type":"long","logicalType":"timestamp-micros"}],"default":null},` +
		`{"name":"day","type":["null",{"type":"int","logicalType":"date"}],"default":null},{"name":"t","type":["null",{"type":"int","logicalType":"time-millis"}],"default":null},` +
		`{"name":"price","type":["null",{"type":"bytes","logicalType":"decimal","precision":10,"scale":2}],"default":null},{"name":"tags","type":["null",{"type":"array","items":["null","string"]}],"default":null},` +
		`{"name":"address","type":["null",{"type":"record","name":"record_address","fields":[{"name":"city","type":["null","string"],"default":null},{"name":"zip","type":["null","int"],"default":null}]}],"default":null},` +
		`{"name":"attrs","type":["null",{"type":"map","values":["null","string"]}],"default":null}]}`
	d, err := NewDecoder(flink, nil)
	if err != nil {
		t.Fatal(err)
	}
	body := appendLong(nil, 1<<40)
	body = appendLong(append(body, 2), 1_700_000_000_123)
	body = appendLong(append(body, 2), 1_700_000_000_123_456)
	body = appendLong(append(body, 2), 17109)
	body = appendLong(append(body, 2), 49890124)
	body = append(body, 2, 4, 0x04, 0xd2)
	body = append(body, 2, 4, 2, 2, 'x', 0, 0)
	body = append(body, 2, 2, 2, 'B', 0)
	body = append(body, 2, 2, 2, 'k', 2, 2, 'v', 0)
	var c Change
	if err := d.Decode(body, &c, new(Arena)); err != nil {
		t.Fatal(err)
	}
	want := "1099511627776 2023-11-14 22:13:20.123 2023-11-14 22:13:20.123456+00 2016-11-04 13:51:30.124 12.34 {x,NULL} " + `{"city":"B","zip":null} {"k":"v"}`
	if got := texted(d.Table(), c.After); got != want || c.Op != Create || !d.Bare() || d.Table().Name != "" {
		t.Errorf("%c %q: %s, want %s", c.Op, d.Table().Name, got, want)
	}

	plain := `{"type":"record","name":"Order","namespace":"com.shop","doc":"an order","fields":[{"name":"id","type":{"type":"string","avro.java.string":"String"}},` +
		`{"name":"state","type":{"type":"enum","name":"State","symbols":["NEW","PAID"],"default":"NEW"},"default":"PAID"},{"name":"amount","type":"double","default":1.5,"aliases":["total"]},` +
		`{"name":"note","type":["string","null"],"default":"it's"},{"name":"ref","type":["null","long","string"],"default":null},{"name":"lines","type":{"type":"array","items":` +
		`{"type":"record","name":"Line","fields":[{"name":"sku","type":"string"},{"name":"price","type":{"type":"bytes","logicalType":"decimal","precision":6,"scale":2}},{"name":"due","type":{"type":"int","logicalType":"date"}}]}}},` +
		`{"name":"odd","type":{"type":"long","logicalType":"of-nobody"},"default":9},{"name":"bad","type":{"type":"bytes","logicalType":"decimal","precision":2,"scale":4},"default":"\u00ff"},{"name":"hash","type":{"type":"fixed","name":"Hash","size":2}}]}`
	codec, err := goavro.NewCodec(strings.Replace(plain, `"logicalType":"decimal","precision":2,"scale":4`, `"x":1`, 1))
	if err != nil {
		t.Fatal(err)
	}
	order, _, err := codec.NativeFromTextual([]byte(`{"id":"o1","state":"PAID","amount":2.5,"note":{"string":"n"},"ref":{"string":"r"},"lines":[],"odd":5,"bad":"\u0001","hash":"ab"}`))
	if err != nil {
		t.Fatal(err)
	}
	order.(map[string]any)["lines"] = []any{map[string]any{"sku": "s", "price": big.NewRat(1234, 100), "due": time.Unix(17109*86400, 0).UTC()}}
	if body, err = codec.BinaryFromNative(nil, order); err != nil {
		t.Fatal(err)
	}
	if d, err = NewDecoder(plain, nil); err != nil {
		t.Fatal(err)
	}
	if err := d.Decode(body, &c, new(Arena)); err != nil {
		t.Fatal(err)
	}
	want = `o1 PAID 2.5 n "r" ` + `{"{\"sku\":\"s\",\"price\":12.34,\"due\":\"2016-11-04\"}"} 5 \x01 \x6162`
	if got := texted(d.Table(), c.After); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	var defaults []string
	for _, c := range d.Table().Columns {
		defaults = append(defaults, c.Type.String()+" "+c.Default)
	}
	if diff := cmp.Diff([]string{"string ", "enum 'PAID'", "float64 '1.5'", "string 'it''s'", "json ", "array of json ", "int64 '9'", `bytes '\xff'`, "bytes "}, defaults); diff != "" {
		t.Error(diff)
	}
}

func TestFieldsAreFoundByTheNameThatTheyHad(t *testing.T) {
	schema := `{"type":"record","name":"V","fields":[{"name":"total","type":"int","aliases":["amount"]},{"name":"note","type":"string"},{"name":"other","type":"string","aliases":["note"]}]}`
	d, err := NewDecoder(schema, table("s", "t", col("amount", kind(Float64)), col("note", kind(String))))
	if err != nil {
		t.Fatal(err)
	}
	var c Change
	if err := d.Decode([]byte{14, 2, 'a', 2, 'b'}, &c, new(Arena)); err != nil {
		t.Fatal(err)
	}
	if got := texted(d.Table(), c.After); got != "7 a" {
		t.Errorf("%s, want 7 a", got)
	}
}

func TestAnAliasOfSeveralFieldsIsNone(t *testing.T) {
	for _, tc := range []struct{ fields, want string }{
		{`{"name":"a","type":"int","aliases":["x"]},{"name":"b","type":"int","aliases":["x"]}`, "NULL"},
		{`{"name":"a","type":"int","aliases":["x","y"]},{"name":"b","type":"int","aliases":["x","x"]}`, "NULL"},
		{`{"name":"a","type":"int","aliases":["x","x"]},{"name":"b","type":"int","aliases":["y"]}`, "1"},
		{`{"name":"a","type":"int","aliases":["b","x"]},{"name":"b","type":"int"}`, "1"},
		{`{"name":"a","type":"int","aliases":["x"]},{"name":"x","type":"int","aliases":["a"]}`, "4"},
	} {
		d, err := NewDecoder(`{"type":"record","name":"V","fields":[`+tc.fields+`]}`, table("s", "t", col("x", kind(Int32))))
		if err != nil {
			t.Fatal(err)
		}
		var c Change
		if err := d.Decode([]byte{2, 8}, &c, new(Arena)); err != nil {
			t.Fatal(err)
		}
		if got := texted(d.Table(), c.After); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.fields, got, tc.want)
		}
	}
}

func TestABranchOfAUnionBecomesTheColumnsType(t *testing.T) {
	union := plainRow(`["null","int","string",{"type":"record","name":"R","fields":[{"name":"n","type":"int"}]}]`)
	for _, tc := range []struct {
		column Kind
		body   []byte
		want   string
	}{
		{String, []byte{0}, "NULL"},
		{Int64, []byte{0}, "NULL"},
		{JSON, []byte{0}, "NULL"},
		{String, []byte{4, 6, 'a', 'b', 'c'}, "abc"},
		{JSON, []byte{4, 6, 'a', 'b', 'c'}, `"abc"`},
		{String, []byte{2, 10}, "5"},
		{Int64, []byte{2, 10}, "5"},
		{Int64, []byte{4, 2, '7'}, "7"},
		{String, []byte{6, 10}, `{"n":5}`},
		{Int64, []byte{4, 2, 'a'}, errText.Error()},
		{String, []byte{8}, errBranch.Error()},
	} {
		for _, array := range []bool{false, true} {
			elem := kind(tc.column)
			schema, columnType, body := union, elem, tc.body
			if array {
				schema = strings.Replace(union, `"type":[`, `"type":{"type":"array","items":[`, 1)
				schema = strings.TrimSuffix(schema, "}]}") + "}}]}"
				columnType, body = Type{Kind: Array, Elem: &elem}, append(append([]byte{2}, body...), 0)
			}
			d, err := NewDecoder(schema, table("s", "t", col("c", columnType)))
			if err != nil {
				t.Fatal(err)
			}
			var c Change
			err = d.Decode(body, &c, new(Arena))
			if err != nil {
				if !strings.HasSuffix(err.Error(), tc.want) {
					t.Errorf("%v of % x: %v, want %s", columnType, body, err, tc.want)
				}
				continue
			}
			row := c.After
			if array {
				row = row[0].Array()
			}
			if got := texted(table("s", "t", col("c", kind(tc.column))), row); got != tc.want {
				t.Errorf("%v of % x: %s, want %s", columnType, body, got, tc.want)
			}
		}
	}
}

func TestManyAliasesTakeLittleTime(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"type":"record","name":"R","fields":[{"name":"z","type":"int","aliases":["b"` + strings.Repeat(`,"b"`, 250_000) + `]}`)
	for i := range 60_000 {
		fmt.Fprintf(&b, `,{"name":"a%05d","type":"int"}`, i)
	}
	b.WriteString(`]}`)
	began := time.Now()
	if _, err := NewDecoder(b.String(), table("s", "t", col("b", kind(Int32)))); err != nil {
		t.Fatal(err)
	}
	// A bound with much room: a look at every field for each alias takes minutes.
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("%v for %d bytes", took, b.Len())
	}
}

func TestFormsThatAvroHasMoreThanOneOf(t *testing.T) {
	for _, tc := range []struct {
		schema string
		body   []byte
		want   string
		kind   Kind
	}{
		{`{"type":"fixed","name":"F","size":16,"logicalType":"uuid"}`, []byte("\xa0\xee\xbc\x99\x9c\x0b\x4e\xf8\xbb\x6d\x6b\xb9\xbd\x38\x0a\x11"), "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", UUID},
		{`{"type":"fixed","name":"F","size":12,"logicalType":"duration"}`, []byte{1, 0, 0, 0, 2, 0, 0, 0, 0xe8, 3, 0, 0}, "P1M2DT1S", Interval},
		{`{"type":"fixed","name":"F","size":12,"logicalType":"duration"}`, []byte{255, 255, 255, 255, 2, 0, 0, 0, 0xe8, 3, 0, 0}, "P4294967295M2DT1.000S", Interval},
		{`{"type":"bytes","logicalType":"big-decimal"}`, []byte{8, 4, 0x04, 0xd2, 6}, "1.234", Decimal},
		{`{"type":"long","logicalType":"timestamp-nanos"}`, appendLong(nil, 1_000_001_000), "1970-01-01 00:00:01.000001+00", TimestampTZ},
		{`{"type":"long","logicalType":"local-timestamp-nanos"}`, appendLong(nil, -1), "1969-12-31 23:59:59.999999", Timestamp},
		{`{"type":"long","logicalType":"local-timestamp-millis"}`, appendLong(nil, 1), "1970-01-01 00:00:00.001", Timestamp},
		{`{"type":"long","connect.name":"io.debezium.time.MicroTime"}`, appendLong(nil, -3_600_000_001), "-01:00:00.000001", Time},
		{`{"type":"long","connect.name":"io.debezium.time.NanoTime"}`, appendLong(nil, 838*3600*1e9), "838:00:00", Time},
		{`{"type":"int","connect.name":"io.debezium.time.Year"}`, appendLong(nil, 2025), "2025", Int32},
		{`{"type":"string","connect.name":"io.debezium.data.EnumSet"}`, appendBytes(nil, "a,b"), "a,b", String},
		{`{"type":"bytes","logicalType":"decimal","precision":2,"scale":4}`, []byte{2, 1}, `\x01`, Bytes},
		{`{"type":"bytes","logicalType":"decimal"}`, []byte{2, 1}, `\x01`, Bytes},
		{`{"type":"int","logicalType":"timestamp-micros"}`, appendLong(nil, 5), "5", Int32},
		{`["string"]`, []byte{0, 2, 'a'}, "a", String},
		{`{"type":"array","items":{"type":"array","items":"int"}}`, []byte{2, 4, 2, 4, 0, 0}, "[[1,2]]", JSON},
		{`{"type":"array","items":["null","int","string"]}`, []byte{6, 0, 2, 4, 4, 2, 'a', 0}, `{NULL,2,"\"a\""}`, Array},
		{`{"type":"record","name":"Node","fields":[{"name":"v","type":"int"},{"name":"next","type":["null","Node"]}]}`, []byte{2, 2, 4, 0}, `{"v":1,"next":{"v":2,"next":null}}`, JSON},
		{`{"type":"map","values":` + variableScaleDecimal + `}`, []byte{2, 2, 'a', 2, 2, 11, 0}, `{"a":1.1}`, JSON},
		{`{"type":"record","name":"R","fields":[{"name":"t","type":{"type":"long","logicalType":"timestamp-micros"}},{"name":"u","type":["null",{"type":"string","logicalType":"uuid"}]}]}`, []byte{2, 0}, `{"t":"1970-01-01 00:00:00.000001+00","u":null}`, JSON},
	} {
		d, err := NewDecoder(`{"type":"record","name":"V","fields":[{"name":"c","type":`+tc.schema+`}]}`, nil)
		if err != nil {
			t.Errorf("%s: %v", tc.schema, err)
			continue
		}
		var c Change
		if err := d.Decode(tc.body, &c, new(Arena)); err != nil {
			t.Errorf("%s: %v", tc.schema, err)
			continue
		}
		typ := &d.Table().Columns[0].Type
		if got := string(AppendText(nil, typ, c.After[0])); got != tc.want || typ.Kind != tc.kind {
			t.Errorf("%s: %s %v, want %s %v", tc.schema, got, typ, tc.want, tc.kind)
		}
	}
}

func TestWritersTypesArePromotedAsAvroSays(t *testing.T) {
	for _, tc := range []struct {
		avro string
		body []byte
		to   Kind
		want string // "" for an error
	}{
		{`"int"`, appendLong(nil, 7), Int64, "7"},
		{`"int"`, appendLong(nil, 7), Float32, "7"},
		{`"long"`, appendLong(nil, 7), Float64, "7"},
		{`"float"`, []byte{0, 0, 0xc0, 0x3f}, Float64, "1.5"},
		{`"string"`, appendBytes(nil, "ab"), Bytes, `\x6162`},
		{`"bytes"`, appendBytes(nil, "ab"), String, "ab"},
		{`"bytes"`, appendBytes(nil, "\xff"), String, ""},
		{`{"type":"enum","name":"E","symbols":["a","b"]}`, []byte{2}, String, "b"},
		{`["string","null"]`, append([]byte{0}, appendBytes(nil, "ab")...), Bytes, `\x6162`},
	} {
		d, err := NewDecoder(`{"type":"record","name":"V","fields":[{"name":"c","type":`+tc.avro+`}]}`, table("s", "t", col("c", kind(tc.to))))
		if err != nil {
			t.Errorf("%s: %v", tc.avro, err)
			continue
		}
		var c Change
		if err := d.Decode(tc.body, &c, new(Arena)); err != nil {
			if tc.want != "" {
				t.Errorf("%s to %v: %v", tc.avro, tc.to, err)
			}
			continue
		}
		if got := texted(d.Table(), c.After); got != tc.want {
			t.Errorf("%s to %v: %s, want %q", tc.avro, tc.to, got, tc.want)
		}
	}
}
