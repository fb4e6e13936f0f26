package load

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/sink"
)

// Loader brings the records of some topics into one target.
type Loader struct {
	opts    Options
	log     *zap.Logger
	tables  *tables
	metrics *metrics
	stats   *stats

	reached bool // Kafka has answered once; it belongs to Run

	mu      sync.Mutex
	current *session // nil between two sessions
}

// New checks the options. It connects to nothing.
func New(o Options) (*Loader, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, failure.As(failure.Config, err, "")
	}
	topics, excluded := o.subscription()
	wanted, err := matcher(topics, excluded)
	if err != nil {
		return nil, failure.As(failure.Config, err, "")
	}
	l := &Loader{opts: o, log: o.Log, tables: newTables(&o, wanted), stats: newStats()}
	l.metrics = newMetrics(l, &o)
	return l, nil
}

// matcher returns whether a topic is one of those to read.
func matcher(topics, excluded []string) (func(string) bool, error) {
	compile := func(patterns []string) (all []*regexp.Regexp, err error) {
		for _, p := range patterns {
			re, err := regexp.Compile(p)
			if err != nil {
				return nil, fmt.Errorf("topics: %w", err)
			}
			all = append(all, re)
		}
		return all, nil
	}
	in, err := compile(topics)
	if err != nil {
		return nil, err
	}
	out, err := compile(excluded)
	if err != nil {
		return nil, err
	}
	matches := func(all []*regexp.Regexp, topic string) bool {
		for _, re := range all {
			if re.MatchString(topic) {
				return true
			}
		}
		return false
	}
	return func(topic string) bool { return matches(in, topic) && !matches(out, topic) }, nil
}

// Run opens the sink and loads until ctx ends; then it writes what is decoded, commits, leaves the group, closes the
// sink and returns nil. It goes on after every error but those marked failure.Config or failure.Gap, which it returns.
func (l *Loader) Run(ctx context.Context) error {
	defer l.stats.setState(Stopped)
	s, err := l.open(ctx)
	if err != nil || s == nil {
		return err
	}
	t := newTarget(s)
	err = l.sessions(ctx, t)
	if closed := s.Close(); closed != nil && err == nil {
		l.log.Warn("close the target", zap.Error(closed))
	}
	return err
}

// open connects to the target. It returns nil and no error when ctx ends first.
func (l *Loader) open(ctx context.Context) (sink.Sink, error) {
	var backoff failure.Backoff
	env := sink.Env{Name: l.opts.Name, Log: l.log, Metrics: l.opts.Metrics}
	for ctx.Err() == nil {
		s, err := l.opts.Open(ctx, env)
		if err == nil {
			return s, nil
		}
		if ctx.Err() != nil {
			break // whatever the error is called: it is the end of ctx that cut the opening off
		}
		err = fmt.Errorf("open the target: %w", err)
		if failure.IsFinal(err) {
			return nil, err
		}
		l.stats.retrying(err)
		l.log.Warn("target is not there yet", zap.Error(err))
		_ = failure.Sleep(ctx, backoff.Next(err)) // the loop's condition sees the end of ctx
	}
	return nil, nil
}

// sessions runs one session after the other: a member that was fenced drops everything and joins the group again.
func (l *Loader) sessions(ctx context.Context, t *target) error {
	var backoff failure.Backoff
	for ctx.Err() == nil {
		began := time.Now()
		err := l.session(ctx, t)
		if failure.IsFinal(err) {
			return err
		}
		if ctx.Err() != nil {
			return nil
		}
		if time.Since(began) > time.Minute {
			backoff.Reset()
		}
		l.stats.retrying(err)
		l.log.Warn("beginning again", zap.Error(err))
		_ = failure.Sleep(ctx, backoff.Next(err))
	}
	return nil
}

// unreached says what it means that Kafka does not even give the tables topic. Only at the start do refused credentials
// mean that the configuration is wrong.
func (l *Loader) unreached(err error) error {
	err = fmt.Errorf("reach Kafka: %w", err)
	if failure.RefusedCertificate(err) {
		return l.misconfigured(err, "check kafka.tls: ca against the brokers' certificate, server_name against its names, "+
			"cert and key where the brokers ask for them")
	}
	if _, answered := errors.AsType[*kerr.Error](err); !answered {
		return failure.WithHint(err, "see that the brokers run and can be reached from here, and that kafka.brokers names them")
	}
	for _, refused := range []error{
		kerr.SaslAuthenticationFailed, kerr.UnsupportedSaslMechanism, kerr.IllegalSaslState, kerr.TopicAuthorizationFailed,
		kerr.ClusterAuthorizationFailed,
	} {
		if errors.Is(err, refused) {
			return l.misconfigured(err, "see the key kafka, and what the brokers allow this user")
		}
	}
	return err
}

// misconfigured marks an error as the configuration's fault, unless the same configuration has worked in this process.
func (l *Loader) misconfigured(err error, hint string) error {
	if l.reached {
		return failure.WithHint(err, hint)
	}
	return failure.As(failure.Config, err, hint)
}

// session is one membership in the consumer group: from joining it to leaving it. Nothing of it outlives it.
type session struct {
	*Loader
	client *kgo.Client
	// made is closed when client is set: the group calls back before kgo.NewClient has returned.
	made   chan struct{}
	target *target
	// stop ends the session with an error.
	stop context.CancelCauseFunc
	// want asks for a poll, polled brings its result. The reader asks only when it has room, and always takes.
	want   chan struct{}
	polled chan kgo.Fetches
	// uncommitted says that there is something to tell the consumer group.
	uncommitted  chan struct{}
	claimBackoff failure.Backoff

	mu    sync.Mutex
	owned map[topicPartition]*partition
	// given holds the partitions that were ever given to this member in the session.
	given map[topicPartition]bool
}

// pollRecords bounds one poll, and with it how far a batch may pass its limits.
const pollRecords = 10_000

// Bounds of what is fetched ahead of one partition, and of the tables topic; how long a broker that has nothing keeps a
// fetch; and how soon a new topic is noticed.
const (
	fetchPartitionBytes = 4 << 20
	fetchTablesBytes    = 4 << 20
	fetchWait           = 500 * time.Millisecond
	topicsAge           = 3 * time.Second
)

// sessionTimeout is how long the partitions of a member that was killed wait for another. It may be short: a member
// that was only slow finds its fence raised and joins again.
const sessionTimeout = 10 * time.Second

func (l *Loader) session(ctx context.Context, t *target) error {
	soft, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	hard, kill := context.WithCancel(context.WithoutCancel(ctx))
	defer kill()
	defer context.AfterFunc(soft, func() { time.AfterFunc(l.opts.StopTimeout, kill) })()

	s := &session{
		Loader: l, target: t, stop: stop, made: make(chan struct{}),
		want: make(chan struct{}, 1), polled: make(chan kgo.Fetches), uncommitted: make(chan struct{}, 1),
		owned: map[topicPartition]*partition{}, given: map[topicPartition]bool{},
	}
	if err := l.tables.refresh(soft); err != nil {
		return l.unreached(err)
	}
	l.reached = true
	var err error
	living, interrupt := context.WithCancel(context.WithoutCancel(ctx))
	defer interrupt()
	if s.client, err = kgo.NewClient(append(s.clientOptions(), kgo.WithContext(living))...); err != nil {
		return failure.As(failure.Config, fmt.Errorf("kafka: %w", err), "")
	}
	close(s.made)
	l.setSession(s)
	defer l.setSession(nil)
	err = s.loop(soft, hard)
	s.leave(hard, interrupt)
	if cause := context.Cause(soft); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return err
}

func (s *session) clientOptions() []kgo.Opt {
	topics, excluded := s.opts.subscription()
	opts := []kgo.Opt{
		kgo.ConsumerGroup(s.opts.group()),
		kgo.ConsumeTopics(topics...), kgo.ConsumeRegex(), kgo.ConsumeExcludeTopics(excluded...),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		// Control records come too, so that offsets move over them and over aborted records.
		kgo.KeepControlRecords(),
		// What a topic no longer has is a gap; only a partition without any offset begins at the start.
		kgo.ConsumeResetOffset(kgo.NoResetOffset().AtStart()),
		kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(),
		kgo.AdjustFetchOffsetsFn(s.assign),
		kgo.OnPartitionsRevoked(s.revoke), kgo.OnPartitionsLost(s.lose),
		kgo.FetchMaxBytes(int32(s.opts.FetchBytes)),
		kgo.FetchMaxPartitionBytes(int32(min(s.opts.FetchBytes, fetchPartitionBytes))),
		// A partition that is assigned or resumed while a fetch without it is under way waits until that one ends.
		kgo.FetchMaxWait(fetchWait),
		kgo.SessionTimeout(sessionTimeout), kgo.HeartbeatInterval(sessionTimeout / 5),
		kgo.MetadataMaxAge(topicsAge),
		kgo.MetadataMinAge(topicsAge / 3),
		kgo.ProducerBatchMaxBytes(maxDeadLetter),
	}
	return append(opts, s.opts.Kafka...)
}

// loop runs poller, reader, writer and commits until soft ends or one of them fails, and waits for all.
func (s *session) loop(soft, hard context.Context) error {
	full, free, ended := make(chan *batch), make(chan *batch, 2), make(chan struct{})
	free <- &batch{}
	r := &reader{session: s, catalog: newCatalog(&s.opts, s.tables), batch: &batch{}, out: full, free: free, ended: ended}
	w := &writer{session: s, fold: newFolder(), known: map[string]*sink.Table{}, in: full, free: free, ended: ended}

	commits, endCommits := context.WithCancel(hard)
	committed := make(chan struct{})
	go func() { defer close(committed); s.commitLoop(commits) }()

	var g errgroup.Group
	run := func(f func() error) {
		g.Go(func() error {
			err := f()
			if err != nil {
				s.stop(err)
			}
			return err
		})
	}
	run(func() error { s.poll(soft); return nil })
	run(func() error { return r.run(soft, hard) })
	run(func() error { return w.run(soft, hard) })
	err := g.Wait()
	endCommits()
	<-committed
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// poll asks Kafka for records whenever the reader wants some.
func (s *session) poll(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.want:
		}
		fetches := s.client.PollRecords(ctx, pollRecords)
		select {
		case s.polled <- fetches:
		case <-ctx.Done():
			return
		}
	}
}

// leave hands over the partitions (revoke commits their offsets) and leaves the group. In the middle of a rebalance the
// coordinator answers nobody before all members have come, or a minute is over, and the client would wait for that with its own
// end: what is not through in time is interrupted, and the session in the group ends by itself.
func (s *session) leave(hard context.Context, interrupt func()) {
	s.client.AllowRebalance()
	ctx, cancel := context.WithTimeout(hard, s.opts.StopTimeout)
	defer cancel()
	if err := s.client.LeaveGroupContext(ctx); err != nil {
		s.log.Info("leave the consumer group", zap.Error(err))
		interrupt()
	}
	s.client.CloseAllowingRebalance()
}

func (s *session) partition(topic string, n int32) *partition {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.owned[topicPartition{topic, n}]
}

func (s *session) partitions() []*partition {
	s.mu.Lock()
	defer s.mu.Unlock()
	parts := make([]*partition, 0, len(s.owned))
	for _, p := range s.owned {
		parts = append(parts, p)
	}
	return parts
}

func (l *Loader) setSession(s *session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.current = s
}

func (l *Loader) partitionsNow() []*partition {
	l.mu.Lock()
	s := l.current
	l.mu.Unlock()
	if s == nil {
		return nil
	}
	return s.partitions()
}
