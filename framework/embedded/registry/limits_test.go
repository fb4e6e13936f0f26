package registry

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// TestHostileSchemasGetAClearError sends what would take memory, stack or time without end.
func TestHostileSchemasGetAClearError(t *testing.T) {
	url, _ := serve(t)
	nested := func(depth int) string {
		return strings.Repeat(`{"type":"array","items":`, depth) + `"int"` + strings.Repeat(`}`, depth)
	}
	var types strings.Builder
	for i := range 5_000 {
		fmt.Fprintf(&types, `{"name":"f%d","type":{"type":"enum","name":"E%d","symbols":["A"]}},`, i, i)
	}
	for _, c := range []struct {
		name, schema, answer string
	}{
		{"5 MB", `{"type":"enum","name":"E","symbols":["A"],"doc":"` + strings.Repeat("x", 5<<20) + `"}`, `{"error_code":42209,`},
		{"1 MB", `{"type":"enum","name":"E","symbols":["A"],"doc":"` + strings.Repeat("x", 1<<20) + `"}`, `{"error_code":42209,`},
		{"more as a record than as text", `{"type":"enum","name":"E","symbols":["A"],"doc":"` + strings.Repeat(`\"`, 400<<10) + `"}`, `{"error_code":42209,`},
		{"arrays in arrays", nested(20_000), `{"error_code":42201,`},
		{"arrays in arrays below the decoder's bound", nested(5_000), `{"error_code":42201,`},
		{"unions in unions", strings.Repeat("[", 300_000), `{"error_code":42201,`},
		{"a record that holds itself", `{"type":"record","name":"R","fields":[{"name":"r","type":"R"}]}`, `{"error_code":42201,`},
		{"records that hold each other", `{"type":"record","name":"A","fields":[{"name":"b","type":{"type":"record","name":"B","fields":[{"name":"a","type":"A"}]}}]}`, `{"error_code":42201,`},
		{"a long namespace times many types", `{"type":"record","name":"R","namespace":"` + strings.Repeat("n", 300_000) + `","fields":[` + types.String()[:types.Len()-1] + `]}`, `{"error_code":42201,`},
		{"a name with a dash", `{"type":"record","name":"my-record","fields":[]}`, `{"error_code":42201,`},
		{"a name that begins with a digit", `{"type":"record","name":"R","fields":[{"name":"1st","type":"int"}]}`, `{"error_code":42201,`},
		{"an empty name", `{"type":"enum","name":"","symbols":["A"]}`, `{"error_code":42201,`},
		{"a namespace with a space", `{"type":"enum","name":"E","namespace":"a b","symbols":["A"]}`, `{"error_code":42201,`},
		{"a symbol with a dash", `{"type":"enum","name":"E","symbols":["a-b"]}`, `{"error_code":42201,`},
		{"a name that is used before its definition", `{"type":"record","name":"R","fields":[{"name":"a","type":"E"},{"name":"b","type":{"type":"enum","name":"E","symbols":["A"]}}]}`, `{"error_code":42201,`},
		{"a type that is spread over its field", `{"type":"record","name":"R","fields":[{"name":"a","type":"enum","symbols":["A"]}]}`, `{"error_code":42201,`},
		{"two fields of one name", `{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"a","type":"int"}]}`, `{"error_code":42201,`},
		{"a default of another type", `{"type":"record","name":"R","fields":[{"name":"a","type":"int","default":"x"}]}`, `{"error_code":42201,`},
		{"a negative size", `{"type":"fixed","name":"F","size":-1}`, `{"error_code":42201,`},
		{"text after the schema", `"int" "long"`, `{"error_code":42201,`},
		{"no JSON", "record R", `{"error_code":42201,`},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, path := range []string{"/subjects/s/versions", "/subjects/s", "/compatibility/subjects/s/versions/latest"} {
				status, answer := ask(t, "POST", url+path, body(c.schema))
				if status != 422 || !strings.HasPrefix(answer, c.answer) || len(answer) > 2000 {
					// A lookup and a check write nothing: what is too large as a record only is no error for them.
					if path != "/subjects/s/versions" && strings.HasPrefix(c.name, "more as a record") {
						continue
					}
					t.Errorf("%s: %d %.300s (%d bytes), want 422 %s", path, status, answer, len(answer), c.answer)
				}
			}
		})
	}
	converse(t, url, []step{{"GET", "/subjects", "", 200, `[]`}})
}

func TestSchemasThatRecurThroughAUnionAreFine(t *testing.T) {
	url, _ := serve(t)
	list := `{"type":"record","name":"L","fields":[{"name":"next","type":["null","L"],"default":null}]}`
	longer := `{"type":"record","name":"L","fields":[{"name":"next","type":["null","L"],"default":null},{"name":"n","type":"int","default":0}]}`
	converse(t, url, []step{
		{"POST", "/subjects/s/versions", body(list), 200, `{"id":1}`},
		{"POST", "/subjects/s/versions", body(longer), 200, `{"id":2}`},
	})
}

// TestTheLargestSchemaTakesBoundedMemory registers a schema of nearly the size that is taken, made of many types.
func TestTheLargestSchemaTakesBoundedMemory(t *testing.T) {
	var fields strings.Builder
	for i := 0; fields.Len() < 600<<10; i++ {
		fmt.Fprintf(&fields, `{"name":"f%d","type":{"type":"enum","name":"E%d","symbols":["A"]}},`, i, i)
	}
	text := `{"type":"record","name":"R","namespace":"` + strings.Repeat("n", 500) + `","fields":[` + fields.String()[:fields.Len()-1] + `]}`
	url, _ := serve(t)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range 3 {
		if status, answer := ask(t, "POST", url+"/subjects/s/versions", body(text)); status != 200 {
			t.Fatalf("%d %.300s", status, answer)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	t.Logf("%d KiB of schema, registered three times: %d MiB allocated, %d MiB kept", len(text)>>10, (after.TotalAlloc-before.TotalAlloc)>>20, (int64(after.HeapAlloc)-int64(before.HeapAlloc))>>20)
	if kept := int64(after.HeapAlloc) - int64(before.HeapAlloc); kept > 64<<20 {
		t.Errorf("%d MiB are kept", kept>>20)
	}
}
