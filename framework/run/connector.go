// Package run makes a connector a process: it reads the file, opens log, metrics and the admin endpoint, runs the loop
// and turns signals and errors into a soft stop, a hard stop and an exit code.
//
// Read in this order: connector.go (a connector with its configuration type hidden), memory.go (what each may take), process.go
// (several connectors in one process), main.go (the program of one connector), admin.go, log.go.
package run

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"github.com/syncline-io/syncline/framework/config"
	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/load"
	"github.com/syncline-io/syncline/framework/publish"
	"github.com/syncline-io/syncline/framework/registry"
	"github.com/syncline-io/syncline/framework/sink"
	"github.com/syncline-io/syncline/framework/source"
	"github.com/syncline-io/syncline/schemas"
)

// Connector is a source or sink connector whose configuration type is hidden, so that a program can list several.
type Connector struct {
	// Name is the value of the key "connector" that chooses it.
	Name string
	// read decodes and checks the file.
	read func(d *config.Document, p Platform) (*task, error)
	// compare opens one side of a comparison.
	compare func(ctx context.Context, d *config.Document, p Platform) (*side, error)
	// schemas reads what the file says of schemas; it connects to nothing.
	schemas func(d *config.Document, p Platform) (*Schemas, error)
}

// Platform is what a process gives to its connectors instead of what their files say: the embedded broker and
// registry. The zero Platform leaves everything to the files.
type Platform struct {
	Brokers     []string
	RegistryURL string
	// AtLeastOnce replaces the delivery of sources, for a broker whose transactions do not survive a crash.
	AtLeastOnce bool
	// Sync makes what the broker has acknowledged survive a loss of power; it is called before a source is told that
	// something is durable. nil when the broker's acknowledgement says that already.
	Sync func() error
	// Memory is what the platform itself takes in this process, in bytes, beside what the files give to their connectors.
	Memory int64
	// share is the part of the container's memory that each connector has whose file does not say.
	share int64
}

func (p Platform) apply(c *config.Common) {
	if len(p.Brokers) > 0 {
		c.Kafka = config.Kafka{Brokers: p.Brokers}
	}
	if p.RegistryURL != "" {
		c.Registry = c.Registry.At(p.RegistryURL)
	}
}

// loop is a publisher or a loader.
type loop interface {
	Run(ctx context.Context) error
}

// task is one configured connector, not yet started.
type task struct {
	common config.Common
	file   string
	// native is memory outside of Go's that the connector was given.
	native int64
	// short says why the container's memory is too little for it, nil when it is not.
	short error
	// open makes the loop; it touches no server.
	open func(log *zap.Logger, metrics prometheus.Registerer) (loop, error)
	// The rest is set by open.
	loop   loop
	ready  func() (bool, string)
	status func() any
}

// Name is the connector's name.
func (t *task) Name() string { return t.common.Name }

// Ready reports whether the connector is doing its work now; if not, why.
func (t *task) Ready() (bool, string) { return t.ready() }

// Status is the connector's part of /status.
func (t *task) Status() any { return t.status() }

// OfSource hides the configuration type of a source connector.
func OfSource[C interface{ Validate() error }](c source.Connector[C]) Connector {
	decode := func(d *config.Document, p Platform) (common config.Source, section C, own int64, err error) {
		common, section = config.SourceDefaults(), c.Defaults
		if err := d.Decode(config.Section{Into: &common}, config.Section{Key: c.Section, Into: &section}); err != nil {
			return common, section, 0, err
		}
		p.apply(&common.Common)
		if p.AtLeastOnce {
			common.Delivery = "at_least_once"
		}
		if common.TopicPrefix == "" {
			common.TopicPrefix = common.Name
		}
		own, unfit := fitSource(budgetOf(common.Common, p.share), d, &common)
		return common, section, own, validate(d, c.Section, common, section, unfit)
	}
	read := func(d *config.Document, p Platform) (*task, error) {
		common, section, own, err := decode(d, p)
		if err != nil {
			return nil, err
		}
		t := &task{common: common.Common, file: d.Path(), short: budgetOf(common.Common, p.share).short()}
		t.open = func(log *zap.Logger, metrics prometheus.Registerer) (loop, error) {
			return t.openSource(common, own, p.Sync, log, metrics, func(ctx context.Context, env source.Env) (source.Source, error) {
				s, err := c.Open(ctx, section, env)
				if err != nil || p.Sync == nil {
					return s, err
				}
				return &synced{Source: s, sync: p.Sync, log: log}, nil
			})
		}
		return t, nil
	}
	compare := func(ctx context.Context, d *config.Document, p Platform) (*side, error) {
		common, section, _, err := decode(d, p)
		if err != nil {
			return nil, err
		}
		if c.Verify == nil {
			return nil, fmt.Errorf("%s: a %s cannot be compared", d.Path(), c.Name)
		}
		lister, err := c.Verify(ctx, section)
		return &side{reader: lister, lister: lister, prefix: common.TopicPrefix}, err
	}
	look := func(d *config.Document, p Platform) (*Schemas, error) {
		common, section, _, err := decode(d, p)
		if err != nil {
			return nil, err
		}
		s, err := schemasOf(common.Registry)
		if err == nil && c.Tables != nil {
			s.mapping = mapping(common)
			s.tables = func(ctx context.Context) ([]*schemas.Table, error) { return c.Tables(ctx, section) }
		}
		return s, err
	}
	return Connector{Name: c.Name, read: read, compare: compare, schemas: look}
}

// mapping says how a source's tables become topics and schemas.
func mapping(c config.Source) schemas.Mapping {
	return schemas.Mapping{Prefix: c.TopicPrefix, Types: schemas.Types(c.Types), Shape: schemas.Shape(c.Shape), Placeholder: c.UnavailableValuePlaceholder}
}

// OfSink hides the configuration type of a sink connector.
func OfSink[C interface{ Validate() error }](c sink.Connector[C]) Connector {
	decode := func(d *config.Document, p Platform) (common config.Sink, section C, m sinkMemory, err error) {
		common, section = config.SinkDefaults(), c.Defaults
		if err := d.Decode(config.Section{Into: &common}, config.Section{Key: c.Section, Into: &section}); err != nil {
			return common, section, m, err
		}
		p.apply(&common.Common)
		b := budgetOf(common.Common, p.share)
		section, native, unfit := fitLibrary(b, c, section)
		m, err = fitSink(b, native, d, &common)
		if !b.stated { // what the file sets counts
			m.short, unfit = errors.Join(b.short(), unfit), nil
		}
		return common, section, m, validate(d, c.Section, common, section, errors.Join(err, unfit))
	}
	read := func(d *config.Document, p Platform) (*task, error) {
		common, section, m, err := decode(d, p)
		if err != nil {
			return nil, err
		}
		t := &task{common: common.Common, file: d.Path(), native: m.native, short: m.short}
		t.open = func(log *zap.Logger, metrics prometheus.Registerer) (loop, error) {
			return t.openSink(common, m.fetch, c.BatchAge, log, metrics, func(ctx context.Context, env sink.Env) (sink.Sink, error) {
				return c.Open(ctx, section, env)
			})
		}
		return t, nil
	}
	compare := func(ctx context.Context, d *config.Document, p Platform) (*side, error) {
		common, section, _, err := decode(d, p)
		if err != nil {
			return nil, err
		}
		if c.Verify == nil {
			return nil, fmt.Errorf("%s: a %s cannot be compared", d.Path(), c.Name)
		}
		reader, err := c.Verify(ctx, section)
		return &side{reader: reader, topics: common.Topics, naming: naming(common.Target)}, err
	}
	look := func(d *config.Document, p Platform) (*Schemas, error) {
		common, _, _, err := decode(d, p)
		if err != nil {
			return nil, err
		}
		return schemasOf(common.Registry)
	}
	return Connector{Name: c.Name, read: read, compare: compare, schemas: look}
}

// validate reports the problems of both parts of a file, and what does not fit its memory; those of the connector's section
// get its key in front.
func validate(d *config.Document, key string, common, section interface{ Validate() error }, unfit error) error {
	var problems []error
	problems = append(problems, each(common.Validate(), d.Path()+": ")...)
	problems = append(problems, each(section.Validate(), d.Path()+": "+key+".")...)
	problems = append(problems, each(unfit, d.Path()+": ")...)
	return failure.As(failure.Config, join(problems), "")
}

func (t *task) openSource(c config.Source, own int64, sync func() error, log *zap.Logger, metrics prometheus.Registerer, open func(context.Context, source.Env) (source.Source, error)) (loop, error) {
	kafka, reg, err := clients(c.Common)
	if err != nil {
		return nil, err
	}
	p, err := publish.New(publish.Options{
		Name:           c.Name,
		Open:           open,
		Kafka:          kafka,
		Registry:       reg.Registrar(c.Registry.Policy()),
		Subjects:       c.Registry.Strategy(),
		Quarantine:     c.OnRefusedSchema == "quarantine",
		Mapping:        mapping(c),
		InternalPrefix: c.InternalPrefix,
		Topics:         publish.Topics{Partitions: c.Topics.Partitions, Replication: c.Topics.Replication, Configs: c.Topics.Config},
		AtLeastOnce:    c.Delivery == "at_least_once",
		Sync:           sync,
		LowestLatency:  c.Latency == "lowest",
		NoTombstones:   !c.Tombstones,
		SkipTruncates:  slices.Contains(c.SkippedOperations, "t"),
		Transactions:   c.ProvideTransactionMetadata,
		BufferBytes:    int(c.Buffer),
		SourceBytes:    own,
		DrainTimeout:   c.ShutdownTimeout,
		Log:            log,
		Metrics:        metrics,
	})
	if err != nil {
		return nil, err
	}
	t.status = func() any { return p.Status() }
	t.ready = func() (bool, string) {
		s := p.Status()
		return s.State == publish.Streaming || s.State == publish.Snapshot || s.State == publish.Standby, string(s.State)
	}
	return p, nil
}

func (t *task) openSink(c config.Sink, fetch int, age time.Duration, log *zap.Logger, metrics prometheus.Registerer, open func(context.Context, sink.Env) (sink.Sink, error)) (loop, error) {
	kafka, reg, err := clients(c.Common)
	if err != nil {
		return nil, err
	}
	if c.Batch.Age > 0 {
		age = c.Batch.Age
	}
	l, err := load.New(load.Options{
		Name:           c.Name,
		Open:           open,
		Kafka:          kafka,
		Registry:       reg.Reader(),
		Topics:         c.Topics,
		InternalPrefix: c.InternalPrefix,
		Naming:         naming(c.Target),
		Batch:          load.Limits{Bytes: int(c.Batch.Bytes), Rows: c.Batch.Rows, Age: age},
		FetchBytes:     fetch,
		DeadLetters:    load.DeadLetters{Stop: c.DeadLetters.Policy == "stop", Replication: c.DeadLetters.Replication},
		StopTimeout:    c.ShutdownTimeout,
		Log:            log,
		Metrics:        metrics,
	})
	if err != nil {
		return nil, err
	}
	t.status = func() any { return l.Status() }
	t.ready = func() (bool, string) {
		s := l.Status()
		return s.Ready, string(s.State)
	}
	return l, nil
}

func naming(t config.Target) load.Naming {
	n := load.Naming{Schema: t.Schema, Table: t.Table, Tables: map[string]load.Target{}}
	for source, o := range t.Tables {
		n.Tables[source] = load.Target{Schema: o.Schema, Table: o.Table, Key: o.Key}
	}
	return n
}

// clients gives what both loops need to reach Kafka and the registry; it reads files and connects to nothing.
func clients(c config.Common) ([]kgo.Opt, *registry.Client, error) {
	if c.Kafka.ClientID == "" {
		c.Kafka.ClientID = c.Name
	}
	kafka, err := c.Kafka.Options()
	if err != nil {
		return nil, nil, failure.As(failure.Config, err, "")
	}
	reg, err := registry.New(c.Registry.Client())
	if err != nil {
		return nil, nil, failure.As(failure.Config, fmt.Errorf("registry: %w", err), "")
	}
	return kafka, reg, nil
}
