package config

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Sink is what every sink connector's file holds besides the connector's own section.
type Sink struct {
	Common `yaml:",inline"`
	// Topics names what to consume; "*" stands for any characters: [shop.public.*].
	Topics []string `yaml:"topics"`
	// Target says how tables are named at the target.
	Target Target `yaml:"target"`
	// Batch says when rows are written: at the first limit that is reached.
	Batch Batch `yaml:"batch"`
	// DeadLetters says what happens to a record that can never be written.
	DeadLetters DeadLetters `yaml:"dead_letters"`
	// Start is where a new sink begins when Kafka no longer holds a topic's beginning: "" stops, earliest goes on.
	Start string `yaml:"start"`
}

// Target names tables. In Schema and Table, {schema} and {table} stand for the source's names.
type Target struct {
	Schema string `yaml:"schema"`
	Table  string `yaml:"table"`
	// Tables overrides names and gives key columns, by the source's "schema.table".
	Tables map[string]TargetTable `yaml:"tables"`
}

// TargetTable overrides one table.
type TargetTable struct {
	Schema string `yaml:"schema"`
	Table  string `yaml:"table"`
	// Key names the columns that identify a row, for a table whose source has no key.
	Key []string `yaml:"key"`
}

// Batch bounds what one write to the target holds.
type Batch struct {
	Rows  int           `yaml:"rows"`
	Bytes Size          `yaml:"bytes"`
	Age   time.Duration `yaml:"age"`
}

// DeadLetters says what happens to records that can never be written.
type DeadLetters struct {
	// Topic takes them; <name>.dlq by default. "off" stops the connector at the first one instead.
	Topic string `yaml:"topic"`
	// Replication is the replication factor of the topic when it is created; -1 leaves it to the broker.
	Replication int16 `yaml:"replication"`
}

// SinkDefaults is a Sink before the file is read.
func SinkDefaults() Sink {
	return Sink{
		Common:      commonDefaults(),
		Target:      Target{Schema: "{schema}", Table: "{table}"},
		Batch:       Batch{Rows: 20_000, Bytes: 16 << 20, Age: 100 * time.Millisecond},
		DeadLetters: DeadLetters{Replication: -1},
	}
}

// Validate reports every problem.
func (s Sink) Validate() error {
	errs := []error{s.Common.Validate()}
	if len(s.Topics) == 0 {
		errs = append(errs, errors.New("topics: name at least one, such as [shop.public.*]"))
	}
	for _, t := range s.Topics {
		if !topicName.MatchString(strings.ReplaceAll(t, "*", "x")) {
			errs = append(errs, fmt.Errorf("topics: %q is no topic name (\"*\" stands for any characters)", t))
		}
	}
	if s.Target.Table == "" {
		errs = append(errs, errors.New("target.table: want a name, such as \"{table}\""))
	}
	if s.Batch.Rows < 1 {
		errs = append(errs, errors.New("batch.rows: want at least 1"))
	}
	if s.Batch.Bytes < 64<<10 {
		errs = append(errs, errors.New("batch.bytes: want at least 64KB"))
	}
	if s.Batch.Age <= 0 {
		errs = append(errs, errors.New("batch.age: want a positive duration"))
	}
	if s.Start != "" && s.Start != "earliest" {
		errs = append(errs, fmt.Errorf("start: %q is not earliest", s.Start))
	}
	return errors.Join(errs...)
}
