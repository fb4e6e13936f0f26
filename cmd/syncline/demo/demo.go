// Package demo shows the whole line on one machine: a shop in a real PostgreSQL, an embedded broker and registry, one
// source, two sinks, live traffic, and the proof that source and targets are equal.
//
// Everything lives in one folder. A run that was killed is continued by the next one in the same folder; a run that has
// ended well empties it. Read demo.go (the order of things), platform.go (servers), shop.sql and shop.go (what is
// synchronized), files.go (the configurations), watch.go (progress and latency), proof.go.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/syncline-io/syncline/framework/embedded"
	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/run"
)

// Options says how to run the demo.
type Options struct {
	// Dir holds everything that the demo makes.
	Dir string
	// PostgresURL is a server to use; its user must be allowed to create databases and to replicate. "" starts one.
	PostgresURL string
	// Traffic is how long the shop is open.
	Traffic time.Duration
	// Keep leaves everything running after the proof, until the context ends.
	Keep bool
	// Break changes one row of a target before the proof, which must then fail and name it.
	Break bool
	// DuckDB says that the connectors include the DuckDB sink.
	DuckDB bool
	// Connectors are all that the program has.
	Connectors []run.Connector
	Out        io.Writer
}

// perSecond is the number of transactions per second of the live traffic.
const perSecond = 200

// errDiffers is returned when the proof has found differences; they are printed already.
var errDiffers = errors.New("source and targets differ")

// Run runs the demo until its end or the end of ctx, and leaves no process behind.
func Run(ctx context.Context, o Options) (err error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return err
	}
	o.Dir = dir
	p, err := startPlatform(ctx, o)
	if err != nil {
		return err
	}
	finished := false
	defer func() {
		err = errors.Join(err, p.Close())
		if finished {
			err = errors.Join(err, os.RemoveAll(o.Dir))
		}
	}()
	if err := p.openShop(ctx, o.Out); err != nil {
		return err
	}
	f, err := writeFiles(o.Dir, p.broker.Brokers(), p.broker.RegistryURL(), p.shopURL, p.copyURL, o.DuckDB)
	if err != nil {
		return err
	}
	err = synchronize(ctx, o, p, f)
	// What was broken on purpose must not be found by the next run.
	finished = err == nil && !o.Keep || o.Break && IsDifference(err)
	return err
}

// synchronize runs the connectors, watches them, and proves the result.
func synchronize(ctx context.Context, o Options, p *platform, f files) error {
	connectors, err := run.Open(o.Connectors, append([]string{f.Source}, f.sinks()...), run.Platform{AtLeastOnce: true, Sync: p.broker.Sync, Memory: embedded.Memory})
	if err != nil {
		return err
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(p.broker.Brokers()...), kgo.MetadataMinAge(100*time.Millisecond))
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithCancelCause(ctx)
	done := make(chan error, 1)
	go func() {
		err := connectors.Run(ctx)
		cancel(err) // a connector that stops by itself ends the demo
		done <- err
	}()
	w := &watch{connectors: connectors, admin: kadm.NewClient(client), out: o.Out}
	err = show(ctx, o, p, f, w)
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		err = cause
	}
	cancel(nil)
	return errors.Join(err, <-done, connectors.Close())
}

// show is what the user sees: the snapshot, the traffic, the proof.
func show(ctx context.Context, o Options, p *platform, f files, w *watch) error {
	if err := w.snapshot(ctx); err != nil {
		return err
	}
	if err := live(ctx, o, p, w); err != nil {
		return err
	}
	if o.Break {
		if err := p.breakCopy(ctx, o.Out); err != nil {
			return err
		}
	}
	equal, err := prove(ctx, o, f)
	if err != nil {
		return err
	}
	if !equal {
		return errDiffers
	}
	if o.Keep {
		p.invite(o.Out, f)
		<-ctx.Done()
	}
	return nil
}

// live opens the shop for a while and waits until everything that happened has arrived.
func live(ctx context.Context, o Options, p *platform, w *watch) error {
	c, err := pgx.Connect(ctx, p.shopURL)
	if err != nil {
		return fmt.Errorf("connect to the shop: %w", err)
	}
	defer c.Close(context.WithoutCancel(ctx)) //nolint:errcheck // the server ends with the demo
	fmt.Fprintf(o.Out, "live       %v of traffic: orders, price changes, key changes, departures, and ALTER TABLE customers ADD COLUMN half-way\n", o.Traffic)
	t := newTraffic(c)
	if err := t.run(ctx, o.Traffic, perSecond); err != nil {
		return err
	}
	var lsn string
	if err := c.QueryRow(ctx, "SELECT (pg_current_wal_lsn() - '0/0')::text").Scan(&lsn); err != nil {
		return fmt.Errorf("ask the shop for its position: %w", err)
	}
	fmt.Fprintf(o.Out, "           %d transactions, %d rows\n", t.Transactions, t.Rows)
	return w.caughtUp(ctx, lsn)
}

// IsDifference reports whether Run ended because the proof failed.
func IsDifference(err error) bool { return errors.Is(err, errDiffers) }

// hint marks err as one of the user's machine.
func hint(err error, text string) error { return failure.As(failure.Config, err, text) }
