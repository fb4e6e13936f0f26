// Package broker is a Kafka-compatible broker in the process, with its data in a folder: kfake of franz-go, and around
// it what kfake leaves out.
//
// What it promises: a record, a topic (with its id), a topic's settings and a committed group offset that a client saw
// acknowledged are there after the process is killed; a producer that outlives the broker and repeats what was not
// acknowledged writes nothing twice; topics that are bounded stay bounded. After [Broker.Sync] the same holds for a
// machine that loses power.
//
// What it does not: transactions, which kfake forgets in a crash, are refused (see transactions.go), and so is emptying
// a partition (see deletion.go). There is one
// broker and no replica, no authentication, and it listens on the loopback interface alone. Members of consumer groups
// are forgotten in every restart, so that consumers join again.
//
// Read broker.go for starting and stopping, recovery.go for what is repaired at a start, retention.go for the bounds.
package broker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"go.uber.org/zap"

	"github.com/syncline-io/syncline/framework/child"
	"github.com/syncline-io/syncline/framework/embedded/keepport"
	"github.com/syncline-io/syncline/framework/failure"
)

// Options say where a broker keeps its data and how much of it.
type Options struct {
	// Dir is the folder; it is made if it is missing, and locked while the broker runs.
	Dir string
	// Port is the TCP port on 127.0.0.1. 0 is any free one, which stays the same in this folder.
	Port int
	// RetentionBytes bounds each partition of a topic that sets no retention.bytes of its own. 0 is 4 GiB.
	RetentionBytes int64
	// SegmentBytes is the size of a file of a topic that sets no segment.bytes: what is deleted at a time. 0 is 16 MiB.
	SegmentBytes int
	// RetentionInterval is the time between two looks at what is to be deleted. 0 is 30 s.
	RetentionInterval time.Duration
	Log               *zap.Logger
}

func (o Options) withDefaults() Options {
	if o.RetentionBytes == 0 {
		o.RetentionBytes = 4 << 30
	}
	if o.SegmentBytes == 0 {
		o.SegmentBytes = 16 << 20
	}
	if o.RetentionInterval == 0 {
		o.RetentionInterval = 30 * time.Second
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	return o
}

// Broker is a running broker. Its methods are safe for concurrent use.
type Broker struct {
	dir       string // of kfake's data
	unlock    func()
	listener  *listener
	cluster   *kfake.Cluster
	retention *retention
	syncer    syncer
}

// never, in milliseconds, is how often kfake may compact and delete. It does both in place, so that a process killed
// while it compacts loses the topic, and it may delete a partition's last record, which after a crash makes the offsets
// begin at 0 again. retention.go does what is needed instead.
const never = 10 * 365 * 24 * time.Hour

// Start opens the folder, repairs what a crash has left, and listens.
func Start(ctx context.Context, o Options) (b *Broker, err error) {
	o = o.withDefaults()
	b = &Broker{dir: filepath.Join(o.Dir, "kafka")}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("start the embedded broker: %w", err), b.Close())
			b = nil
		}
	}()
	if err = os.MkdirAll(b.dir, 0o755); err != nil {
		return b, err
	}
	if b.unlock, err = child.LockFolder(o.Dir); err != nil {
		if errors.Is(err, child.ErrFolderInUse) {
			err = failure.As(failure.Config, err, "end the other program, or give this one a folder of its own")
		}
		return b, err
	}
	if err = recoverFolder(b.dir, o.Log); err != nil {
		return b, err
	}
	l, err := keepport.Listen(filepath.Join(o.Dir, "kafka.port"), o.Port)
	if err != nil {
		return b, err
	}
	b.listener = newListener(l)
	b.cluster, err = kfake.NewCluster(
		kfake.NumBrokers(1),
		kfake.ListenFn(func(string, string) (net.Listener, error) { return b.listener, nil }),
		kfake.ClusterID("syncline-embedded"),
		kfake.DataDir(b.dir),
		kfake.DefaultNumPartitions(1),
		kfake.WithLogger(kfakeLogger{o.Log.Sugar()}),
		kfake.BrokerConfigs(map[string]string{
			"log.cleaner.backoff.ms": strconv.FormatInt(never.Milliseconds(), 10),
			"log.retention.ms":       "-1",
			"log.retention.bytes":    strconv.FormatInt(o.RetentionBytes, 10),
			"log.segment.bytes":      strconv.Itoa(o.SegmentBytes),
		}),
	)
	if err != nil {
		return b, err
	}
	refuseTransactions(b.cluster)
	refuseEmptying(b.cluster, b.dir)
	b.retention, err = startRetention(ctx, b.dir, b.Addr(), o)
	return b, err
}

// Addr is the address for clients, "127.0.0.1:port".
func (b *Broker) Addr() string { return b.listener.Addr().String() }

// Sync makes what has been acknowledged before the call survive a loss of power too: it writes every file that has
// changed since the last Sync through to the disk. Acknowledged records survive a killed process without it.
func (b *Broker) Sync() error { return b.syncer.sync(b.dir) }

// Close stops the broker and waits for it; its clients should be closed first, for their connections are cut. It may be
// called once.
func (b *Broker) Close() error {
	var err error
	if b.retention != nil {
		b.retention.close()
	}
	if b.cluster != nil {
		b.cluster.Close() // also writes its state
		err = b.Sync()
	}
	if b.listener != nil {
		err = errors.Join(err, b.listener.closeAll())
	}
	if b.unlock != nil {
		b.unlock()
	}
	return err
}

// kfakeLogger passes on what is worth a person's attention.
type kfakeLogger struct{ log *zap.SugaredLogger }

func (l kfakeLogger) Logf(level kfake.LogLevel, format string, args ...any) {
	switch level {
	case kfake.LogLevelError:
		l.log.Errorf(format, args...)
	case kfake.LogLevelWarn:
		l.log.Warnf(format, args...)
	}
}
