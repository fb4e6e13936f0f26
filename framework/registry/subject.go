package registry

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Strategy says under which subject a schema is registered. The names and their meaning are Confluent's.
type Strategy string

// The strategies. Under Topic, each topic has a subject for its keys and one for its values. Under Record, a record type
// has one subject wherever it is used. Under TopicRecord, each topic has one for every record type in it.
const (
	Topic       Strategy = "topic"
	Record      Strategy = "record"
	TopicRecord Strategy = "topic_record"
)

var strategies = map[string]Strategy{
	"topic": Topic, "topicname": Topic,
	"record": Record, "recordname": Record,
	"topicrecord": TopicRecord, "topicrecordname": TopicRecord,
}

// ParseStrategy reads a strategy: its name, or that of Confluent's class, with or without the package. "" is [Topic].
func ParseStrategy(s string) (Strategy, error) {
	if s == "" {
		return Topic, nil
	}
	short := strings.ToLower(s[strings.LastIndexByte(s, '.')+1:])
	short = strings.TrimSuffix(strings.NewReplacer("_", "", "-", "").Replace(short), "strategy")
	if found, ok := strategies[short]; ok {
		return found, nil
	}
	return "", fmt.Errorf("%q is none of topic, record, topic_record", s)
}

// Subject returns the subject of a schema of the topic's keys, or of its values. Under strategies that use the record's
// name, a schema that has none is refused.
func (s Strategy) Subject(topic string, key bool, schema string) (string, error) {
	if s == Topic || s == "" {
		if key {
			return topic + "-key", nil
		}
		return topic + "-value", nil
	}
	name := RecordName(schema)
	if name == "" {
		return "", fmt.Errorf("subject of a schema of topic %s: the schema has no name, which the strategies record and topic_record need", topic)
	}
	if s == TopicRecord {
		return topic + "-" + name, nil
	}
	return name, nil
}

// RecordName returns the full name of a schema's outermost type, "" where it has none.
func RecordName(schema string) string {
	var named struct {
		Name      string `json:"name"`
		Namespace string `json:"namespace"`
	}
	if err := json.Unmarshal([]byte(schema), &named); err != nil {
		return ""
	}
	if named.Name == "" || named.Namespace == "" || strings.Contains(named.Name, ".") {
		return named.Name
	}
	return named.Namespace + "." + named.Name
}
