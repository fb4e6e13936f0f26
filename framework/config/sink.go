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
}

// Target names tables. In Schema and Table, {schema}, {table} and {database} stand for the source's names, and {topic}
// for the topic's.
type Target struct {
	// Schema is the pattern of the schema's name.
	Schema string `yaml:"schema"`
	// Table is the pattern of the table's name.
	Table string `yaml:"table"`
	// Tables overrides names and gives key columns, by the source's "schema.table".
	Tables map[string]TargetTable `yaml:"tables"`
}

// TargetTable overrides one table.
type TargetTable struct {
	// Schema is the schema's name at the target, instead of the pattern's.
	Schema string `yaml:"schema"`
	// Table is the table's name at the target, instead of the pattern's.
	Table string `yaml:"table"`
	// Key names the columns that identify a row, for a table whose source has no key.
	Key []string `yaml:"key"`
}

// Batch bounds what one write to the target holds.
type Batch struct {
	// Rows is the largest number of rows.
	Rows int `yaml:"rows"`
	// Bytes is the largest size of the decoded rows; up to two batches are held, up to six while rows wait for others that free a unique value. With memory, no more than that leaves.
	Bytes Size `yaml:"bytes"`
	// Age is how long rows gather before they are written; what suits the target by default.
	Age time.Duration `yaml:"age"`
}

// DeadLetters says what happens to records that can never be written.
type DeadLetters struct {
	// Policy is topic (they go to the topic <name>.dlq) or stop (the connector stops at the first one).
	Policy string `yaml:"policy"`
	// Replication is the replication factor of the topic when it is created; -1 leaves it to the broker.
	Replication int16 `yaml:"replication"`
}

// SinkDefaults is a Sink before the file is read.
func SinkDefaults() Sink {
	return Sink{
		Common:      commonDefaults(),
		Target:      Target{Schema: "{schema}", Table: "{table}"},
		Batch:       Batch{Rows: 100_000, Bytes: 32 << 20},
		DeadLetters: DeadLetters{Policy: "topic", Replication: -1},
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
	if s.Batch.Age < 0 {
		errs = append(errs, errors.New("batch.age: want a duration that is not negative"))
	}
	if s.DeadLetters.Policy != "topic" && s.DeadLetters.Policy != "stop" {
		errs = append(errs, fmt.Errorf("dead_letters.policy: %q is neither topic nor stop", s.DeadLetters.Policy))
	}
	return errors.Join(errs...)
}
