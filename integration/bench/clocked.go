package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// transactionsPerSecond is the most that the writers make; beyond it their transactions have several rows.
	transactionsPerSecond = 1000
	// warmUp is left out at the beginning of a measurement: the topic is made then, and the transaction's first partition
	// is added.
	warmUp = 2 * time.Second
	// writers share the load, so that one commit's wait for the disk does not hold up the next transaction.
	writers = 4
)

// clocked is a table into which rows are written by the clock, so many in a second.
type clocked struct {
	stage   *stage
	rate    int
	seconds int
	conn    *pgx.Conn
	writers []*pgx.Conn
	// next is the id of the next row.
	next int
}

// rateOf is the recipe of a load of so many rows in a second.
func rateOf(rate int) recipe[*clocked] {
	name := fmt.Sprintf("rate %d", rate)
	return recipe[*clocked]{name, func(ctx context.Context, s *stage, o options) (_ *clocked, err error) {
		l := &clocked{stage: s, rate: rate, seconds: o.seconds}
		defer func() {
			if err != nil {
				l.disconnect()
			}
		}()
		if l.conn, err = s.database(ctx, underscored(name)); err != nil {
			return nil, err
		}
		for range writers {
			w, err := s.database(ctx, underscored(name))
			if err != nil {
				return nil, err
			}
			l.writers = append(l.writers, w)
		}
		return l, execute(ctx, l.conn, order.create("rows"))
	}}
}

func (l *clocked) disconnect() {
	for _, w := range l.writers {
		disconnect(w)
	}
	if l.conn != nil {
		disconnect(l.conn)
	}
}

func (l *clocked) drop(ctx context.Context) error {
	for _, w := range l.writers {
		disconnect(w)
	}
	return l.stage.dropDatabase(ctx, l.conn)
}

func (l *clocked) url() string { return l.stage.server.URL(l.conn.Config().Database) }

// group is how many rows a transaction has.
func (l *clocked) group() int { return max(l.rate/transactionsPerSecond, 1) }

// insert commits rows with so many ids from the first on.
func (l *clocked) insert(ctx context.Context, writer, first, n int) error {
	_, err := l.writers[writer].Exec(ctx, order.insert("rows", "$1::bigint", "$2::bigint"), first, first+n-1)
	return err
}

// send does something with so many ids from the first on; it is called by one goroutine for each writer.
type send func(ctx context.Context, writer, first, n int) error

// receiveAll tells seen when each row came, by its id less first, until all of count have come.
type receiveAll func(ctx context.Context, first, count int, seen func(index int, at time.Time) error) error

// measure sends ids at the rate of the load and waits until the receiver has seen all of them, each once.
func (l *clocked) measure(ctx context.Context, send send, receive receiveAll) (latencies, error) {
	first, group := l.next, l.group()
	warm := int(warmUp.Seconds()) * l.rate
	count := warm + l.seconds*l.rate
	l.next += count
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	sent, came := make([]time.Time, count), make([]time.Time, count)
	var received error
	done := make(chan struct{})
	go func() {
		defer close(done)
		left := count
		received = receive(ctx, first, count, func(i int, at time.Time) error {
			if i < 0 || i >= count || !came[i].IsZero() {
				return fmt.Errorf("row %d was not sent or has come before", first+i)
			}
			came[i], left = at, left-1
			return nil
		})
		if received != nil {
			received = fmt.Errorf("%d of %d rows did not come: %w", left, count, received)
			cancel()
		}
	}()
	sending := l.sendAll(ctx, send, first, count, group, sent)
	if sending != nil {
		cancel()
	}
	<-done
	// Each side's trouble ends the other; both are told.
	if err := errors.Join(sending, received); err != nil {
		return latencies{}, err
	}
	var m latencies
	for i := warm; i < count; i++ {
		m.sorted = append(m.sorted, float64(came[i].Sub(sent[i]))/float64(time.Millisecond))
	}
	slices.Sort(m.sorted)
	return m, nil
}

// sendAll sends count ids in groups, each at its time, and notes when.
func (l *clocked) sendAll(ctx context.Context, send send, first, count, group int, sent []time.Time) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var waiting sync.WaitGroup
	failed := make(chan error, writers)
	began := time.Now()
	for w := range writers {
		waiting.Go(func() {
			for i := w * group; i < count; i += writers * group {
				time.Sleep(time.Until(began.Add(time.Duration(i) * time.Second / time.Duration(l.rate))))
				now, n := time.Now(), min(group, count-i)
				for k := range n {
					sent[i+k] = now
				}
				if err := send(ctx, w, first+i, n); err != nil {
					failed <- err
					cancel()
					return
				}
			}
		})
	}
	waiting.Wait()
	close(failed)
	return <-failed
}

// latencies are the sorted times of one measurement, in milliseconds.
type latencies struct{ sorted []float64 }

// sample is the measurement as a run.
func (m latencies) sample(rows int) Sample {
	return Sample{Value: m.percentile(50), P99: m.percentile(99), Rows: rows}
}

// percentile is the value that so many percent of the values do not exceed.
func (m latencies) percentile(percent int) float64 {
	if len(m.sorted) == 0 {
		return 0
	}
	return m.sorted[(len(m.sorted)*percent+99)/100-1]
}
