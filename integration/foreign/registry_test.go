package foreign

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap/zaptest"

	"github.com/syncline-io/syncline/framework/embedded"
)

// registryCalls are made one after the other on an empty registry. want is the result as JSON gives it, or the registry's
// error: HTTP status and error code, which are Confluent's.
var registryCalls = []struct {
	call string
	want any
}{
	{`client.get_subjects()`, []any{}},
	{`client.get_schema_types()`, []any{"AVRO"}},
	{`client.get_compatibility()`, "BACKWARD"},
	{`client.get_latest_version("s")`, "404 40401"},
	{`client.register_schema("s", record(required))`, 1.0},
	{`client.register_schema("s", record(required))`, 1.0},
	{`client.register_schema("other", record(required))`, 1.0},
	{`client.register_schema("s", record(required, optional))`, 2.0},
	{`client.get_subjects()`, []any{"other", "s"}},
	{`client.get_versions("s")`, []any{1.0, 2.0}},
	{`json.loads(client.get_schema(2).schema_str) == json.loads(record(required, optional).schema_str)`, true},
	{`client.get_schema(77)`, "404 40403"},
	{`client.get_latest_version("s").schema_id`, 2.0},
	{`client.get_version("s", 1).schema_id`, 1.0},
	{`client.get_version("s", 7)`, "404 40402"},
	{`client.get_subjects_by_schema_id(1)`, []any{"other", "s"}},
	{`[(v.subject, v.version) for v in client.get_schema_versions(1)]`, []any{[]any{"other", 1.0}, []any{"s", 1.0}}},
	{`client.lookup_schema("s", record(required)).version`, 1.0},
	{`client.lookup_schema("other", record(required, optional))`, "404 40403"},
	{`client.lookup_schema("none", record(required))`, "404 40401"},
	{`client.test_compatibility("s", record(required, optional))`, true},
	{`client.test_compatibility("s", record(("id", "string", {})))`, false},
	{`client.test_compatibility_all_versions("s", record(required, ("n", "int", {})))`, false},
	{`client.register_schema("s", record(("id", "string", {})))`, "409 409"},
	{`client.register_schema("s", Schema("{", "AVRO"))`, "422 42201"},
	{`client.get_compatibility("s")`, "404 40408"},
	{`client.set_compatibility("s", "NONE")`, map[string]any{"compatibility": "NONE"}},
	{`client.get_compatibility("s")`, "NONE"},
	{`client.get_config("s").compatibility_level`, "NONE"},
	{`client.set_compatibility("s", "SOMETIMES")`, "422 42203"},
	{`client.register_schema("s", record(("id", "string", {})))`, 3.0},
	{`client.set_compatibility(None, "FULL")`, map[string]any{"compatibility": "FULL"}},
	{`client.get_compatibility()`, "FULL"},
	{`client.get_global_mode()`, "READWRITE"},
	{`client.register_schema("base", Schema('{"type":"record","name":"base","fields":[]}', "AVRO"))`, 4.0},
	{`client.register_schema("user", record(("b", "base", {}), references=[SchemaReference("base", "base", 1)]))`, 5.0},
	{`[r.subject for r in client.get_schema(5).references]`, []any{"base"}},
	{`client.get_referenced_by("base", 1)`, []any{5.0}},
	{`client.delete_subject("base")`, "422 42206"},
	{`client.delete_version("s", 3)`, 3.0},
	{`client.get_versions("s")`, []any{1.0, 2.0}},
	{`client.get_versions("s", deleted=True)`, []any{1.0, 2.0, 3.0}},
	{`client.delete_subject("user")`, []any{1.0}},
	{`client.delete_subject("user", permanent=True)`, []any{1.0}},
	{`client.get_subjects()`, []any{"base", "other", "s"}},
	{`client.update_mode("s", "READONLY")`, "READONLY"},
	{`client.register_schema("s", record(optional))`, "422 42205"},
	{`client.set_compatibility("s", "FULL")`, "422 42205"},
	{`client.update_mode("s", "READWRITE")`, "READWRITE"},
	{`client.delete_config("s").compatibility_level`, "NONE"},
	{`client.get_compatibility("s")`, "404 40408"},
}

func TestAStockPythonClientUsesTheEmbeddedRegistry(t *testing.T) {
	server, err := embedded.Start(t.Context(), embedded.Config{Dir: t.TempDir(), Log: zaptest.NewLogger(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	args := []string{"registry_client.py", server.RegistryURL()}
	for _, c := range registryCalls {
		args = append(args, c.call)
	}
	got := script[any](t, args...)
	for i, c := range registryCalls {
		if diff := cmp.Diff(c.want, got[i]); diff != "" {
			t.Errorf("%s: want (-), got (+):\n%s", c.call, diff)
		}
	}
}
