package load

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"github.com/syncline-io/syncline/framework/crash"
	"github.com/syncline-io/syncline/framework/failure"
)

// The headers of a dead letter are Kafka Connect's, so that tools made for those read ours.
const (
	headerTopic     = "__connect.errors.topic"
	headerPartition = "__connect.errors.partition"
	headerOffset    = "__connect.errors.offset"
	headerConnector = "__connect.errors.connector.name"
	headerStage     = "__connect.errors.stage"
	headerClass     = "__connect.errors.class.name"
	headerException = "__connect.errors.exception.class.name"
	headerMessage   = "__connect.errors.exception.message"
)

// maxDeadLetter is the largest record that the dead letter topic takes: more than any topic read is likely to hold,
// with room for the headers.
const maxDeadLetter = 64 << 20

// deadLetterTimeout bounds one try to send a dead letter.
const deadLetterTimeout = 10 * time.Second

// buryUnreadable sends the records that could not be decoded to the dead letters and returns the other events.
func (w *writer) buryUnreadable(soft, hard context.Context, events []event) ([]event, error) {
	readable := events[:0]
	for i := range events {
		e := &events[i]
		if e.unreadable == nil {
			readable = append(readable, *e)
			continue
		}
		if err := w.bury(soft, hard, e, e.unreadable.stage, e.unreadable.err); err != nil {
			return nil, err
		}
	}
	return readable, nil
}

// bury makes e's record a dead letter, and returns when the brokers have acknowledged it: only then may the ledger pass
// it. A record that is buried twice, because of a crash in between, is told by its origin's topic, partition and offset.
func (w *writer) bury(soft, hard context.Context, e *event, stage string, cause error) error {
	r := e.record
	if w.opts.DeadLetters.Stop {
		return failure.As(failure.Config, fmt.Errorf("%s partition %d offset %d: %w", r.Topic, r.Partition, r.Offset, cause),
			"dead letters are switched off: repair the cause, or set the group's offset past the record, or switch them on")
	}
	var backoff failure.Backoff
	for !e.part.gone.Load() {
		crash.Point("load.before-dead-letter")
		err := w.sendDeadLetter(hard, w.deadLetter(r, stage, cause))
		if err == nil {
			crash.Point("load.after-dead-letter")
			w.stats.deadLetters.Add(1)
			w.metrics.deadLetters.WithLabelValues(r.Topic).Inc()
			w.log.Warn("dead letter", zap.String("topic", r.Topic), zap.Int32("partition", r.Partition),
				zap.Int64("offset", r.Offset), zap.String("stage", stage), zap.Error(cause))
			return nil
		}
		err = fmt.Errorf("dead letter for %s partition %d offset %d: %w", r.Topic, r.Partition, r.Offset, err)
		if w.spent(hard) {
			return err
		}
		w.stats.retrying(err)
		w.log.Warn("the dead letter topic does not take a record: waiting", zap.Error(err))
		if err := failure.Sleep(soft, backoff.Next(err)); err != nil {
			return err
		}
	}
	return nil
}

// deadLetter carries the record as it came: key, value and headers untouched.
func (w *writer) deadLetter(r *kgo.Record, stage string, cause error) *kgo.Record {
	class := "io.syncline.Refused"
	if stage != stagePut {
		class = "io.syncline.Unreadable"
	}
	headers := append([]kgo.RecordHeader(nil), r.Headers...)
	add := func(key, value string) { headers = append(headers, kgo.RecordHeader{Key: key, Value: []byte(value)}) }
	add(headerTopic, r.Topic)
	add(headerPartition, strconv.Itoa(int(r.Partition)))
	add(headerOffset, strconv.FormatInt(r.Offset, 10))
	add(headerConnector, w.opts.Name)
	add(headerStage, stage)
	add(headerClass, "io.syncline.load")
	add(headerException, class)
	add(headerMessage, cause.Error())
	return &kgo.Record{Topic: w.opts.deadLetterTopic(), Key: r.Key, Value: r.Value, Headers: headers, Timestamp: r.Timestamp}
}

func (w *writer) sendDeadLetter(ctx context.Context, letter *kgo.Record) error {
	ctx, cancel := context.WithTimeout(ctx, deadLetterTimeout)
	defer cancel()
	if !w.deadLetterTopic {
		if err := w.makeDeadLetterTopic(ctx); err != nil {
			return err
		}
		w.deadLetterTopic = true
	}
	// Not the client's ProduceSync: with a request unanswered and the brokers gone it waits for them, whatever ctx says,
	// and the stop would wait with it. A letter given up here may arrive all the same, and is then there twice.
	done := make(chan error, 1)
	w.client.Produce(ctx, letter, func(_ *kgo.Record, err error) { done <- err })
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// spent reports whether the session's client can produce nothing any more: a broker has refused it a producer id, or the one
// that it had (INVALID_PRODUCER_EPOCH of a coordinator in trouble, a permission lost), and kgo keeps that answer for as long as
// the client lives. The next session has another client.
func (w *writer) spent(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, deadLetterTimeout)
	defer cancel()
	_, _, err := w.client.ProducerID(ctx)
	refused, answered := errors.AsType[*kerr.Error](err)
	return answered && !refused.Retriable
}

// makeDeadLetterTopic creates the topic with its settings unless it is there; nothing relies on the brokers to make it.
func (w *writer) makeDeadLetterTopic(ctx context.Context) error {
	admin, name := kadm.NewClient(w.client), w.opts.deadLetterTopic()
	topics, err := admin.ListTopics(ctx, name)
	if err == nil && topics.Has(name) && topics[name].Err == nil { // Has takes any other trouble for a topic that is there
		return nil
	}
	replication := w.opts.DeadLetters.Replication
	if replication == 0 {
		replication = -1
	}
	limit := strconv.Itoa(maxDeadLetter)
	_, err = admin.CreateTopic(ctx, 1, replication, map[string]*string{"max.message.bytes": &limit}, name)
	crash.Point("load.after-dead-letter-topic")
	if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return fmt.Errorf("create topic %s: %w", name, err)
	}
	return nil
}
