package kills

import (
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/syncline-io/syncline/framework/load"
	"github.com/syncline-io/syncline/integration/programs"
)

// bankSQL has a table of every kind that is treated differently: with values that updates leave out, without a key, one that
// is truncated, one whose keys collide within a transaction.
const bankSQL = `
CREATE TABLE account (id bigint PRIMARY KEY, balance numeric(14,2) NOT NULL, note text);
ALTER TABLE account ALTER note SET STORAGE EXTERNAL;
CREATE TABLE keyless (n int, s text);
ALTER TABLE keyless REPLICA IDENTITY FULL;
CREATE TABLE spare (id int PRIMARY KEY, v text);
CREATE TABLE place (id int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED, v0 text);
ALTER TABLE place REPLICA IDENTITY FULL;
INSERT INTO account SELECT i, i, repeat('n', 3000) FROM generate_series(1, 100) i;
INSERT INTO keyless SELECT i % 10, 's' || i % 3 FROM generate_series(1, 50) i;
INSERT INTO spare SELECT i, 'v' FROM generate_series(1, 20) i;
INSERT INTO place VALUES (1, 'one'), (2, 'two'), (3, 'three');
`

// bank is a round of changes of all kinds, each a transaction.
func bank(p *pipeline) {
	p.round++
	n := 1000 * p.round
	for _, sql := range []string{
		fmt.Sprintf("INSERT INTO account (id, balance, note) SELECT i, 1.5, CASE WHEN i %% 40 = 0 THEN repeat('n', 3000) ELSE 'new' END FROM generate_series(%d, %d) i", n, n+199),
		fmt.Sprintf("UPDATE account SET balance = balance + 1 WHERE id BETWEEN %d AND %d", n, n+149), // long notes are not sent
		fmt.Sprintf("UPDATE account SET id = id + 500 WHERE id BETWEEN %d AND %d", n, n+2),           // nor with a new key
		fmt.Sprintf("DELETE FROM account WHERE id BETWEEN %d AND %d", n+10, n+59),
		fmt.Sprintf("INSERT INTO keyless SELECT %d, 'k' FROM generate_series(1, 3)", p.round%10),
		"UPDATE keyless SET s = 'u' WHERE ctid = (SELECT ctid FROM keyless LIMIT 1)",
		"DELETE FROM keyless WHERE ctid = (SELECT ctid FROM keyless WHERE s = 'u' LIMIT 1)",
		fmt.Sprintf("TRUNCATE spare; INSERT INTO spare SELECT i, 'round %d' FROM generate_series(1, 60) i", p.round),
	} {
		p.exec(sql)
	}
}

// big is one transaction that spans several of Kafka's.
func big(p *pipeline) {
	p.round++
	p.exec(fmt.Sprintf("INSERT INTO account (id, balance, note) SELECT i, 2, repeat('b', 500) FROM generate_series(%d, %d) i; DELETE FROM account WHERE id >= %d",
		1_000_000*p.round, 1_000_000*p.round+20_000, 1_000_000*p.round+100))
}

// alter gives account a column more and renames the one before it, and writes rows of the new version.
func alter(p *pipeline) {
	p.column++
	p.exec(fmt.Sprintf("ALTER TABLE account ADD COLUMN extra%d int", p.column))
	if p.column > 1 {
		p.exec(fmt.Sprintf("ALTER TABLE account RENAME COLUMN extra%d TO old%d", p.column-1, p.column-1))
	}
	p.exec(fmt.Sprintf("UPDATE account SET extra%d = id %% 7 WHERE id < 60", p.column))
}

// add makes a table, which the next start of the source finds and reads.
func add(p *pipeline) {
	p.round++
	p.exec(fmt.Sprintf("CREATE TABLE added%[1]d (id int PRIMARY KEY, v text); INSERT INTO added%[1]d SELECT i, repeat('v', 200) FROM generate_series(1, 500) i", p.round))
	bank(p)
}

// shrink changes what the last add has made, so that rows of a reading that was cut off would be seen.
func shrink(p *pipeline) {
	p.exec(fmt.Sprintf("DELETE FROM added%[1]d WHERE id %% 2 = 0; UPDATE added%[1]d SET id = -id WHERE id %% 3 = 0", p.round-1))
	bank(p)
}

// streaming has the source read its tables, if it has not: of a row that comes and goes before that nobody hears.
func streaming(p *pipeline) {
	p.source.Start()
	p.published()
	p.stop(p.source)
}

// tooLarge is a row that no record of the topic can hold. It is gone again, so that the sides stay equal.
func tooLarge(p *pipeline) {
	p.exec("INSERT INTO account (id, balance, note) VALUES (-1, 1, repeat('l', 300000))")
	p.large++
	p.exec("DELETE FROM account WHERE id = -1")
	p.exec("UPDATE account SET balance = balance + 1 WHERE id < 10")
}

// unpublish takes a table out of the publication for a change that is in no stream.
func unpublish(p *pipeline) {
	publication := "syncline_" + p.name
	p.exec("ALTER PUBLICATION " + publication + " DROP TABLE spare")
	p.exec("UPDATE spare SET v = 'missed'; DELETE FROM spare WHERE id = 3")
	p.exec("ALTER PUBLICATION " + publication + " ADD TABLE spare")
}

// untell swaps keys and then renames a column, so that which row has a key cannot be asked any more.
func untell(p *pipeline) {
	column := func() string { return fmt.Sprintf("v%d", p.place) }
	p.exec("DELETE FROM place; INSERT INTO place VALUES (1, 'one'), (2, 'two'), (3, 'three')")
	p.exec(fmt.Sprintf("UPDATE place SET id = 3 WHERE id = 2; UPDATE place SET id = 7 WHERE %s = 'two'", column()))
	from := column()
	p.place++
	p.exec(fmt.Sprintf("ALTER TABLE place RENAME COLUMN %s TO %s", from, column()))
}

// unreadable writes records that are no changes.
func unreadable(p *pipeline) {
	topic := p.topic("garbage")
	for range 2 {
		r := &kgo.Record{Topic: topic, Value: []byte("this is no Avro")}
		if err := p.kafka.ProduceSync(p.t.Context(), r).FirstErr(); err != nil {
			p.t.Fatal(err)
		}
		p.garbage++
	}
}

func (p *pipeline) create(topic string) {
	p.t.Helper()
	programs.Eventually(p.t, patience, "topic "+topic, func() error {
		listed, err := p.admin.ListTopics(p.t.Context(), topic)
		if err != nil || listed.Has(topic) && listed[topic].Err == nil {
			return err
		}
		_, err = p.admin.CreateTopic(p.t.Context(), 1, -1, nil, topic)
		return err
	})
}

// refusedBy is the constraint that the target's owner has made.
const refusedBy = "not_negative"

// forbid has the target refuse rows.
func forbid(p *pipeline) {
	p.execTarget("ALTER TABLE account DROP CONSTRAINT IF EXISTS " + refusedBy)
	p.execTarget("ALTER TABLE account ADD CONSTRAINT " + refusedBy + " CHECK (balance >= 0)")
}

// refused writes rows of which the target takes all but one.
func refused(p *pipeline) {
	p.round++
	p.exec(fmt.Sprintf("INSERT INTO account (id, balance) SELECT i, CASE WHEN i %% 40 = 7 THEN -1 ELSE 1 END FROM generate_series(%d, %d) i", 1000*p.round, 1000*p.round+39))
	p.refusals++
}

// allow removes what the target has refused, so that the sides are equal. Before that, each of these rows must have been
// written: of one that is gone within the same batch there would be no dead letter.
func allow(p *pipeline) {
	p.published()
	p.written()
	p.exec("DELETE FROM account WHERE balance < 0")
}

// reset sets the group back to the beginning of a topic, as an operator does.
func reset(p *pipeline, topic string) {
	p.t.Helper()
	offsets := kadm.Offsets{}
	ends, err := p.admin.ListStartOffsets(p.t.Context(), topic)
	if err != nil {
		p.t.Fatal(err)
	}
	ends.Each(func(o kadm.ListedOffset) { offsets.AddOffset(topic, o.Partition, o.Offset, -1) })
	if err := p.admin.CommitAllOffsets(p.t.Context(), p.group(), offsets); err != nil {
		p.t.Fatal(err)
	}
}

// replay empties a table without key at the target and has it written again from its topic: twice obeyed, or obeyed after
// rows were written, it would have rows twice.
func replay(p *pipeline) {
	p.execTarget("DELETE FROM keyless")
	reset(p, p.topic("keyless"))
}

// replayKeyed has a table written again that is there.
func replayKeyed(p *pipeline) { reset(p, p.topic("account")) }

// hurt ends the sink's session at the target under its hands.
func hurt(p *pipeline) {
	bank(p)
	if p.round%10 != 0 {
		return // what comes after the failure must not fail as well
	}
	p.execTarget("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'syncline %'")
}

// recreate has the sink claim a topic before its first record, and makes that topic anew.
func recreate(p *pipeline) {
	topic := p.topic("fleeting")
	p.create(topic)
	p.sink.Start()
	programs.Eventually(p.t, patience, "the sink has the topic", func() error { return p.owns(p.sink, topic) })
	p.stop(p.sink)
	if _, err := p.admin.DeleteTopic(p.t.Context(), topic); err != nil {
		p.t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond) // the brokers delete a moment after they have said so
	p.create(topic)
}

// owns says whether the program has partitions, of the topic if there is one.
func (p *pipeline) owns(program *programs.Program, topic string) error {
	p.mustRun(program)
	var s load.Status
	if err := program.Status(&s); err != nil {
		return err
	}
	for _, part := range s.Partitions {
		if topic == "" || part.Topic == topic {
			return nil
		}
	}
	return fmt.Errorf("%s has no such partition", s.State)
}

// join starts a second copy of the sink once the first has all partitions, some of which it must then hand over.
func join(p *pipeline) {
	bank(p)
	if p.second != nil || p.owns(p.sink, "") != nil {
		return
	}
	p.firstMembers = p.members()
	p.second = programs.New(p.t, p.sink.Name, p.sinkYAML)
	p.second.Start()
}
