package load

import (
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"github.com/syncline-io/syncline/schemas"
)

// State is what a Loader is doing.
type State string

// The states.
const (
	Starting State = "starting" // not connected yet
	Waiting  State = "waiting"  // no partitions: no topic matches, or other members have them all
	Running  State = "running"
	Retrying State = "retrying" // the target, the registry or Kafka is in trouble; LastError says how
	Stopped  State = "stopped"
)

// Status is how a Loader stands.
type Status struct {
	State State `json:"state"`
	// Ready is false while nothing moves: before the first claim, and while something is tried again.
	Ready      bool              `json:"ready"`
	Partitions []PartitionStatus `json:"partitions"`
	// Lag is the number of records that are not in the target yet, of the partitions of this member.
	Lag int64 `json:"lag"`
	// LastError stays after it has passed; LastErrorTime says how old it is.
	LastError     string    `json:"last_error,omitempty"`
	LastErrorTime time.Time `json:"last_error_time,omitzero"`
	// Counts since the start: rows and batches written, records left out as repeats, dead letters, failed tries.
	Rows        int64 `json:"rows"`
	Batches     int64 `json:"batches"`
	Repeats     int64 `json:"repeats"`
	DeadLetters int64 `json:"dead_letters"`
	Retries     int64 `json:"retries"`
	// From the source's commit to the target's, over the last changes that are not from a snapshot.
	LatencyP50 time.Duration `json:"latency_p50"`
	LatencyP99 time.Duration `json:"latency_p99"`
}

// PartitionStatus is how one partition stands.
type PartitionStatus struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	// Next is the offset of the first record that is not in the target yet; -1 before the first batch.
	Next int64 `json:"next"`
	// End is the end of the topic's committed part, Lag the records up to there; -1 before the first poll.
	End int64 `json:"end"`
	Lag int64 `json:"lag"`
	// Waits is what the partition waits for, "" when it does not.
	Waits string `json:"waits,omitempty"`
}

// Status returns how the loader stands. It may be called from any goroutine.
func (l *Loader) Status() Status {
	st := l.stats.status()
	stalled := false
	for _, p := range l.partitionsNow() {
		ps := PartitionStatus{Topic: p.Topic, Partition: p.Partition.Partition, Next: p.written.Load(), End: p.committable.Load(), Lag: p.lag()}
		if trouble := p.trouble.Load(); trouble != nil {
			ps.Waits, stalled = (*trouble).Error(), true
		}
		st.Lag += max(ps.Lag, 0)
		st.Partitions = append(st.Partitions, ps)
	}
	sort.Slice(st.Partitions, func(i, j int) bool {
		a, b := st.Partitions[i], st.Partitions[j]
		return a.Topic < b.Topic || a.Topic == b.Topic && a.Partition < b.Partition
	})
	switch {
	case st.State == Running && stalled:
		st.State = Retrying
	case st.State == Running && len(st.Partitions) == 0:
		st.State = Waiting
	}
	st.Ready = st.State == Running || st.State == Waiting
	return st
}

// stats counts what a loader does.
type stats struct {
	rows, batches, repeats, deadLetters, retries atomic.Int64

	metrics *metrics

	mu        sync.Mutex
	state     State
	lastError string
	errorTime time.Time
	latency   latencies
}

func newStats() *stats { return &stats{state: Starting} }

func (s *stats) setState(state State) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = state
}

// failed notes an error that does not hold up everything.
func (s *stats) failed(err error) {
	s.retries.Add(1)
	s.metrics.retries.Inc()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastError, s.errorTime = err.Error(), time.Now()
}

// retrying notes an error that holds up everything until the batch is through, or a claim succeeds.
func (s *stats) retrying(err error) {
	s.failed(err)
	s.setState(Retrying)
}

// durable notes that events are in the target, as so many rows.
func (s *stats) durable(events []event, rows int, now time.Time) {
	s.rows.Add(int64(rows))
	s.batches.Add(1)
	s.metrics.rows.Add(float64(rows))
	s.mu.Lock()
	defer s.mu.Unlock()
	micros := now.UnixMicro()
	for i := range events {
		if e := &events[i]; e.time > 0 && e.op != schemas.Read {
			took := time.Duration(micros-e.time) * time.Microsecond
			s.latency.add(took)
			s.metrics.latency.Observe(took.Seconds())
		}
	}
}

func (s *stats) status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := Status{
		State: s.state, LastError: s.lastError, LastErrorTime: s.errorTime,
		Rows: s.rows.Load(), Batches: s.batches.Load(), Repeats: s.repeats.Load(),
		DeadLetters: s.deadLetters.Load(), Retries: s.retries.Load(),
	}
	st.LatencyP50, st.LatencyP99 = s.latency.quantiles()
	return st
}

// latencies keeps the last samples.
type latencies struct {
	last [4096]time.Duration
	n    int
}

func (l *latencies) add(d time.Duration) {
	l.last[l.n%len(l.last)] = d
	l.n++
}

func (l *latencies) quantiles() (p50, p99 time.Duration) {
	n := min(l.n, len(l.last))
	if n == 0 {
		return 0, 0
	}
	sorted := append([]time.Duration(nil), l.last[:n]...)
	sort.Slice(sorted, func(i, j int) bool { return sorted[i] < sorted[j] })
	return sorted[n/2], sorted[n*99/100]
}
