package kills

import (
	"fmt"

	"github.com/syncline-io/syncline/integration/programs"
)

// twoPartitions has truncates and schema changes meet in the partitions of a topic.
const twoPartitions = "topics: {partitions: 2}\n"

// sinkChain kills the sink that writes to PostgreSQL.
var sinkChain = chain{
	name: "sink", victim: "sink", sink: "postgres-sink", tables: bankSQL, source: twoPartitions,
	kills: []kill{
		{at: "postgres-sink.own-tables-made"}, // the first start makes them
		{at: "load.before-claim", down: bank},
		{at: "postgres-sink.fence-raised", down: bank},
		{at: "load.after-claim", down: bank},
		{at: "load.before-evolve", down: alter},
		{at: "postgres-sink.statement-done", down: alter},
		{at: "postgres-sink.table-recorded", down: alter},
		{at: "postgres-sink.table-recorded", down: adopt},
		{at: "load.after-evolve", down: alter},
		{at: "load.before-write", pass: 2, traffic: bank},
		{at: "postgres-sink.table-truncated", traffic: bank},
		{at: "postgres-sink.rows-staged", traffic: bank},
		{at: "postgres-sink.new-rows-copied", traffic: bank},
		{at: "postgres-sink.table-written", pass: 2, traffic: bank},
		{at: "postgres-sink.ledger-moved", pass: 2, traffic: bank},
		{at: "load.after-write", pass: 2, traffic: bank},
		{at: "load.before-group-offset", pass: 2, traffic: bank},
		{at: "load.after-group-offset", pass: 2, traffic: bank},
		{at: "load.truncate-met", traffic: bank},
		{at: "load.truncate-arrived", traffic: bank},
		{at: "load.after-dead-letter-topic", traffic: unreadable},
		{at: "load.before-dead-letter", traffic: unreadable},
		{at: "load.after-dead-letter", traffic: unreadable},
		{at: "load.between-halves", down: forbid, traffic: refused, up: allow},
		{at: "load.after-dead-letter", down: forbid, traffic: refused, up: allow},
		{at: "load.before-settling", traffic: hurt},
		{at: "load.after-settling", traffic: hurt},
		{at: "load.before-reset", down: replay, traffic: bank},
		{at: "postgres-sink.ledger-reset", down: replay, traffic: bank},
		{at: "load.after-reset", down: replay, traffic: bank},
		{at: "load.after-reset-mark", down: replay, traffic: bank},
		{at: "load.after-write", down: replay, traffic: bank},
		{at: "load.after-new-topic-id", down: recreate},
		{at: "load.before-hand-over", traffic: join, dead: heir, up: alone},
		{at: "load.in-hand-over", traffic: join, dead: heir, up: alone},
		{at: "load.after-hand-over", traffic: join, dead: heir, up: alone},
	},
}

// duckChain kills the sink that writes to a DuckDB file.
var duckChain = chain{
	name: "duck", victim: "sink", sink: "duckdb-sink", tables: bankSQL, source: twoPartitions,
	kills: []kill{
		{at: "duckdb-sink.own-tables-made"},
		{at: "duckdb-sink.fence-raised", down: bank},
		{at: "load.after-claim", down: bank},
		{at: "duckdb-sink.statement-done", down: alter},
		{at: "duckdb-sink.table-recorded", down: alter},
		{at: "load.after-evolve", down: alter},
		{at: "duckdb-sink.ledger-moved", pass: 2, traffic: bank},
		{at: "duckdb-sink.table-truncated", traffic: bank},
		{at: "duckdb-sink.rows-staged", pass: 2, traffic: bank},
		{at: "duckdb-sink.table-written", pass: 2, traffic: bank},
		{at: "duckdb-sink.after-commit", pass: 8, traffic: bank},
		{at: "load.after-write", pass: 2, traffic: bank},
		{at: "load.after-dead-letter", traffic: unreadable},
		{at: "duckdb-sink.ledger-reset", down: replayKeyed, traffic: bank},
		{at: "load.after-reset", down: replayKeyed, traffic: bank},
	},
}

// adopt makes a table at the source, and at the target as a person would.
func adopt(p *pipeline) {
	p.round++
	p.exec(fmt.Sprintf("CREATE TABLE adopted%[1]d (id int PRIMARY KEY, v text); INSERT INTO adopted%[1]d VALUES (1, 'v')", p.round))
	p.execTarget(fmt.Sprintf("CREATE TABLE adopted%d (id int PRIMARY KEY, v text, own text DEFAULT 'a person''s')", p.round))
	p.restartSource()
	p.published()
}

// heir waits until the second copy has what the dead one had.
func heir(p *pipeline) {
	p.forget(p.firstMembers...)
	programs.Eventually(p.t, patience, "the second copy has a partition", func() error { return p.owns(p.second, "") })
	bank(p)
}

// alone ends the second copy once the first is there again.
func alone(p *pipeline) {
	programs.Eventually(p.t, patience, "the first copy is there again", func() error { return p.owns(p.sink, "") })
	p.stop(p.second)
	p.second = nil
}
