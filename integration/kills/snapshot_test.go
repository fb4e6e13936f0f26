package kills

import "fmt"

// snapshotChain kills a source in its first start, from its first topic to the hand-over from snapshot to stream.
var snapshotChain = chain{
	name: "snapshot", victim: "source", sink: "postgres-sink", fresh: true,
	source: "buffer: 1MB\n",
	tables: `
CREATE TABLE bulk (n int, s text);
ALTER TABLE bulk REPLICA IDENTITY FULL;
CREATE TABLE small (id int PRIMARY KEY, v text);
CREATE TABLE empty (id int PRIMARY KEY);
INSERT INTO bulk SELECT i, repeat('s', 400) FROM generate_series(1, 20000) i;
INSERT INTO small SELECT i, 'v' FROM generate_series(1, 300) i;
`,
	kills: []kill{
		{at: "publish.after-topic", dead: change},
		{at: "postgres-source.after-intent", dead: change},
		{at: "postgres-source.after-publication", dead: change},
		{at: "postgres-source.after-slot", dead: change},
		{at: "postgres-source.after-import", dead: change},
		{at: "postgres-source.after-cut", dead: change},
		{at: "postgres-source.snapshot-row", pass: 18000, dead: change},
		{at: "postgres-source.snapshot-row", pass: 18000, dead: change, then: "postgres-source.after-truncate"},
		{at: "postgres-source.before-table-end", dead: change},
		{at: "postgres-source.after-table-end", dead: change},
		{at: "postgres-source.before-snapshot-end", dead: change},
		{at: "postgres-source.after-stream-start", dead: change},
	},
}

// change writes to the tables of a snapshot that was cut off, so that nothing of its first reading is right in the end.
func change(p *pipeline) {
	p.round++
	p.exec("DELETE FROM bulk WHERE n % 200 = 0; UPDATE bulk SET n = -n WHERE n % 200 = 1")
	p.exec(fmt.Sprintf("DELETE FROM small WHERE id %% 3 = 0; UPDATE small SET id = id + 1000 WHERE id %% 10 = 1; INSERT INTO small VALUES (%d, 'x')", -p.round))
	p.exec(fmt.Sprintf("INSERT INTO empty VALUES (%d)", p.round))
}
