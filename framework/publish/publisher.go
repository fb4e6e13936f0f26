package publish

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/source"
)

// Publisher takes the changes of one source to Kafka.
type Publisher struct {
	opts  Options
	stats *stats
	// proven says that an earlier tenure has committed something; it belongs to Run.
	proven bool
}

// New checks the options; it connects to nothing.
func New(o Options) (*Publisher, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, failure.As(failure.Config, err, "")
	}
	stats, err := newStats(o.Metrics)
	if err != nil {
		return nil, err
	}
	return &Publisher{opts: o, stats: stats}, nil
}

// Status tells how the publisher is doing. It may be called at any time from any goroutine.
func (p *Publisher) Status() Status { return p.stats.status() }

// Run publishes until ctx ends; it then commits what is buffered and returns nil. Failures are tried again for ever,
// with back-off, except those marked as the configuration's or as a gap in the log: these are returned.
func (p *Publisher) Run(ctx context.Context) error {
	var backoff failure.Backoff
	for {
		before := p.stats.commits()
		p.proven = before > 0
		p.stats.enter(Starting)
		err := p.serve(ctx)
		if p.stats.commits() > before {
			backoff.Reset()
		}
		err = classify(err, p.stats.commits() > 0)
		if ctx.Err() != nil && !failure.IsFinal(err) {
			return p.stopped(err)
		}
		if failure.IsFinal(err) {
			err = p.opts.locate(err)
			p.stats.failed(Stopped, err)
			return err
		}
		wait := backoff.Next(err)
		p.retrying(err, wait)
		if failure.Sleep(ctx, wait) != nil {
			return p.stopped(nil)
		}
	}
}

// environment takes the source's word that the configuration is wrong for what it is when the same configuration has
// worked in this process: passwords and privileges that are lost meanwhile may come back. The hint stays.
func (p *Publisher) environment(err error) error {
	if p.proven && failure.Classify(err) == failure.Config {
		return failure.As(failure.Retry, err, "")
	}
	return err
}

// locate adds to a gap where the position is: to delete it is part of most ways out.
func (o *Options) locate(err error) error {
	topic := o.offsetsTopic()
	if failure.Classify(err) != failure.Gap || strings.Contains(err.Error(), topic) {
		return err
	}
	return fmt.Errorf("%w; the position is kept in topic %s", err, topic)
}

// stopped ends a soft stop. What could not be committed in time is not lost: it is read again by the next tenure.
func (p *Publisher) stopped(err error) error {
	if err != nil && !errors.Is(err, context.Canceled) {
		p.opts.Log.Warn("stopped before everything was committed; the rest is read again at the next start", zap.Error(err))
	}
	p.stats.enter(Stopped)
	return nil
}

func (p *Publisher) retrying(err error, wait time.Duration) {
	if failure.Classify(err) == failure.Fenced {
		p.opts.Log.Warn("another instance has taken over, or the transaction timed out; going back to the lease",
			zap.Error(err), zap.Duration("wait", wait))
	} else {
		p.opts.Log.Error("publishing failed, trying again", zap.Error(err), zap.Duration("wait", wait))
	}
	p.stats.retrying(err)
}

func (p *Publisher) env() source.Env {
	return source.Env{
		Name:     p.opts.Name,
		Log:      p.opts.Log,
		Metrics:  p.opts.Metrics,
		Memory:   p.opts.SourceBytes,
		Standby:  p.stats.standby,
		Progress: p.stats.progress,

		Transactions: p.opts.Transactions,
	}
}
