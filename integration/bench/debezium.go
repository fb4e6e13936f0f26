package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/syncline-io/syncline/framework/child"
	"github.com/syncline-io/syncline/integration/engines"
)

// debezium is a Kafka Connect worker with Debezium's source and JDBC sink, with the registry that its Avro converter
// needs.
type debezium struct {
	*engines.Connect
	registry *engines.Registry
	broker   *broker
	pid      int
}

// workerHeap is twice what is given by default: nobody who cares for speed leaves that.
const workerHeap = "2g"

// startDebezium returns the worker, on Apache Kafka.
func startDebezium(ctx context.Context, s *stage) (*debezium, error) {
	b, err := toKafka(ctx, s)
	if err != nil {
		return nil, err
	}
	return started(s, "Kafka Connect with Debezium", func(dir string) (*debezium, func(), error) {
		registry, err := engines.StartRegistry(ctx, engines.RegistryOptions{Dir: s.file("registry")})
		if err != nil {
			return nil, nil, err
		}
		worker, err := engines.StartConnect(ctx, engines.ConnectOptions{
			Dir: dir, Kafka: b.address, Registry: registry.URL(), Heap: workerHeap,
			Settings: map[string]string{"offset.flush.interval.ms": "5000"},
		})
		if err != nil {
			registry.Stop()
			return nil, nil, err
		}
		d := &debezium{worker, registry, b, child.Leftover(filepath.Join(dir, "pid"), dir)}
		return d, func() { worker.Stop(); registry.Stop() }, nil
	})
}

// run makes a connector, has it measured, and ends it. The worker lives on, so its CPU is what it used between, and the
// most memory is that of its whole life.
func (d *debezium) run(ctx context.Context, name string, config map[string]string, measure func(failure func() error) (Sample, error)) (Sample, error) {
	before := cpuOfProcess(d.pid)
	m := watch(d.pid)
	if err := d.PutConnector(ctx, name, config); err != nil {
		m.stop()
		return Sample{}, err
	}
	sample, err := measure(func() error {
		state, trace, err := d.ConnectorTask(ctx, name)
		if err == nil && state == "FAILED" {
			err = fmt.Errorf("connector %s has failed: %s", name, trace)
		}
		return err
	})
	used := m.stop()
	used.CPUSeconds -= before
	sample.add(used)
	return sample, errors.Join(err, d.DeleteConnector(ctx, name))
}

// converter says how Debezium's records are written: json is Connect's JSON converter without schemas, avro the one that
// can be had from a public repository, which costs about twice the CPU of Confluent's.
type converter string

const (
	jsonConverter converter = "json"
	avroConverter converter = "avro"
)

// settings make Connect's JSON converter that of a connector; Avro's is the worker's.
func (c converter) settings() map[string]string {
	if c == avroConverter {
		return nil
	}
	all := map[string]string{}
	for _, side := range []string{"key", "value"} {
		all[side+".converter"] = "org.apache.kafka.connect.json.JsonConverter"
		all[side+".converter.schemas.enable"] = "false"
	}
	return all
}

// tunedSource is Debezium's source as its users tune it for throughput: large queues and batches, and a producer that
// fills its requests. wait is for how long it lets records gather.
func tunedSource(database string, port int, name, slot, snapshot string, c converter, wait time.Duration) map[string]string {
	all := map[string]string{
		"connector.class": "io.debezium.connector.postgresql.PostgresConnector", "plugin.name": "pgoutput", "tasks.max": "1",
		"database.hostname": "127.0.0.1", "database.port": strconv.Itoa(port), "database.user": "postgres", "database.password": "", "database.dbname": database,
		"topic.prefix": name, "slot.name": slot, "publication.name": publication, "publication.autocreate.mode": "filtered",
		"table.include.list": `public\.rows`, "snapshot.mode": snapshot, "snapshot.fetch.size": "20000",
		"max.batch.size": "20480", "max.queue.size": "81920", "poll.interval.ms": strconv.FormatInt(wait.Milliseconds(), 10),
		"producer.override.compression.type": "snappy", "producer.override.batch.size": "524288",
		"producer.override.linger.ms": strconv.FormatInt(wait.Milliseconds()/2, 10), "producer.override.buffer.memory": "134217728",
		"topic.creation.default.replication.factor": "1", "topic.creation.default.partitions": "1",
	}
	maps.Copy(all, c.settings())
	return all
}

// gather is how long Debezium's source lets records gather when throughput counts.
const gather = 10 * time.Millisecond

func (s *stage) serverPort() (int, error) {
	u, err := url.Parse(s.server.URL(""))
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(u.Port())
}

// debeziumStream is a baseline: Debezium's source drains a copy of the slot into Apache Kafka, at least once. The clock is
// that of the subject.
func debeziumStream(c converter) side[*changes] {
	return side[*changes]{name: "Debezium, " + string(c) + " converter", cold: true, run: func(ctx context.Context, s *stage, l *changes) (Sample, error) {
		d, err := startDebezium(ctx, s)
		if err != nil {
			return Sample{}, err
		}
		port, err := s.serverPort()
		if err != nil {
			return Sample{}, err
		}
		name := s.unique("debezium")
		slot, err := l.slot.copy(ctx, underscored(name))
		if err != nil {
			return Sample{}, err
		}
		topics := topics(name, l.tables)
		config := tunedSource(l.conn.Config().Database, port, name, slot.name, "no_data", c, gather)
		sample, err := d.run(ctx, name, config, func(failure func() error) (Sample, error) {
			start, err := slot.untilUsed(ctx, failure)
			if err != nil {
				return Sample{}, err
			}
			end, err := d.broker.untilArrived(ctx, func() error { return nil }, atLeastOnce, topics, l.records)
			return Sample{Value: perSecond(l.count, end.Sub(start)), Rows: l.count}, err
		})
		if err := errors.Join(err, d.broker.dropTopics(ctx, topics)); err != nil {
			return sample, err
		}
		return sample, slot.drop(ctx)
	}}
}

// debeziumSnapshot is a baseline: Debezium's source reads the table whole. The clock runs from the moment when the server
// is at its query of the table.
func debeziumSnapshot(c converter) side[*frozen] {
	return side[*frozen]{name: "Debezium, " + string(c) + " converter", cold: true, run: func(ctx context.Context, s *stage, l *frozen) (Sample, error) {
		d, err := startDebezium(ctx, s)
		if err != nil {
			return Sample{}, err
		}
		port, err := s.serverPort()
		if err != nil {
			return Sample{}, err
		}
		name := s.unique("debezium")
		slot, topics := slot{l.conn, underscored(name)}, topics(name, []string{"rows"})
		config := tunedSource(l.conn.Config().Database, port, name, slot.name, "initial", c, gather)
		sample, err := d.run(ctx, name, config, func(failure func() error) (Sample, error) {
			start, err := until(ctx, quickLook, "Debezium reads the table", func() (bool, error) {
				if err := failure(); err != nil {
					return false, err
				}
				return one[bool](ctx, l.conn, `select exists (select from pg_stat_activity where datname = current_database()
					and pid <> pg_backend_pid() and query ~* 'from "public"."rows"')`)
			})
			if err != nil {
				return Sample{}, err
			}
			end, err := d.broker.untilArrived(ctx, func() error { return nil }, atLeastOnce, topics, l.rows)
			return Sample{Value: perSecond(l.rows, end.Sub(start)), Rows: l.rows}, err
		})
		if err := errors.Join(err, d.broker.dropTopics(ctx, topics)); err != nil {
			return sample, err
		}
		return sample, slot.drop(ctx)
	}}
}

// debeziumLatency is a baseline: Debezium's source tuned for latency, at least once.
var debeziumLatency = side[*clocked]{name: "Debezium, json converter, at least once", cold: true, run: func(ctx context.Context, s *stage, l *clocked) (Sample, error) {
	d, err := startDebezium(ctx, s)
	if err != nil {
		return Sample{}, err
	}
	port, err := s.serverPort()
	if err != nil {
		return Sample{}, err
	}
	name := s.unique("debezium")
	slot, topic := slot{l.conn, underscored(name)}, name+".public.rows"
	sample, err := d.run(ctx, name, tunedSource(l.conn.Config().Database, port, name, slot.name, "no_data", jsonConverter, time.Millisecond), func(failure func() error) (Sample, error) {
		if _, err := slot.untilUsed(ctx, failure); err != nil {
			return Sample{}, err
		}
		m, err := l.measure(ctx, l.insert, d.broker.consume(topic, jsonID))
		return m.sample(l.rows()), err
	})
	if err := errors.Join(err, d.broker.dropTopics(ctx, []string{topic})); err != nil {
		return sample, err
	}
	return sample, slot.drop(ctx)
}}

// jsonID takes the row's id from a key of the JSON converter; what is none becomes an id that was not sent.
func jsonID(r *kgo.Record) int {
	var key struct{ ID int }
	if err := json.Unmarshal(r.Key, &key); err != nil {
		return -1
	}
	return key.ID
}

// jdbcSink is a baseline: Debezium's JDBC sink as its users tune it, from the same topic into a table of the same
// definition. The clock runs from the moment when its consumer has its partition until the last row is in the table.
func jdbcSink(size int) side[*recorded] {
	return side[*recorded]{name: "Debezium's JDBC sink", cold: true, run: func(ctx context.Context, s *stage, l *recorded) (Sample, error) {
		d, err := startDebezium(ctx, s)
		if err != nil {
			return Sample{}, err
		}
		if err := l.prepareTarget(ctx); err != nil {
			return Sample{}, err
		}
		u, err := url.Parse(l.targetURL())
		if err != nil {
			return Sample{}, err
		}
		name := s.unique("jdbc")
		config := map[string]string{
			"connector.class": "io.debezium.connector.jdbc.JdbcSinkConnector", "tasks.max": "1", "topics": l.topic,
			"connection.url":      fmt.Sprintf("jdbc:postgresql://%s%s?sslmode=disable&reWriteBatchedInserts=true", u.Host, u.Path),
			"connection.username": u.User.Username(), "connection.password": "",
			"insert.mode": "upsert", "primary.key.mode": "record_key", "delete.enabled": "true", "schema.evolution": "none",
			"collection.name.format": "rows", "batch.size": strconv.Itoa(size), "use.reduction.buffer": "true",
			"consumer.override.max.poll.records": strconv.Itoa(size), "consumer.override.fetch.min.bytes": "1048576",
			"consumer.override.fetch.max.wait.ms": "100", "consumer.override.max.partition.fetch.bytes": "10485760",
			"consumer.override.auto.offset.reset": "earliest", "header.converter": "org.apache.kafka.connect.storage.StringConverter",
		}
		sample, err := d.run(ctx, name, config, func(failure func() error) (Sample, error) {
			start, err := d.untilAssigned(ctx, failure, "connect-"+name)
			if err != nil {
				return Sample{}, err
			}
			end, err := l.untilLastRow(ctx, failure)
			return Sample{Value: perSecond(l.count, end.Sub(start)), Rows: l.count}, err
		})
		if err != nil {
			return sample, err
		}
		return sample, l.mustBeThere(ctx)
	}}
}

// untilAssigned returns when a consumer group has members with partitions.
func (d *debezium) untilAssigned(ctx context.Context, failure func() error, group string) (time.Time, error) {
	return until(ctx, quickLook, "group "+group+" has its partitions", func() (bool, error) {
		if err := failure(); err != nil {
			return false, err
		}
		groups, err := d.broker.admin.DescribeGroups(ctx, group)
		if errors.Is(err, kerr.CoordinatorNotAvailable) { // the first group of a broker makes the topic of all groups
			return false, nil
		}
		if err != nil {
			return false, err
		}
		described := groups[group]
		return len(described.AssignedPartitions()) > 0, nil
	})
}

// untilLastRow returns when the table has the last row of the topic, which has one partition.
func (l *recorded) untilLastRow(ctx context.Context, failure func() error) (time.Time, error) {
	var id, quantity int64
	if err := l.source.QueryRow(ctx, "select id, quantity from rows order by id desc limit 1").Scan(&id, &quantity); err != nil {
		return time.Time{}, err
	}
	looks := 0
	return until(ctx, slowLook, "the last row is in the target", func() (bool, error) {
		if looks++; looks%50 == 0 {
			if err := failure(); err != nil {
				return false, err
			}
		}
		return one[bool](ctx, l.target, "select exists (select from rows where id = $1 and quantity = $2)", id, quantity)
	})
}

// onKafka is a load of records on Apache Kafka, with schemas in the registry that Debezium's converter reads too.
func onKafka(name string, share float64, written func(rows int) past) recipe[*recorded] {
	return recipe[*recorded]{name, func(ctx context.Context, s *stage, o options) (*recorded, error) {
		d, err := startDebezium(ctx, s)
		if err != nil {
			return nil, err
		}
		return s.record(ctx, strings.ReplaceAll(name, " ", "_"), written(o.part(share)), where{d.broker, d.registry.URL()}, 1)
	}}
}
