package schemas

import (
	"strings"
	"testing"
)

func TestTableRecordsComeBackWhole(t *testing.T) {
	for _, want := range capturedTables() {
		want.ID, want.Version = 4711, 1<<40
		key, value, err := AppendTableRecord("conf.o.t", 12, want)
		if err != nil {
			t.Fatal(err)
		}
		k, got, err := ParseTableRecord(key, value)
		if err != nil {
			t.Fatal(err)
		}
		if k != (TableKey{"conf.o.t", 12, 1 << 40}) || !got.SameShape(want) || got.Version != want.Version {
			t.Errorf("%s came back as %+v %+v", want, k, got)
		}
	}
}

func TestTableRecordIsTheDocumentedJSON(t *testing.T) {
	key, value, err := AppendTableRecord("shop.public.orders", 7, table("public", "orders", serial(key(1, col("id", kind(Int32)))), col("total", numeric(10, 2)), col("tags", arrayOf(kind(String)))))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(key), `{"topic":"shop.public.orders","schema_id":7,"version":1}`; got != want {
		t.Errorf("key %s, want %s", got, want)
	}
	want := `{"system":"postgresql","database":"db","schema":"public","name":"orders","version":1,"identity":"key","columns":[` +
		`{"id":1,"name":"id","type":{"kind":"int32"},"source_type":"integer","nullable":false,"default":"nextval('s'::regclass)","generated":true,"key":1},` +
		`{"id":2,"name":"total","type":{"kind":"decimal","precision":10,"scale":2},"source_type":"","nullable":true},` +
		`{"id":3,"name":"tags","type":{"kind":"array","elem":{"kind":"string"}},"source_type":"","nullable":true}]}`
	if string(value) != want {
		t.Errorf("value %s\nwant  %s", value, want)
	}
}

func TestTombstonesOfTheTablesTopicHaveNoTable(t *testing.T) {
	k, tab, err := ParseTableRecord([]byte(`{"topic":"a","schema_id":1,"version":2}`), nil)
	if err != nil || tab != nil || k.Topic != "a" {
		t.Errorf("%+v %v %v", k, tab, err)
	}
}

func TestTableRecordsThatMakeNoSenseAreRefused(t *testing.T) {
	const key = `{"topic":"a","schema_id":1,"version":2}`
	for _, tc := range []struct{ key, value, want string }{
		{`x`, ``, "key"},
		{`{}`, ``, "no topic"},
		{key, `{`, "table of a"},
		{key, `{}`, "no table"},
		{key, `{"name":"t","columns":[{"name":"c","type":{"kind":"float128"}}]}`, `"float128"`},
		{key, `{"name":"t","columns":[{"name":"c","type":{"kind":"array"}}]}`, "element type"},
		{key, `{"name":"t","columns":[{"name":"c","type":{"kind":"bool"},"key":2}]}`, "number 2"},
		{key, `{"name":"t","columns":[{"name":"c","type":{"kind":"bool"},"key":2},{"name":"d","type":{"kind":"bool"}}]}`, "0 columns are number 1"},
		{key, `{"name":"t","columns":[{"name":"c","type":{"kind":"bool"},"key":1},{"name":"d","type":{"kind":"bool"},"key":1}]}`, "2 columns are number 1"},
		{key, `{"name":"t","columns":[{"name":"c","type":{"kind":"timestamp","precision":7}}]}`, "precision 7"},
	} {
		if _, _, err := ParseTableRecord([]byte(tc.key), []byte(tc.value)); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s %s: %v, want %q", tc.key, tc.value, err, tc.want)
		}
	}
}
