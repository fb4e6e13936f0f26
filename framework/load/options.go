package load

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"github.com/syncline-io/syncline/framework/sink"
	"github.com/syncline-io/syncline/schemas"
)

// Registry gives the texts of schemas.
type Registry interface {
	// ByID gives the text of the schema with an id. One that the registry does not know (yet) is an error to retry.
	ByID(ctx context.Context, id uint32) (string, error)
	// Latest gives id and text of a subject's latest schema, registry.ErrNotRegistered when there is no such subject.
	Latest(ctx context.Context, subject string) (id uint32, schema string, err error)
}

// Options is what a [Loader] is made of.
type Options struct {
	// Name is the connector's name. The consumer group is "<InternalPrefix>.<Name>", the dead letter topic "<Name>.dlq".
	Name string
	// Kafka says how to reach the brokers: addresses, TLS, SASL.
	Kafka []kgo.Opt
	// Registry is asked for the schemas of the records.
	Registry Registry
	// Topics to read: names, in which * stands for any characters, or regular expressions between slashes. Topics that
	// appear later are picked up. Internal topics, and topics of dead letters or of a quarantine that are not named, never match.
	Topics []string
	// InternalPrefix begins the names of Syncline's own topics; "" is "syncline".
	InternalPrefix string
	// Naming makes the target's names from the source's.
	Naming Naming
	// Batch bounds a batch; the zero Limits are [Database].
	Batch Limits
	// FetchBytes bounds what is read ahead per broker, as it travels; 0 is 16 MiB. What is decompressed is held twice at most:
	// what was polled last, and what comes next.
	FetchBytes int
	// DeadLetters says where records go that cannot be read or that the target refuses.
	DeadLetters DeadLetters
	// StopTimeout bounds what is still written after the context of Run has ended; 0 is 10 seconds.
	StopTimeout time.Duration
	// Open connects to the target. It is tried again with back-off unless its error is final.
	Open func(ctx context.Context, env sink.Env) (sink.Sink, error)
	// Log and Metrics may be nil.
	Log     *zap.Logger
	Metrics prometheus.Registerer
}

// Limits bounds a batch. It is written when Age has passed since its first record and the writer is free, or when it
// has reached Rows or Bytes. Two batches exist at most, six while rows wait for others that free a unique value, so the
// memory of decoded rows is bounded by about twice Bytes, or six times.
type Limits struct {
	Bytes int
	Rows  int
	Age   time.Duration
}

// Limits to begin with.
var (
	// Database suits a target that takes small transactions well: what has arrived is written as soon as the last
	// write is done.
	Database = Limits{Bytes: 32 << 20, Rows: 100_000, Age: 5 * time.Millisecond}
	// Warehouse suits a target where each load costs: it gathers for five seconds.
	Warehouse = Limits{Bytes: 64 << 20, Rows: 500_000, Age: 5 * time.Second}
)

// DeadLetters is the policy for records that can never be applied.
type DeadLetters struct {
	// Stop stops the connector at the first such record instead of setting it aside.
	Stop bool
	// Replication is the replication factor of the topic when it has to be made; 0 is the broker's default.
	Replication int16
}

const (
	defaultPrefix      = "syncline"
	defaultStopTimeout = 10 * time.Second
	defaultFetchBytes  = 16 << 20
	deadLetterSuffix   = ".dlq"
)

// withDefaults fills what was left out and checks the rest.
func (o Options) withDefaults() (Options, error) {
	var errs []error
	if o.Name == "" {
		errs = append(errs, errors.New("name: is empty"))
	}
	if len(o.Topics) == 0 {
		errs = append(errs, errors.New("topics: is empty"))
	}
	if o.Registry == nil || o.Open == nil {
		errs = append(errs, errors.New("load needs a registry and a sink"))
	}
	if o.InternalPrefix == "" {
		o.InternalPrefix = defaultPrefix
	}
	if o.Batch == (Limits{}) {
		o.Batch = Database
	}
	if o.Batch.Bytes <= 0 || o.Batch.Rows <= 0 || o.Batch.Age < 0 {
		errs = append(errs, fmt.Errorf("batch: %d bytes, %d rows, %s: bytes and rows must be positive, age not negative",
			o.Batch.Bytes, o.Batch.Rows, o.Batch.Age))
	}
	if o.FetchBytes <= 0 {
		o.FetchBytes = defaultFetchBytes
	}
	if o.StopTimeout <= 0 {
		o.StopTimeout = defaultStopTimeout
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	if o.Metrics == nil {
		o.Metrics = prometheus.NewRegistry()
	}
	for _, t := range o.Topics {
		if _, err := regexp.Compile(topicPattern(t)); err != nil {
			errs = append(errs, fmt.Errorf("topics: %q: %w", t, err))
		}
	}
	if err := o.Naming.validate(); err != nil {
		errs = append(errs, err)
	}
	if slices.ContainsFunc(o.Topics, wildcard) && !o.names(schemas.QuarantineTopic("")) {
		// They may be another program's, whom nobody told that the name is kept.
		o.Log.Info(`topics whose name ends in .quarantine are not read, though a pattern matches them: they hold what sources set aside`,
			zap.Strings("topics", o.Topics))
	}
	return o, errors.Join(errs...)
}

func (o *Options) group() string           { return o.InternalPrefix + "." + o.Name }
func (o *Options) tablesTopic() string     { return o.InternalPrefix + ".tables" }
func (o *Options) deadLetterTopic() string { return o.Name + deadLetterSuffix }

// wildcard says whether an entry of Options.Topics is more than a name.
func wildcard(t string) bool { return strings.Contains(t, "*") || strings.HasPrefix(t, "/") }

// names says whether an entry of Topics asks for topics of the suffix.
func (o *Options) names(suffix string) bool {
	return slices.ContainsFunc(o.Topics, func(t string) bool { return strings.HasSuffix(t, suffix) })
}

// topicPattern turns an entry of Options.Topics into an anchored regular expression.
func topicPattern(t string) string {
	if len(t) > 1 && strings.HasPrefix(t, "/") && strings.HasSuffix(t, "/") {
		return "^(?:" + t[1:len(t)-1] + ")$"
	}
	return "^" + strings.ReplaceAll(regexp.QuoteMeta(t), `\*`, ".*") + "$"
}

// Consumes reports whether a sink with these Topics reads the topic.
func Consumes(topics []string, topic string) bool {
	for _, t := range topics {
		if ok, err := regexp.MatchString(topicPattern(t), topic); ok && err == nil {
			return true
		}
	}
	return false
}

// subscription returns the patterns to consume and those to leave alone. Everything is a pattern, so that a topic
// that does not exist yet is waited for.
func (o *Options) subscription() (topics, excluded []string) {
	excluded = []string{"^" + regexp.QuoteMeta(o.InternalPrefix) + `\.`, "^" + regexp.QuoteMeta(o.deadLetterTopic()) + "$"}
	// What is set aside is not a table's topic: it is read only where its name is asked for.
	for _, suffix := range []string{deadLetterSuffix, schemas.QuarantineTopic("")} {
		if !o.names(suffix) {
			excluded = append(excluded, regexp.QuoteMeta(suffix)+"$")
		}
	}
	for _, t := range o.Topics {
		topics = append(topics, topicPattern(t))
	}
	return topics, excluded
}
