package registry

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func quoted(text string) string {
	raw, _ := json.Marshal(text)
	return string(raw)
}

// referring is the body of a schema that refers to others, given as name, subject and version.
func referring(schema string, references ...reference) string {
	raw, _ := json.Marshal(map[string]any{"schema": schema, "references": references})
	return string(raw)
}

const (
	money  = `{"type":"record","name":"Money","namespace":"shop","fields":[{"name":"amount","type":"long"}]}`
	line   = `{"type":"record","name":"Line","namespace":"shop","fields":[{"name":"price","type":"Money"}]}`
	order  = `{"type":"record","name":"Order","namespace":"shop","fields":[{"name":"lines","type":{"type":"array","items":"shop.Line"}},{"name":"total","type":"shop.Money"}]}`
	orders = `{"type":"record","name":"Order","namespace":"shop","fields":[{"name":"lines","type":{"type":"array","items":"Line"}},{"name":"total","type":"Money"}]}`
)

func TestReferencesAreResolvedThroughSubjects(t *testing.T) {
	url, _ := serve(t)
	toMoney, toLine := reference{"shop.Money", "money", 1}, reference{"shop.Line", "line", -1}
	converse(t, url, []step{
		{"POST", "/subjects/order/versions", body(order), 422, `{"error_code":42201,"message":"Invalid schema: parse Avro schema:`},
		{"POST", "/subjects/line/versions", referring(line, toMoney), 422, `{"error_code":42201,"message":"Invalid schema: reference \"shop.Money\": no schema found for subject \"money\" and version 1"}`},
		{"POST", "/subjects/money/versions", body(money), 200, `{"id":1}`},
		{"POST", "/subjects/line/versions", referring(line, toMoney), 200, `{"id":2}`},
		{"POST", "/subjects/order/versions", referring(order, toLine), 200, `{"id":3}`},
		{"POST", "/subjects/order/versions", referring(order, toLine), 200, `{"id":3}`},
		{"GET", "/subjects/order/versions/1", "", 200, `{"subject":"order","version":1,"id":3,"references":[{"name":"shop.Line","subject":"line","version":1}],"schema":` + quoted(orders) + `}`},
		{"GET", "/schemas/ids/3", "", 200, `{"schema":` + quoted(orders) + `,"references":[{"name":"shop.Line","subject":"line","version":1}]}`},
		{"POST", "/subjects/order", referring(order, toLine), 200, `{"subject":"order","version":1,"id":3,`},
		{"GET", "/subjects/money/versions/1/referencedby", "", 200, `[2]`},
		{"GET", "/subjects/line/versions/latest/referencedby", "", 200, `[3]`},
		{"GET", "/subjects/order/versions/1/referencedby", "", 200, `[]`},
		{"GET", "/subjects/none/versions/1/referencedby", "", 404, `{"error_code":40401,`},
	})
}

func TestCompatibilityLooksIntoReferences(t *testing.T) {
	url, _ := serve(t)
	more := strings.Replace(money, `}]`, `},{"name":"currency","type":"string"}]`, 1)
	fine := strings.Replace(more, `"string"`, `"string","default":"EUR"`, 1)
	converse(t, url, []step{
		{"POST", "/subjects/money/versions", body(money), 200, `{"id":1}`},
		{"PUT", "/config/money", `{"compatibility":"NONE"}`, 200, ""},
		{"POST", "/subjects/money/versions", body(more), 200, `{"id":2}`},
		{"POST", "/subjects/money/versions", body(fine), 200, `{"id":3}`},
		{"POST", "/subjects/line/versions", referring(line, reference{"shop.Money", "money", 1}), 200, `{"id":4}`},
		{"POST", "/compatibility/subjects/line/versions/latest?verbose=true", referring(line, reference{"shop.Money", "money", 2}), 200, `{"is_compatible":false,"messages":["version 1, compatibility BACKWARD: field \"price.currency\"`},
		{"POST", "/subjects/line/versions", referring(line, reference{"shop.Money", "money", 2}), 409, `{"error_code":409,"message":"Schema being registered is incompatible with an earlier schema for subject \"line\"`},
		{"POST", "/subjects/line/versions", referring(line, reference{"shop.Money", "money", 3}), 200, `{"id":5}`}, // the same text with another reference
	})
}

func TestWhatIsReferredToIsNotDeleted(t *testing.T) {
	url, _ := serve(t)
	toMoney := reference{"shop.Money", "money", 1}
	converse(t, url, []step{
		{"POST", "/subjects/money/versions", body(money), 200, `{"id":1}`},
		{"POST", "/subjects/line/versions", referring(line, toMoney), 200, `{"id":2}`},
		{"DELETE", "/subjects/money/versions/1", "", 422, `{"error_code":42206,`},
		{"DELETE", "/subjects/money", "", 422, `{"error_code":42206,`},
		{"DELETE", "/subjects/line", "", 200, `[1]`},
		{"GET", "/subjects/money/versions/1/referencedby", "", 200, `[]`},
		{"DELETE", "/subjects/money", "", 200, `[1]`},
		{"POST", "/subjects/line/versions", referring(line, toMoney), 422, `{"error_code":42201,`}, // not to what is deleted
		{"POST", "/subjects/line?deleted=true", referring(line, toMoney), 200, `{"subject":"line",`},
	})
}

func TestReferencesThatCannotBe(t *testing.T) {
	url, _ := serve(t)
	converse(t, url, []step{
		{"POST", "/subjects/money/versions", body(money), 200, `{"id":1}`},
		{"POST", "/subjects/x/versions", referring(line, reference{"", "money", 1}), 422, `{"error_code":42201,`},
		{"POST", "/subjects/x/versions", referring(line, reference{"shop.Money", "", 1}), 422, `{"error_code":42201,`},
		{"POST", "/subjects/x/versions", referring(line, reference{"shop.Money", "money", 0}), 422, `{"error_code":42201,`},
		{"POST", "/subjects/x/versions", referring(money, reference{"shop.Money", "money", 1}), 422, `{"error_code":42201,`}, // defines it again
		{"GET", "/subjects", "", 200, `["money"]`},
	})
}

// TestASchemaThatRefersToItselfIsRefused reads what no API lets register, but a topic may hold.
func TestASchemaThatRefersToItselfIsRefused(t *testing.T) {
	s := newState()
	for _, r := range []record{
		{[]byte(`{"keytype":"SCHEMA","subject":"a","version":1,"magic":1}`), []byte(`{"subject":"a","version":1,"id":1,"references":[{"name":"B","subject":"b","version":1}],"schema":"{\"type\":\"record\",\"name\":\"A\",\"fields\":[{\"name\":\"b\",\"type\":\"B\"}]}","deleted":false}`)},
		{[]byte(`{"keytype":"SCHEMA","subject":"b","version":1,"magic":1}`), []byte(`{"subject":"b","version":1,"id":2,"references":[{"name":"A","subject":"a","version":1}],"schema":"{\"type\":\"record\",\"name\":\"B\",\"fields\":[{\"name\":\"a\",\"type\":\"A\"}]}","deleted":false}`)},
	} {
		if err := s.apply(r); err != nil {
			t.Fatal(err)
		}
	}
	_, err := s.parse(schemaRequest{Schema: `"A"`, References: []reference{{"A", "a", 1}}}, false, false)
	if err == nil || !strings.Contains(err.Error(), "refers to itself") {
		t.Errorf("%v, want a refusal that says so", err)
	}
}

func TestReferencesAreBounded(t *testing.T) {
	s := newState()
	var all []reference
	for i := range referencesMax + 1 {
		name := fmt.Sprint("T", i)
		text := fmt.Sprintf(`{"type":"enum","name":%q,"symbols":["A"]}`, name)
		s.put(&version{subject: name, number: 1}, i+1, content{text: text})
		all = append(all, reference{name, name, 1})
	}
	if _, err := s.parse(schemaRequest{Schema: `"T1"`, References: all}, false, false); err == nil || !strings.Contains(err.Error(), "more than 200 schemas") {
		t.Errorf("%v, want the bound", err)
	}
	if _, err := s.parse(schemaRequest{Schema: `["T1","T199"]`, References: all[:referencesMax]}, false, false); err != nil {
		t.Errorf("as many as there may be: %v", err)
	}
}
