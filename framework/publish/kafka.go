package publish

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/plugin/kzap"

	"github.com/syncline-io/syncline/framework/failure"
)

const (
	// maxRequest is the largest produce request, and so the largest record that is tried whatever the topic allows:
	// the brokers' socket.request.max.bytes is 100 MiB by default.
	maxRequest = 95 << 20
	// pingTimeout is how long a broker may take to answer at all.
	pingTimeout = 10 * time.Second
	// startTimeout bounds each step of the beginning of a tenure.
	startTimeout = time.Minute
	// fetchBytes bounds what a client of ours reads ahead, of positions, of a quarantine's topic.
	fetchBytes = 4 << 20
	// transactionBackoff is the client's pause when the broker says that the last transaction is still being completed.
	transactionBackoff = 2 * time.Millisecond
)

// client returns the options that all of the publisher's clients share; role ends the client id that brokers log.
func (o *Options) client(role string) []kgo.Opt {
	return append(append([]kgo.Opt(nil), o.Kafka...),
		kgo.ClientID(o.transactionalID()+"."+role),
		kgo.WithLogger(kzap.New(o.Log.Named("kafka"), kzap.Level(kgo.LogLevelWarn))),
		kgo.MetadataMinAge(100*time.Millisecond),
		kgo.FetchMaxBytes(fetchBytes),
	)
}

// producer returns the client for events and positions.
func (o *Options) producer(ts *topics) (*transactor, error) {
	return o.writer(ts, "events", o.transactionalID())
}

// homecomer returns the client that empties quarantine topics. Its transactional id is its own, and fences a predecessor's.
func (o *Options) homecomer(ts *topics) (*transactor, error) {
	return o.writer(ts, "home", o.transactionalID()+".home")
}

func (o *Options) writer(ts *topics, role, transactionalID string) (*transactor, error) {
	t := &transactor{}
	opts := append(o.client(role),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerLinger(0), // the queue does the waiting, and knows better
		kgo.ProducerBatchCompression(kgo.SnappyCompression()),
		kgo.ProducerBatchMaxBytesFn(func(topic string) int32 { t.meet(topic); return ts.maxBatch(topic) }),
		// The queue bounds what is buffered; the client's own bound would block the committer.
		kgo.MaxBufferedRecords(1<<30),
		kgo.UnknownTopicRetries(20),
		kgo.StopProducerOnDataLossDetected(),
	)
	if !o.AtLeastOnce {
		opts = append(opts,
			kgo.TransactionalID(transactionalID),
			kgo.TransactionTimeout(o.TransactionTimeout),
			kgo.ConcurrentTransactionsBackoff(transactionBackoff),
		)
	}
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, err
	}
	t.Client = cl
	return t, nil
}

// side returns the client for what is not part of a transaction: topics and the tables topic.
func (o *Options) side() (*kgo.Client, error) {
	return kgo.NewClient(append(o.client("admin"),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerLinger(0),
		kgo.UnknownTopicRetries(20),
		kgo.RecordDeliveryTimeout(startTimeout),
	)...)
}

// ping says plainly whether there is a Kafka that answers; the client's own tries would go on for long.
func ping(ctx context.Context, cl *kgo.Client) error {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	err := cl.Ping(ctx)
	if err == nil {
		return nil
	}
	err = fmt.Errorf("reach Kafka: %w", err)
	if failure.RefusedCertificate(err) {
		return err
	}
	if _, answered := errors.AsType[*kerr.Error](err); !answered {
		return failure.WithHint(err, "see that the brokers run and can be reached from here, and that kafka.brokers names them")
	}
	return err
}

// hintCertificate is the way out when one side of a TLS connection did not accept the other's certificate.
const hintCertificate = "check kafka.tls: ca against the brokers' certificate, server_name against its names, cert and key where the brokers ask for them"

// produceSync returns when the brokers have r, when they never will, or when ctx ends, whichever comes first. The client's
// own ProduceSync comes back at the end of ctx only if it can prove that r was not written: with a request unanswered and
// the brokers gone it waits for them, and with it a stop of the whole connector. What then becomes of r is for who closes
// the client.
func produceSync(ctx context.Context, cl *kgo.Client, r *kgo.Record) error {
	done := make(chan error, 1)
	cl.Produce(ctx, r, func(_ *kgo.Record, err error) { done <- err })
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// spent reports whether the client can produce nothing any more: a broker has refused it a producer id, or the one that it had
// (INVALID_PRODUCER_EPOCH of a coordinator in trouble, a permission lost), and kgo keeps that answer for as long as the client
// lives.
func spent(ctx context.Context, cl *kgo.Client) bool {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	_, _, err := cl.ProducerID(ctx)
	refused, answered := errors.AsType[*kerr.Error](err)
	return answered && !refused.Retriable
}

// classify marks what Kafka's errors mean to a publisher. started says that the publisher has been at work before:
// credentials that are refused then were good once, and may be again.
func classify(err error, started bool) error {
	if err == nil || failure.Classify(err) != failure.Retry {
		return err
	}
	for _, fenced := range []error{
		kerr.InvalidProducerEpoch, kerr.ProducerFenced, kerr.InvalidProducerIDMapping, kerr.TransactionalIDNotFound,
		kerr.InvalidTxnState, kerr.TransactionAbortable, kerr.UnknownProducerID, errEpochChanged,
	} {
		if errors.Is(err, fenced) {
			return failure.As(failure.Fenced, err, "")
		}
	}
	if started {
		return err
	}
	if failure.RefusedCertificate(err) {
		return failure.As(failure.Config, err, hintCertificate)
	}
	for _, refused := range []error{
		kerr.SaslAuthenticationFailed, kerr.UnsupportedSaslMechanism, kerr.IllegalSaslState, kerr.TopicAuthorizationFailed,
		kerr.ClusterAuthorizationFailed, kerr.TransactionalIDAuthorizationFailed,
	} {
		if errors.Is(err, refused) {
			return failure.As(failure.Config, err, "see the key kafka, and what the brokers allow this user")
		}
	}
	if errors.Is(err, kerr.InvalidTransactionTimeout) {
		return failure.As(failure.Config, err, "the transaction timeout is above the brokers' transaction.max.timeout.ms")
	}
	return err
}

// errEpochChanged: the client replaced its producer id by itself, so that records of one transaction might have gone
// to two.
var errEpochChanged = errors.New("the producer epoch changed in the middle of a transaction")

// epoch returns what identifies the transaction that is open.
func epoch(ctx context.Context, cl *kgo.Client) ([2]int64, error) {
	id, e, err := cl.ProducerID(ctx)
	if err != nil {
		return [2]int64{}, fmt.Errorf("obtain a producer id: %w", err)
	}
	return [2]int64{id, int64(e)}, nil
}
