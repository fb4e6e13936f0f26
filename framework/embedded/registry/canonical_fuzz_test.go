package registry

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/syncline-io/syncline/framework/registry/compat"
)

// FuzzSchema holds that what is stored is the schema that was checked: the canonical and the normal form of a text that
// is taken are taken too, stay as they are, and are compatible with the text in both directions.
func FuzzSchema(f *testing.F) {
	files, err := filepath.Glob("../../../schemas/testdata/debezium/*.avsc")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(raw))
	}
	var cases struct{ Pairs []verdict }
	if raw, err := os.ReadFile("../../registry/compat/testdata/cases.json"); err != nil || json.Unmarshal(raw, &cases) != nil {
		f.Fatal(err)
	}
	for _, c := range cases.Pairs {
		f.Add(string(c.Old))
		f.Add(string(c.New))
	}
	for _, text := range []string{
		`{"type":"int","type":"string"}`,
		`{"type":"record","name":"R","fields":[{"name":"r","type":["null","R"]}]}`,
		`{"type":"record","name":"R","fields":[{"name":"a","type":"enum","symbols":["A"]}]}`,
		`{"type":"record","name":"R","fields":[{"name":"a","type":"array","items":"int"}]}`,
		`{"type":"record","name":"R","fields":[{"name":"a","type":"record","fields":[{"name":"b","type":"int"}]}]}`,
		`{"type":"record","name":"R","namespace":"n","fields":[{"name":"a","type":{"type":"enum","name":"E","namespace":"","symbols":["A"]}},{"name":"b","type":"E"}]}`,
		`{"type":"record","name":"R","namespace":"n","fields":[{"name":"a","type":"S"},{"name":"b","type":{"type":"enum","name":"S","symbols":["A"]}}]}`,
		`{"type":"record","name":"R","namespace":"n","fields":[{"name":"a","type":{"type":"record","name":"m.Q","fields":[{"name":"x","type":"n.R"}]}},{"name":"q","type":"m.Q"}]}`,
		`{"type":"record","name":"int","fields":[]}`,
		`{"type":"record","name":"n.string","fields":[{"name":"s","type":["null","n.string"]}]}`,
		`{"type":"error","name":"R","fields":[]}`,
		`{"type":"record","name":"R","fields":[{"name":"a","type":"int","aliases":["b",{}]}],"aliases":[1,"x"]}`,
		`{"type":"enum","name":"E","symbols":["A"],"namespace":1}`,
		`{"type":"array","items":"int","name":"x"}`,
		`{"type":"record","name":"R","fields":[{"name":"a","type":"int","order":"descending","doc":1}]}`,
		`{"name":"R","type":"record","fields":null}`,
		`{"type":"map","values":{"type":"long","logicalType":"timestamp-micros"},"logicalType":"x"}`,
		`{"type":"record","name":"R","fields":[{"name":"a","type":["null",["int"]]}]}`,
		`{"type":["null","int"]}`,
		`{"type":{"type":"array","items":"int"},"items":"string"}`,
		`{"type":{"type":"enum","name":"E","symbols":["A"]},"logicalType":"x"}`,
		`{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"fixed","name":"F","size":1}},{"name":"b","type":{"type":"F"}}]}`,
		`{"type":{"type":{"type":"enum","name":"a.E","symbols":["A"],"default":"A"}}}`,
		`{"type":"fixed","name":"F","namespace":"","size":4,"logicalType":"decimal","precision":9,"scale":0}`,
	} {
		f.Add(text)
	}
	f.Fuzz(keepsItsForms)
}

// FuzzWellFormedSchema builds schemas instead of texts, so that most are taken and names, namespaces and repeated keys
// meet in every order.
func FuzzWellFormedSchema(f *testing.F) {
	f.Add([]byte("record with fields of many kinds and names that repeat 0123456789"))
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16})
	f.Fuzz(func(t *testing.T, choices []byte) {
		b := schemaBuilder{choices: choices}
		keepsItsForms(t, b.schema(0))
	})
}

// schemaBuilder makes a schema of a list of choices; when they are used up it chooses the first.
type schemaBuilder struct{ choices []byte }

func (b *schemaBuilder) choose(from ...string) string {
	if len(b.choices) == 0 {
		return from[0]
	}
	chosen := from[int(b.choices[0])%len(from)]
	b.choices = b.choices[1:]
	return chosen
}

func (b *schemaBuilder) schema(depth int) string {
	kinds := []string{"primitive", "name", "property", "union", "array", "map", "enum", "fixed", "record", "wrapped"}
	if depth > 4 {
		kinds = kinds[:3]
	}
	switch b.choose(kinds...) {
	case "name":
		return b.choose(`"A"`, `"n.A"`, `"B"`, `"n.m.B"`, `"n.string"`, `"C"`)
	case "property":
		return `{"type":` + b.choose(`"int"`, `"bytes"`) + b.extras() + `}`
	case "union":
		return `["null",` + b.schema(depth+1) + `]`
	case "array":
		return `{"type":"array","items":` + b.schema(depth+1) + b.extras() + `}`
	case "map":
		return `{"values":` + b.schema(depth+1) + `,"type":"map"}`
	case "enum":
		return `{"type":"enum"` + b.name() + `,"symbols":["X","Y"]` + b.choose("", `,"default":"X"`) + b.extras() + `}`
	case "fixed":
		return `{"size":4,"type":"fixed"` + b.name() + b.extras() + `}`
	case "record":
		text := `{"type":"record"` + b.name() + b.extras() + `,"fields":[{"name":"f","type":` + b.schema(depth+1) + b.extras() + `}`
		if b.choose("", "more") != "" {
			text += `,{"type":` + b.schema(depth+1) + `,"name":"g"` + b.choose("", `,"default":null`, `,"order":"ignore"`) + `}`
		}
		return text + `]}`
	case "wrapped":
		return `{"type":` + b.schema(depth+1) + b.choose("", `,"type":"long"`) + `}`
	}
	return b.choose(`"int"`, `"string"`, `"bytes"`, `"null"`)
}

func (b *schemaBuilder) name() string {
	return `,"name":` + b.choose(`"A"`, `"B"`, `"n.A"`, `"n.m.B"`, `"string"`, `"C"`) + b.choose("", `,"namespace":"n"`, `,"namespace":""`, `,"namespace":"n.m"`)
}

func (b *schemaBuilder) extras() string {
	return b.choose("", `,"z":{"b":1,"a":[1.50,null]},"c":"<"`, `,"doc":""`, `,"aliases":["q","p","n.q"]`, `,"logicalType":"decimal","a":1,"scale":0,"precision":4`, `,"logicalType":"x","logicalType":"date"`)
}

// keepsItsForms checks the canonical and the normal form of a text that is taken.
func keepsItsForms(t *testing.T, text string) {
	p, err := newState().parse(schemaRequest{Schema: text}, false, false)
	if err != nil {
		return
	}
	for name, form := range map[string]func(string, ...string) (string, error){"canonical": canonical, "normal": normal} {
		once, err := form(text)
		if err != nil {
			t.Fatalf("%s form of %q: %v", name, text, err)
		}
		parsed, err := compat.Parse(once)
		if err != nil {
			t.Fatalf("%s form %s of %q is no schema: %v", name, once, text, err)
		}
		if i := compat.Check(compat.Full, parsed, []*compat.Schema{p.parsed}); i != nil {
			t.Errorf("%s form %s of %q is another schema: %v", name, once, text, i)
		}
		if twice, err := form(once); err != nil || twice != once {
			t.Errorf("%s form %s of %q is printed again as %s (%v)", name, once, text, twice, err)
		}
	}
}
