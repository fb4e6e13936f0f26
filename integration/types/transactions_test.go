package types

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestEndsOfTransactionsCountTheirEvents compares what the ends say with the events that are in the topics, of every transaction
// of the statements.
func TestEndsOfTransactionsCountTheirEvents(t *testing.T) {
	r := sharedRun(t)
	marks := r.omitted() + ".transaction"
	events := map[string]map[string]int64{} // how many, by transaction and table
	for topic, records := range r.omitting.records {
		if topic == marks {
			continue
		}
		for _, rec := range records {
			place := rec.place()
			if place == nil {
				continue
			}
			id := transactionOf(place["id"])
			if events[id] == nil {
				events[id] = map[string]int64{}
			}
			table := tableOf(rec)
			events[id][table]++
			events[id][""]++
			if got := place["data_collection_order"]; got != events[id][table] {
				t.Errorf("%s: event %d of %s in transaction %s says that it is number %v", topic, events[id][table], table, id, got)
			}
		}
	}
	begun, ended := map[string]bool{}, 0
	for _, rec := range r.omitting.records[marks] {
		value := rec.value.(map[string]any)
		id := transactionOf(value["id"])
		if key := rec.key.(map[string]any); key["id"] != value["id"] {
			t.Errorf("the key of %v is %v", value, key)
		}
		if value["status"] == "BEGIN" {
			begun[id] = true
			continue
		}
		ended++
		said := map[string]int64{}
		for _, c := range value["data_collections"].([]any) {
			count := c.(map[string]any)
			said[count["data_collection"].(string)] = count["event_count"].(int64)
		}
		if n := value["event_count"].(int64); n > 0 {
			said[""] = n
		}
		if !begun[id] {
			t.Errorf("transaction %s has an end and no begin before it", id)
		}
		if d := cmp.Diff(events[id], said); d != "" && len(said)+len(events[id]) > 0 {
			t.Errorf("transaction %s: there are and its end says: %s", id, d)
		}
		delete(events, id)
	}
	if len(events) > 0 || ended < 100 {
		t.Errorf("%d transactions have an end, and none have %v", ended, events)
	}
}

func transactionOf(id any) string {
	number, _, _ := strings.Cut(id.(string), ":")
	return number
}

// tableOf is the name under which an event counts.
func tableOf(r *record) string {
	source := r.value.(map[string]any)["source"].(map[string]any)
	if source["table"] == "" {
		return "LOGICAL_DECODING_MESSAGE"
	}
	return fmt.Sprintf("%s.%s", source["schema"], source["table"])
}
