package publish

import (
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/syncline-io/syncline/framework/source"
	"github.com/syncline-io/syncline/schemas"
)

// State is what a publisher is doing.
type State string

// The states.
const (
	Starting  State = "starting"  // connecting, taking over, reading the position
	Standby   State = "standby"   // another instance holds the lease
	Snapshot  State = "snapshot"  // publishing rows that were there before
	Streaming State = "streaming" // publishing changes
	Retrying  State = "retrying"  // waiting after a failure
	Stopped   State = "stopped"
)

// Status is how a publisher is doing.
type Status struct {
	State State `json:"state"`
	// Since is when the publisher came into this state.
	Since time.Time `json:"since"`
	// Holder is who holds the lease while this instance is a standby, as far as the source knows.
	Holder string `json:"holder,omitempty"`
	// LastError is the last failure, "" when there was none; it stays after a recovery, LastErrorAt says how old it is.
	LastError   string    `json:"last_error,omitempty"`
	LastErrorAt time.Time `json:"last_error_at,omitzero"`
	// Position is the last one that is committed in Kafka.
	Position schemas.Version `json:"position"`
	// Rows, Bytes, Transactions count what was committed since the start, DeadLetters what was set aside.
	Rows         int64 `json:"rows"`
	Bytes        int64 `json:"bytes"`
	Transactions int64 `json:"transactions"`
	DeadLetters  int64 `json:"dead_letters"`
	// Quarantined are the tables whose schema the registry refuses, and whose changes therefore go to another topic.
	Quarantined []Quarantined `json:"quarantined,omitempty"`
	// Lag is the time from the upstream commit of the last streamed change until it was committed in Kafka, in seconds.
	Lag float64 `json:"lag_seconds"`
	// Progress is what the source said of itself last.
	Progress source.Progress `json:"progress"`
}

// Quarantined is a topic that gets no changes for now: they go to the one beside it.
type Quarantined struct {
	// Topic is the one that they are meant for, Aside the one that they go to.
	Topic string `json:"topic"`
	Aside string `json:"aside"`
	// Reason is the registry's.
	Reason string    `json:"reason"`
	Since  time.Time `json:"since"` // or since this start
}

// stats keeps the Status and the metrics.
type stats struct {
	mu sync.Mutex
	s  Status

	changes  *prometheus.CounterVec // by topic
	rows     prometheus.Counter
	bytes    prometheus.Counter
	commit   prometheus.Counter
	failures prometheus.Counter
	dead     *prometheus.CounterVec // by topic
	aside    *prometheus.GaugeVec   // by topic
	latency  prometheus.Histogram
	cost     prometheus.Histogram
	up       prometheus.Gauge
	behind   prometheus.Gauge
}

func newStats(r prometheus.Registerer) (*stats, error) {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	s := &stats{
		changes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "syncline_source_changes_total",
			Help: "Changes taken from the source, by topic.",
		}, []string{"topic"}),
		rows:     counter("syncline_source_committed_changes_total", "Changes committed in Kafka."),
		bytes:    counter("syncline_source_committed_bytes_total", "Bytes of keys, values and headers committed in Kafka, uncompressed."),
		commit:   counter("syncline_source_commits_total", "Commits to Kafka."),
		failures: counter("syncline_source_failures_total", "Times that publishing had to begin again."),
		dead: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "syncline_source_dead_letters_total",
			Help: "Changes that could not be published and were set aside, by the topic they were meant for.",
		}, []string{"topic"}),
		aside: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "syncline_source_quarantined",
			Help: "1 for each topic whose changes go to its quarantine topic, because the registry refuses their schema.",
		}, []string{"topic"}),
		latency: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "syncline_source_latency_seconds",
			Help:    "From the commit of a change upstream until it is committed in Kafka; streamed changes only, sampled.",
			Buckets: []float64{.001, .002, .004, .006, .008, .01, .015, .02, .03, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300},
		}),
		cost: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "syncline_source_commit_seconds",
			Help:    "Time of one commit to Kafka, from the cut to the end.",
			Buckets: prometheus.ExponentialBuckets(.001, 2, 14),
		}),
		up: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "syncline_source_publishing",
			Help: "1 while changes are published, 0 while starting, waiting as a standby, retrying or stopped.",
		}),
		behind: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "syncline_source_log_behind_bytes",
			Help: "Bytes of the upstream log that are not read yet; -1 when unknown.",
		}),
	}
	s.s = Status{State: Starting, Since: time.Now(), Progress: source.Progress{LogBehind: -1}}
	s.behind.Set(-1)
	if r == nil {
		return s, nil
	}
	var errs []error
	for _, c := range []prometheus.Collector{s.changes, s.rows, s.bytes, s.commit, s.failures, s.dead, s.aside, s.latency, s.cost, s.up, s.behind} {
		errs = append(errs, r.Register(c))
	}
	return s, errors.Join(errs...)
}

func (s *stats) status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	status := s.s
	status.Quarantined = slices.Clone(status.Quarantined)
	return status
}

// setAside notes that the topic's changes go to the one beside it.
func (s *stats) setAside(q Quarantined) {
	s.aside.WithLabelValues(q.Topic).Set(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.s.Quarantined = append(s.s.Quarantined, q)
}

// allHome forgets what is in quarantine: the tenure that begins finds out anew.
func (s *stats) allHome() {
	s.aside.Reset()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.s.Quarantined = nil
}

func (s *stats) commits() int64 { return s.status().Transactions }

// enter moves to another state. mu is not held.
func (s *stats) enter(state State) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.move(state)
}

func (s *stats) move(state State) {
	if s.s.State == state {
		return
	}
	s.s.State, s.s.Since = state, time.Now()
	up := 0.0
	if state == Snapshot || state == Streaming {
		up = 1
	}
	s.up.Set(up)
}

// start notes that the tenure has taken over and the source runs from there on.
func (s *stats) start(from source.Position) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.s.Position = from.Version
	s.s.Holder = ""
	if from.State == nil {
		s.move(Snapshot)
	} else {
		s.move(Streaming)
	}
}

func (s *stats) failed(state State, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.move(state)
	if err != nil {
		s.s.LastError, s.s.LastErrorAt = err.Error(), time.Now()
	}
}

func (s *stats) retrying(err error) {
	s.failures.Inc()
	s.failed(Retrying, err)
}

// recovered ends a retry within a tenure.
func (s *stats) recovered() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.s.Progress.Phase == "snapshot" {
		s.move(Snapshot)
	} else {
		s.move(Streaming)
	}
}

// standby is the source's Env.Standby.
func (s *stats) standby(waiting bool, holder string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.s.Holder = holder
	if waiting {
		s.move(Standby)
	} else {
		s.s.Holder = ""
		s.move(Starting)
	}
}

// progress is the source's Env.Progress.
func (s *stats) progress(p source.Progress) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.s.Progress = p
	s.behind.Set(float64(p.LogBehind))
	if s.s.State != Snapshot && s.s.State != Streaming {
		return
	}
	switch p.Phase {
	case "snapshot":
		s.move(Snapshot)
	case "stream":
		s.move(Streaming)
	}
}

// committed notes a transaction that is durable.
func (s *stats) committed(t *cut, up source.Position, at time.Time, cost time.Duration) {
	lag := 0.0
	for i := range t.samples {
		for _, micros := range t.samples[i].times[:t.samples[i].n] {
			lag = max(float64(at.UnixMicro()-micros)/1e6, 0)
			s.latency.Observe(lag)
		}
	}
	s.rows.Add(float64(t.rows))
	s.bytes.Add(float64(t.bytes))
	s.commit.Inc()
	s.cost.Observe(cost.Seconds())
	s.mu.Lock()
	defer s.mu.Unlock()
	s.s.Position = up.Version
	s.s.Rows += int64(t.rows)
	s.s.Bytes += int64(t.bytes)
	s.s.Transactions++
	if len(t.samples) > 0 {
		s.s.Lag = lag
	}
}

func (s *stats) deadLetter(topic string) {
	s.dead.WithLabelValues(topic).Inc()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.s.DeadLetters++
}
