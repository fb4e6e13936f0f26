package publish

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"github.com/syncline-io/syncline/framework/registry"
	"github.com/syncline-io/syncline/framework/source"
	"github.com/syncline-io/syncline/schemas"
)

// Registry gives schemas their ids. Its errors are classified by package failure: a schema that the registry refuses
// is marked final by the Registry, everything else is tried again.
type Registry interface {
	// Register returns the id of the schema under the subject, registering it if it is not there. What it knows it may
	// keep until Forget.
	Register(ctx context.Context, subject, schema string) (uint32, error)
	// Verify asks whether id still means the schema. An error that is registry.ErrReplaced says that it does not, any
	// other that the registry could not be asked.
	Verify(ctx context.Context, schema string, id uint32) error
	// ByID returns the text of the schema with an id.
	ByID(ctx context.Context, id uint32) (string, error)
	// Forget drops what was kept.
	Forget()
}

// Options says what to publish and where to. The zero value of every optional field is the default.
type Options struct {
	// Name is the connector's name: unique among all connectors of the cluster, and never changed, because the
	// transactional id and the state topics are named after it.
	Name string
	// Open makes the source, once per tenure.
	Open func(ctx context.Context, env source.Env) (source.Source, error)
	// Kafka says how to reach the brokers: seeds, TLS, SASL and nothing else.
	Kafka []kgo.Opt
	// Registry gives schemas their ids, and Subjects names what they are registered under; by topic when empty.
	Registry Registry
	Subjects registry.Strategy
	// Quarantine sends the changes of a table whose schema the registry refuses to a topic beside its own, instead of
	// stopping.
	Quarantine bool
	// Mapping says how tables become topics and schemas.
	Mapping schemas.Mapping
	// InternalPrefix begins the names of the internal topics; "syncline" when empty.
	InternalPrefix string
	// Topics describes the topics of tables that do not exist yet.
	Topics Topics
	// AtLeastOnce publishes without Kafka transactions: faster to commit, and changes may be repeated after a failure.
	AtLeastOnce bool
	// Sync makes what the brokers have acknowledged survive a loss of power. It is called after the changes and before
	// the position that covers them, without transactions only; nil when an acknowledgement says that already.
	Sync func() error
	// LowestLatency commits as soon as something is there; else changes wait a little for company.
	LowestLatency bool
	// NoTombstones leaves out the null value that else follows every deletion.
	NoTombstones bool
	// SkipTruncates leaves truncates out of the topics.
	SkipTruncates bool
	// Transactions publishes the begin and end of each transaction of the source's, and in every change its place in it.
	Transactions bool
	// BufferBytes bounds the memory for changes on their way to Kafka, up to one change more; 16 MiB when 0, and about 5 MiB
	// at least. When it is full the source waits.
	BufferBytes int
	// SourceBytes is what the source is told that it may keep itself; 0: nothing.
	SourceBytes int64
	// TransactionTimeout is how long the brokers keep a transaction open for a publisher that has died, and the longest
	// that one commit is waited for; one minute when 0. It must not be above the brokers' transaction.max.timeout.ms.
	TransactionTimeout time.Duration
	// DrainTimeout bounds the time in which a soft stop commits what is buffered; 10 s when 0.
	DrainTimeout time.Duration

	Log     *zap.Logger
	Metrics prometheus.Registerer
}

// Topics describes the topics that are made for tables.
type Topics struct {
	// Partitions is the number of partitions of a new topic, 1 when 0. When it is set, a topic that exists with another
	// number is refused: with it the keys would move to other partitions.
	Partitions int32
	// Replication is the number of replicas; 0 or -1 leaves it to the brokers.
	Replication int16
	// Configs are further settings, such as retention.ms.
	Configs map[string]string
}

const (
	defaultInternalPrefix     = "syncline"
	defaultBufferBytes        = 16 << 20
	defaultTransactionTimeout = time.Minute
	defaultDrainTimeout       = 10 * time.Second
)

// nameForm is what a connector may be called: its name becomes part of topic names.
var nameForm = regexp.MustCompile(`^[a-zA-Z0-9._-]+$`)

// topicNameMax is Kafka's limit.
const topicNameMax = 249

// withDefaults returns the options with every default filled in, or everything that is wrong with them.
func (o Options) withDefaults() (Options, error) {
	var errs []error
	if !nameForm.MatchString(o.Name) {
		errs = append(errs, fmt.Errorf("name: %q may hold letters, digits, \".\", \"_\" and \"-\" only, and at least one", o.Name))
	}
	if o.Open == nil {
		errs = append(errs, errors.New("open: no source"))
	}
	if o.Registry == nil {
		errs = append(errs, errors.New("registry: none"))
	}
	if o.Topics.Partitions < 0 {
		errs = append(errs, fmt.Errorf("topics.partitions: %d is negative", o.Topics.Partitions))
	}
	if o.InternalPrefix == "" {
		o.InternalPrefix = defaultInternalPrefix
	}
	if n := len(o.offsetsTopic()); n > topicNameMax {
		errs = append(errs, fmt.Errorf("name: topic %s would have %d characters, %d too many", o.offsetsTopic(), n, n-topicNameMax))
	}
	if o.BufferBytes == 0 {
		o.BufferBytes = defaultBufferBytes
	}
	if o.TransactionTimeout == 0 {
		o.TransactionTimeout = defaultTransactionTimeout
	}
	if o.TransactionTimeout < time.Second {
		errs = append(errs, fmt.Errorf("transaction timeout: %v is under a second", o.TransactionTimeout))
	}
	if o.DrainTimeout == 0 {
		o.DrainTimeout = defaultDrainTimeout
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	return o, errors.Join(errs...)
}

func (o *Options) offsetsTopic() string    { return o.InternalPrefix + ".offsets." + o.Name }
func (o *Options) tablesTopic() string     { return o.InternalPrefix + ".tables" }
func (o *Options) deadLetterTopic() string { return o.Name + ".dlq" }
func (o *Options) transactionalID() string { return o.InternalPrefix + "." + o.Name }
