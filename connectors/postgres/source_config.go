package postgres

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/syncline-io/syncline/framework/config"
)

// SourceConfig is the section "postgres" of a postgres-source.
type SourceConfig struct {
	// URL is the connection string of the database whose changes are read, such as
	// postgres://user:password@host:5432/shop?sslmode=require. The role needs REPLICATION and SELECT on the tables.
	URL config.URL `yaml:"url"`
	// Tables are patterns of the tables to read, as schema.table, where * stands for any characters. Tables that come
	// to match later are found at the next start, and read whole before their changes go on.
	Tables []string `yaml:"tables"`
	// ExcludeTables are patterns of tables that are left out although Tables matches them.
	ExcludeTables []string `yaml:"exclude_tables"`
	// ExcludeColumns are patterns of columns that never leave the source, as schema.table.column. Columns of the
	// primary key and of the replica identity cannot be excluded; a unique index with an excluded column is no key.
	ExcludeColumns []string `yaml:"exclude_columns"`
	// Slot is the name of the replication slot; by default syncline_ and the connector's name. A slot belongs to one
	// connector. It is created when it does not exist, and never dropped.
	Slot string `yaml:"slot"`
	// Publication is the name of the publication; by default syncline_ and the connector's name. It is created and kept
	// to the chosen tables where the role may do that; one that a DBA made must cover them.
	Publication string `yaml:"publication"`
	// PartitionRoot sends the changes of partitions as changes of the partitioned table. Without it, as with Debezium,
	// every partition is a table of its own, and a new one is found at the next start.
	PartitionRoot bool `yaml:"partition_root"`
	// Start says what to do when there is no position yet: snapshot reads the tables and then the changes, stream only
	// the changes from the slot's own position, or from now when there is no slot. Empty is snapshot, but stops when
	// the slot exists already, for then somebody must say what is meant.
	Start string `yaml:"start"`
	// HeartbeatInterval is how often the position moves on, and the database's log is released, while no chosen table
	// changes.
	HeartbeatInterval time.Duration `yaml:"heartbeat_interval"`
	// StatusInterval is how often PostgreSQL is told what is durable. It must stay well under its wal_sender_timeout;
	// where it does not, a third of that timeout is used.
	StatusInterval time.Duration `yaml:"status_interval"`
	// Binary says whether PostgreSQL streams values in their binary form, which costs the server less than text: auto does where
	// every column of the publication can be read from it, true asks for it, and false is always text. The topics hold the same.
	Binary string `yaml:"binary"`
	// MessagePrefixIncludeList are regular expressions of the prefixes of logical decoding messages (pg_logical_emit_message)
	// that are published to the topic PREFIX.message; they must match the whole prefix. All are by default, as with Debezium.
	MessagePrefixIncludeList []string `yaml:"message_prefix_include_list"`
	// MessagePrefixExcludeList are regular expressions of prefixes whose messages are not published, instead of
	// MessagePrefixIncludeList; [".*"] publishes none.
	MessagePrefixExcludeList []string `yaml:"message_prefix_exclude_list"`
	// DecimalHandlingMode is how numeric and money are written: precise (Connect's Decimal), double or string. This and
	// the following modes are Debezium's, for types debezium; change one only together with the topics.
	DecimalHandlingMode string `yaml:"decimal_handling_mode"`
	// TimePrecisionMode is how date, time and timestamp are written: adaptive, adaptive_time_microseconds, connect,
	// isostring, microseconds or nanoseconds.
	TimePrecisionMode string `yaml:"time_precision_mode"`
	// IntervalHandlingMode is how interval is written: numeric (microseconds; months and days are only rough) or string
	// (ISO 8601).
	IntervalHandlingMode string `yaml:"interval_handling_mode"`
	// BinaryHandlingMode is how bytea is written: bytes, or as text: base64, base64-url-safe or hex.
	BinaryHandlingMode string `yaml:"binary_handling_mode"`
	// HstoreHandlingMode is how hstore is written: json or map.
	HstoreHandlingMode string `yaml:"hstore_handling_mode"`
	// IncludeUnknownDatatypes says what becomes of columns of types that Debezium has no form for: text (a nullable string
	// that holds PostgreSQL's own text), or as Debezium does it: false (left out) or true (the bytes of that text).
	IncludeUnknownDatatypes string `yaml:"include_unknown_datatypes"`
}

// The choices of SourceConfig.Start.
const (
	startSnapshot = "snapshot"
	startStream   = "stream"
)

func sourceDefaults() SourceConfig {
	return SourceConfig{
		Tables:            []string{"public.*"},
		HeartbeatInterval: 5 * time.Second,
		StatusInterval:    2 * time.Second,
		Binary:            binaryAuto,

		DecimalHandlingMode: "precise", TimePrecisionMode: "adaptive", IntervalHandlingMode: "numeric",
		BinaryHandlingMode: "bytes", HstoreHandlingMode: "json", IncludeUnknownDatatypes: unknownText,
	}
}

// slotName is what PostgreSQL allows for replication slots.
var slotName = regexp.MustCompile(`^[a-z0-9_]{1,63}$`)

// Validate reports every problem.
func (c SourceConfig) Validate() error {
	errs := []error{validateURL(c.URL)}
	if len(c.Tables) == 0 {
		errs = append(errs, errors.New(`tables: name at least one pattern, such as ["public.*"]`))
	}
	errs = append(errs, validatePatterns("tables", c.Tables, 2)...)
	errs = append(errs, validatePatterns("exclude_tables", c.ExcludeTables, 2)...)
	errs = append(errs, validatePatterns("exclude_columns", c.ExcludeColumns, 3)...)
	if c.Slot != "" && !slotName.MatchString(c.Slot) {
		errs = append(errs, fmt.Errorf("slot: %q is not 1 to 63 lower-case letters, digits and _", c.Slot))
	}
	if len(c.Publication) > 63 {
		errs = append(errs, fmt.Errorf("publication: %q is longer than 63 bytes", c.Publication))
	}
	switch c.Start {
	case "", startSnapshot, startStream:
	default:
		errs = append(errs, fmt.Errorf("start: %q is neither snapshot nor stream", c.Start))
	}
	if c.HeartbeatInterval <= 0 {
		errs = append(errs, errors.New("heartbeat_interval: want a positive duration"))
	}
	if c.StatusInterval <= 0 {
		errs = append(errs, errors.New("status_interval: want a positive duration"))
	}
	switch c.Binary {
	case "", binaryAuto, binaryYes, binaryNo:
	default:
		errs = append(errs, fmt.Errorf("binary: %q is none of auto, true, false", c.Binary))
	}
	if _, err := newPrefixes(c.MessagePrefixIncludeList, c.MessagePrefixExcludeList); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(append(errs, c.validateModes()...)...)
}

func validateURL(u config.URL) error {
	text := u.Reveal()
	if text == "" {
		return errors.New("url: say where the database is, such as postgres://user:password@host:5432/shop")
	}
	p, err := url.Parse(text)
	if err != nil || p.Scheme != "postgres" && p.Scheme != "postgresql" {
		return errors.New("url: want the form postgres://user:password@host:5432/database") // the text may hold a password
	}
	return nil
}

func validatePatterns(key string, patterns []string, parts int) []error {
	var errs []error
	form := [...]string{2: "schema.table", 3: "schema.table.column"}[parts]
	for _, p := range patterns {
		if strings.Count(p, ".") < parts-1 || strings.Contains("."+p+".", "..") {
			errs = append(errs, fmt.Errorf("%s: %q is not of the form %s", key, p, form))
		}
	}
	return errs
}

// withNames fills in the names that are derived from the connector's.
func (c SourceConfig) withNames(connector string) SourceConfig {
	name := derivedName(connector)
	if c.Slot == "" {
		c.Slot = name
	}
	if c.Publication == "" {
		c.Publication = name
	}
	return c
}

// derivedName makes a name that PostgreSQL allows for slots out of a connector's name.
func derivedName(connector string) string {
	clean := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + ('a' - 'A')
		}
		return '_'
	}, connector)
	name := "syncline_" + clean
	if clean == connector && len(name) <= 63 {
		return name
	}
	// Two connectors' names may become one here, and then they would share a slot: the hash keeps them apart.
	name = name[:min(len(name), 63-9)]
	return name + "_" + shortHash(connector)
}
