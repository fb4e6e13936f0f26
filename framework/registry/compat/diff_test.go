package compat

import (
	"slices"
	"strings"
	"testing"
)

func table(fields string) string {
	return `{"type":"record","name":"Envelope","namespace":"shop.item","fields":[{"name":"before","type":["null",{"type":"record","name":"Value","fields":[` +
		fields + `]}],"default":null},{"name":"after","type":["null","Value"],"default":null}]}`
}

func TestDifferencesNameEachFieldOnceAndWhoRefusesIt(t *testing.T) {
	backward := []Level{Backward, BackwardTransitive, Full, FullTransitive}
	forward := []Level{Forward, ForwardTransitive, Full, FullTransitive}
	both := []Level{Backward, BackwardTransitive, Forward, ForwardTransitive, Full, FullTransitive}
	const id = `{"name":"id","type":"int"}`
	for name, c := range map[string]struct {
		old, next string
		want      string
		wire      bool
		refused   []Level
	}{
		"nullable added":  {id, id + `,{"name":"n","type":["null","long"],"default":null}`, `field "before.n" is new: [null, long], default null`, true, nil},
		"needed added":    {id, id + `,{"name":"n","type":"long"}`, `field "before.n" is new: long`, true, backward},
		"removed":         {id + `,{"name":"n","type":"long"}`, id, `field "before.n" is gone: it was long`, true, forward},
		"widened":         {id, `{"name":"id","type":"long"}`, `field "before.id": int becomes long`, true, forward},
		"another type":    {id, `{"name":"id","type":"string"}`, `field "before.id": int becomes string`, true, both},
		"meaning":         {`{"name":"t","type":{"type":"long","connect.name":"a.Millis"}}`, `{"name":"t","type":{"type":"long","connect.name":"a.Micros"}}`, `field "before.t": long a.Millis becomes long a.Micros`, true, nil},
		"scale":           {`{"name":"d","type":{"type":"bytes","logicalType":"decimal","precision":10,"scale":2}}`, `{"name":"d","type":{"type":"bytes","logicalType":"decimal","precision":10,"scale":3}}`, `field "before.d": bytes decimal(10,2) becomes bytes decimal(10,3)`, true, nil},
		"default":         {id, `{"name":"id","type":"int","default":0}`, `field "before.id": int becomes int, default 0`, false, nil},
		"order of fields": {id + `,{"name":"n","type":"long"}`, `{"name":"n","type":"long"},` + id, `field "before.id" stands in another place`, true, nil},
		"order of a union": {
			`{"name":"n","type":["null","long"],"default":null}`, `{"name":"n","type":["long","null"],"default":7}`,
			`field "before.n": [null, long], default null becomes [long, null], default 7`, true, nil,
		},
		"labels": {
			`{"name":"e","type":{"type":"string","connect.parameters":{"allowed":"a,b"},"connect.name":"x.Enum"}}`,
			`{"name":"e","type":{"type":"string","connect.parameters":{"allowed":"a,b,c"},"connect.name":"x.Enum"}}`,
			`field "before.e": string x.Enum (a,b) becomes string x.Enum (a,b,c)`, false, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Differences(table(c.old), table(c.next))
			if err != nil || len(got) != 1 {
				t.Fatalf("%v, %v", got, err)
			}
			d := got[0]
			if d.String() != c.want || d.Wire != c.wire || !slices.Equal(d.RefusedBy, c.refused) {
				t.Errorf("%s, wire %v, refused by %v; want %s, %v, %v", &d, d.Wire, d.RefusedBy, c.want, c.wire, c.refused)
			}
		})
	}
}

func TestWhatSaysNothingOfTheValuesIsNoDifference(t *testing.T) {
	old := table(`{"name":"id","type":"int"},{"name":"n","type":["null","long"],"default":null}`)
	next := table(`{"name":"id","doc":"the key","aliases":["key"],"type":{"type":"int","connect.version":1,"connect.default":3}},` +
		`{"name":"n","type":["null",{"type":"long"}],"default":null}`)
	if got, err := Differences(old, next); err != nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
}

func TestAnotherTablesSchemaDiffersAsAWhole(t *testing.T) {
	old := table(`{"name":"id","type":"int"}`)
	got, err := Differences(old, strings.Replace(old, "shop.item", "shop.order", 1))
	if err != nil || len(got) == 0 || got[0].Path != "" || !got[0].Wire ||
		got[0].String() != "the schema as a whole: record shop.item.Envelope becomes record shop.order.Envelope" {
		t.Errorf("%v, %v", got, err)
	}
}

func TestATypeThatIsDefinedInAnEarlierFieldIsComparedWhole(t *testing.T) {
	const decimal = `{"type":"record","name":"x.Variable","fields":[{"name":"scale","type":"int"},{"name":"value","type":"bytes"}]}`
	old := table(`{"name":"a","type":` + decimal + `}`)
	next := table(`{"name":"a","type":` + decimal + `},{"name":"b","type":["null","x.Variable"],"default":null}`)
	got, err := Differences(old, next)
	if err != nil || len(got) != 1 || got[0].String() != `field "before.b" is new: [null, record x.Variable], default null` || len(got[0].RefusedBy) != 0 {
		t.Errorf("%v, %v", got, err)
	}
}

func TestATypeThatCannotStandAloneIsComparedStill(t *testing.T) {
	for name, next := range map[string]string{
		"its record, of no namespace": `{"type":"record","name":"e","fields":[{"name":"A","type":[".e"]}]}`,
		"defined further on":          `{"type":"record","name":"e","fields":[{"name":"A","type":["F"]},{"name":"f","type":{"type":"fixed","name":"F","size":4}}]}`,
		"of no namespace, in one":     `{"type":"record","name":"n.e","fields":[{"name":"A","type":{"type":"fixed","name":"F","namespace":"","size":4}},{"name":"B","type":".F"}]}`,
	} {
		got, err := Differences(`{"type":"record","name":"e","fields":[]}`, next)
		if err != nil || len(got) == 0 {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func FuzzDifferences(f *testing.F) {
	f.Add(table(`{"name":"id","type":"int"}`), table(`{"name":"id","type":"long"}`))
	f.Add(`{"type":{"type":"string"}}`, `["null",{"type":"enum","name":"E","symbols":["A"]}]`)
	f.Add(`{"type":"record","name":"L","fields":[{"name":"next","type":["null","L"]}]}`, `{"type":"fixed","name":"F","size":4}`)
	f.Add(table(`{"name":"a","type":["null"]}`), table(`{"name":"a","type":[]}`))
	f.Fuzz(func(t *testing.T, old, next string) {
		if _, err := Parse(old); err != nil {
			return
		}
		if _, err := Parse(next); err != nil {
			return
		}
		if same, err := Differences(old, old); err != nil || len(same) > 0 {
			t.Errorf("%s differs from itself: %v, %v", old, same, err)
		}
		if _, err := Differences(old, next); err != nil {
			t.Errorf("%s and %s: %v", old, next, err)
		}
	})
}
