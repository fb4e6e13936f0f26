package registry

import "testing"

func TestStrategiesNameSubjectsAsConfluentDoes(t *testing.T) {
	const envelope = `{"type":"record","name":"Envelope","namespace":"shop.public.item","fields":[]}`
	for _, c := range []struct {
		given      string
		key, value string
	}{
		{"", "shop.public.item-key", "shop.public.item-value"},
		{"topic", "shop.public.item-key", "shop.public.item-value"},
		{"io.confluent.kafka.serializers.subject.TopicNameStrategy", "shop.public.item-key", "shop.public.item-value"},
		{"record", "shop.public.item.Envelope", "shop.public.item.Envelope"},
		{"RecordNameStrategy", "shop.public.item.Envelope", "shop.public.item.Envelope"},
		{"topic_record", "shop.public.item-shop.public.item.Envelope", "shop.public.item-shop.public.item.Envelope"},
		{"TopicRecordNameStrategy", "shop.public.item-shop.public.item.Envelope", "shop.public.item-shop.public.item.Envelope"},
	} {
		s, err := ParseStrategy(c.given)
		if err != nil {
			t.Fatal(err)
		}
		key, err := s.Subject("shop.public.item", true, envelope)
		if err != nil || key != c.key {
			t.Errorf("%q: key %q, %v; want %q", c.given, key, err, c.key)
		}
		value, err := s.Subject("shop.public.item", false, envelope)
		if err != nil || value != c.value {
			t.Errorf("%q: value %q, %v; want %q", c.given, value, err, c.value)
		}
	}
	if _, err := ParseStrategy("table"); err == nil {
		t.Error("table is taken for a strategy")
	}
}

func TestASchemaWithoutANameHasNoSubjectUnderRecord(t *testing.T) {
	for _, schema := range []string{`"string"`, `["null","int"]`, `{"type":"array","items":"int"}`} {
		if got, err := Record.Subject("t", false, schema); err == nil {
			t.Errorf("%s: %q", schema, got)
		}
	}
	if got, err := Record.Subject("t", false, `{"type":"record","name":"a.b.C","fields":[]}`); err != nil || got != "a.b.C" {
		t.Errorf("%q, %v", got, err)
	}
}
