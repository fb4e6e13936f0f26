package config

import (
	"errors"
	"fmt"
	"regexp"
	"time"
)

// Source is what every source connector's file holds besides the connector's own section.
type Source struct {
	Common `yaml:",inline"`
	// TopicPrefix is the first part of every topic's name, Debezium's topic.prefix; the connector's name by default.
	TopicPrefix string `yaml:"topic_prefix"`
	// Types says which Avro types columns have: debezium (those that Debezium writes, with Connect's properties) or avro
	// (Avro's own logical types). Change it only together with the topics: the registry refuses the other schema.
	Types string `yaml:"types"`
	// Shape says what the value of a record is: envelope (Debezium's: before, after, source, op) or row (the new row
	// alone; a delete is a tombstone, operation and source are headers).
	Shape string `yaml:"shape"`
	// Topics says how the topics of tables are created. A topic that exists must have these partitions.
	Topics Topics `yaml:"topics"`
	// Delivery is exactly_once (a Kafka transaction holds events and position) or at_least_once (idempotent producer,
	// no transaction; a crash repeats events, which our sinks leave out).
	Delivery string `yaml:"delivery"`
	// Latency is default, or lowest: more and smaller Kafka transactions.
	Latency string `yaml:"latency"`
	// Tombstones says whether a delete is followed by a record with the same key and no value.
	Tombstones bool `yaml:"tombstones"`
	// SkippedOperations are left out, by Debezium's letters; [t] leaves out truncates, as Debezium does by default.
	SkippedOperations []string `yaml:"skipped_operations"`
	// ProvideTransactionMetadata publishes the begin and end of every transaction to the topic PREFIX.transaction, with the
	// number of its changes, and in every change its place in its transaction.
	ProvideTransactionMetadata bool `yaml:"provide_transaction_metadata"`
	// UnavailableValuePlaceholder is written in place of a value that the database did not send because it did not change;
	// the header syncline.unchanged names the column.
	UnavailableValuePlaceholder string `yaml:"unavailable_value_placeholder"`
	// OnRefusedSchema says what becomes of a table whose schema the registry refuses: stop ends the connector before the
	// first event that needs it; quarantine sends the table's events to the topic TOPIC.quarantine, from where the first
	// start at which the registry takes the schema brings them into the table's own topic, in order.
	OnRefusedSchema string `yaml:"on_refused_schema"`
	// Buffer bounds the bytes that wait for Kafka; reading stops while it is full. With memory, no more than that leaves.
	Buffer Size `yaml:"buffer"`
}

// Topics says how topics are created.
type Topics struct {
	// Partitions is the number of partitions of a new topic. Rows with the same key share one; more than one gives up the order between keys.
	Partitions int32 `yaml:"partitions"`
	// Replication is the replication factor of a new topic; -1 leaves it to the broker.
	Replication int16 `yaml:"replication"`
	// Config holds topic settings, such as retention.ms.
	Config map[string]string `yaml:"config"`
}

// SourceDefaults is a Source before the file is read.
func SourceDefaults() Source {
	return Source{
		Common:          commonDefaults(),
		Types:           "debezium",
		Shape:           "envelope",
		Topics:          Topics{Partitions: 1, Replication: -1},
		Delivery:        "exactly_once",
		Latency:         "default",
		Tombstones:      true,
		OnRefusedSchema: "stop",

		UnavailableValuePlaceholder: "__debezium_unavailable_value",
		Buffer:                      32 << 20,
	}
}

// Validate reports every problem.
func (s Source) Validate() error {
	errs := []error{s.Common.Validate()}
	if s.TopicPrefix != "" && !topicName.MatchString(s.TopicPrefix) {
		errs = append(errs, fmt.Errorf("topic_prefix: %q may hold letters, digits, \".\", \"_\" and \"-\" only", s.TopicPrefix))
	}
	if s.Types != "debezium" && s.Types != "avro" {
		errs = append(errs, fmt.Errorf("types: %q is neither debezium nor avro", s.Types))
	}
	switch {
	case s.Shape != "envelope" && s.Shape != "row":
		errs = append(errs, fmt.Errorf("shape: %q is neither envelope nor row", s.Shape))
	case s.Shape == "row" && !s.Tombstones:
		errs = append(errs, errors.New("tombstones: false would leave out the deletes: in shape row a delete is its tombstone"))
	}
	if s.Topics.Partitions < 1 {
		errs = append(errs, errors.New("topics.partitions: want at least 1"))
	}
	if s.Topics.Replication == 0 || s.Topics.Replication < -1 {
		errs = append(errs, errors.New("topics.replication: want at least 1, or -1 for the broker's default"))
	}
	if s.Delivery != "exactly_once" && s.Delivery != "at_least_once" {
		errs = append(errs, fmt.Errorf("delivery: %q is neither exactly_once nor at_least_once", s.Delivery))
	}
	if s.Latency != "default" && s.Latency != "lowest" {
		errs = append(errs, fmt.Errorf("latency: %q is neither default nor lowest", s.Latency))
	}
	for _, op := range s.SkippedOperations {
		if op != "t" && op != "none" {
			errs = append(errs, fmt.Errorf("skipped_operations: %q: only t (truncate) can be left out, or none", op))
		}
	}
	if s.UnavailableValuePlaceholder == "" {
		errs = append(errs, errors.New("unavailable_value_placeholder: want a text that is no value"))
	}
	switch {
	case s.OnRefusedSchema != "stop" && s.OnRefusedSchema != "quarantine":
		errs = append(errs, fmt.Errorf("on_refused_schema: %q is neither stop nor quarantine", s.OnRefusedSchema))
	case s.OnRefusedSchema == "quarantine" && !s.Registry.AutoRegister:
		errs = append(errs, errors.New("on_refused_schema: quarantine registers schemas under subjects of its own, which registry.auto_register: false forbids"))
	}
	if s.Buffer < 1<<20 {
		errs = append(errs, errors.New("buffer: want at least 1MB"))
	}
	return errors.Join(errs...)
}

// Common is what the files of sources and sinks share.
type Common struct {
	// Connector is the kind of connector, such as postgres-source.
	Connector string `yaml:"connector"`
	// Name is unique among all connectors of a Kafka cluster and never changes: state topics, consumer groups and
	// ledgers carry it.
	Name     string   `yaml:"name"`
	Kafka    Kafka    `yaml:"kafka"`
	Registry Registry `yaml:"registry"`
	// InternalPrefix is the first part of the names of internal topics: offsets, tables.
	InternalPrefix string `yaml:"internal_prefix"`
	// Memory bounds what the whole process takes, the runtime and the program itself included, as the system counts it: sizes
	// that the file does not set are derived from it, and those that it sets must fit. Without it they are what this page says;
	// in a container with a limit that counts instead, and what is set is taken as it is. Of several connectors in one process
	// each file says its part.
	Memory Size  `yaml:"memory"`
	Admin  Admin `yaml:"admin"`
	Log    Log   `yaml:"log"`
	// ShutdownTimeout bounds the soft stop: what is buffered is made durable within it, else it is read again later.
	ShutdownTimeout time.Duration `yaml:"shutdown_timeout"`
}

// Admin is the HTTP endpoint with /livez, /readyz, /metrics and /status.
type Admin struct {
	// Listen is the address, host:port; "off" switches it off. Loopback by default.
	Listen string `yaml:"listen"`
}

// Log says what is logged to standard error, and how.
type Log struct {
	// Level is debug, info, warn or error.
	Level string `yaml:"level"`
	// Format is json or console.
	Format string `yaml:"format"`
}

func commonDefaults() Common {
	return Common{
		InternalPrefix:  "syncline",
		Registry:        Registry{AutoRegister: true, SubjectNameStrategy: "topic", Timeout: 10 * time.Second},
		Admin:           Admin{Listen: "127.0.0.1:9477"},
		Log:             Log{Level: "info", Format: "json"},
		ShutdownTimeout: 20 * time.Second,
	}
}

var topicName = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,200}$`)

// Validate reports every problem.
func (c Common) Validate() error {
	var errs []error
	if c.Connector == "" {
		errs = append(errs, errors.New("connector: say which one, such as postgres-source"))
	}
	if !topicName.MatchString(c.Name) {
		errs = append(errs, errors.New("name: want 1 to 200 letters, digits, \".\", \"_\" or \"-\""))
	}
	if !topicName.MatchString(c.InternalPrefix) {
		errs = append(errs, errors.New("internal_prefix: want 1 to 200 letters, digits, \".\", \"_\" or \"-\""))
	}
	errs = append(errs, c.Kafka.Validate(), c.Registry.Validate())
	switch c.Log.Level {
	case "debug", "info", "warn", "error":
	default:
		errs = append(errs, fmt.Errorf("log.level: %q is not one of debug, info, warn, error", c.Log.Level))
	}
	if c.Log.Format != "json" && c.Log.Format != "console" {
		errs = append(errs, fmt.Errorf("log.format: %q is neither json nor console", c.Log.Format))
	}
	if c.ShutdownTimeout <= 0 {
		errs = append(errs, errors.New("shutdown_timeout: want a positive duration"))
	}
	return errors.Join(errs...)
}
