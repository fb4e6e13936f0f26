package main

import "slices"

// The loads that several lines share.
var (
	insertsLoad = changesOf("inserts", 1, inserted(order, rowsPerTransaction))
	newLoad     = recordedOf("sink new", 0.5, newRows)
	updatesLoad = recordedOf("sink updates", 0.5, updatedRows)
	mixedLoad   = recordedOf("sink mixed", 0.5, mixedRows)
	fileNew     = recordedOf("file new", 0.5, newRows)
	fileUpserts = recordedOf("file upserts", 0.5, newThenUpdated)
)

// idempotent is the subject of most lines: into the embedded broker, at least once.
var idempotent = publish(toEmbedded, atLeastOnce)

// table is everything that can be measured against a baseline. The goals are those of the project.
var table = []line{
	{
		"stream", "stream → embedded broker, transactions of 1,000 rows", true,
		Goal{Ratio: 1.25, CPU: 2.5, MB: 60},
		over[*changes]{insertsLoad, receive, idempotent},
	},
	{
		"kafka-exactly-once", "stream → Apache Kafka, exactly_once", true,
		Goal{Ratio: 1.1, CPU: 3.5},
		over[*changes]{insertsLoad, receive, warmed(publish(toKafka, exactlyOnce))},
	},
	{
		"kafka-at-least-once", "stream → Apache Kafka, at_least_once", false,
		Goal{CPU: 3.5},
		over[*changes]{insertsLoad, receive, warmed(publish(toKafka, atLeastOnce))},
	},
	{
		"kafka-delivery", "stream → Apache Kafka, exactly_once beside at_least_once", false,
		Goal{Ratio: 0.97},
		over[*changes]{insertsLoad, warmed(publish(toKafka, atLeastOnce)), warmed(publish(toKafka, exactlyOnce))},
	},
	{
		"stream-single", "stream → embedded broker, transactions of one row", true,
		Goal{Ratio: 1.5},
		over[*changes]{changesOf("singles", 0.25, inserted(order, 1)), receive, idempotent},
	},
	{
		"stream-updates", "stream → embedded broker, updates, replica identity default", true,
		Goal{Ratio: 1.5},
		over[*changes]{changesOf("updates", 0.5, updated("default")), receive, idempotent},
	},
	{
		"stream-updates-full", "stream → embedded broker, updates, replica identity full", false,
		Goal{Ratio: 1.5},
		over[*changes]{changesOf("updates full", 0.5, updated("full")), receive, idempotent},
	},
	{
		"stream-huge", "stream → embedded broker, one transaction of 500,000 rows", false,
		Goal{},
		over[*changes]{changesOf("huge", 0.5, func(rows int) history { return inserted(order, rows)(rows) }), receive, idempotent},
	},
	{
		"stream-wide", "stream → embedded broker, rows of 100 columns", false,
		Goal{},
		over[*changes]{changesOf("wide", 0.1, inserted(wide(100), rowsPerTransaction)), receive, idempotent},
	},
	{
		"stream-toast", "stream → embedded broker, rows of 10 kB inserted, and updated beside it", false,
		Goal{},
		over[*changes]{changesOf("toast", 0.05, toasted), receive, idempotent},
	},
	{
		"stream-tables", "stream → embedded broker, inserts, updates and deletes of 50 tables", false,
		Goal{},
		over[*changes]{changesOf("tables", 0.5, mixed(50)), receive, idempotent},
	},
	{
		"stream-gigabyte", "stream → embedded broker, one transaction of 1 GB (100,000 rows of 10 kB)", false,
		Goal{MB: 150},
		over[*changes]{changesOf("gigabyte", 0.1, gigabyte), receive, idempotent},
	},
	{
		"snapshot", "snapshot → embedded broker", true,
		Goal{Ratio: 1},
		over[*frozen]{frozenTable, copyOut, readWhole(toEmbedded)},
	},
	{
		"snapshot-kafka", "snapshot → Apache Kafka", false,
		Goal{},
		over[*frozen]{frozenTable, copyOut, warmed(readWhole(toKafka))},
	},
	sinkLine("sink-new-1k", "new rows", newLoad, 1_000, false, 0),
	sinkLine("sink-new", "new rows", newLoad, batchRows, true, 0.9),
	sinkLine("sink-new-100k", "new rows", newLoad, 100_000, false, 0),
	sinkLine("sink-updates-1k", "updates", updatesLoad, 1_000, false, 0),
	sinkLine("sink-updates", "updates", updatesLoad, batchRows, true, 0.9),
	sinkLine("sink-updates-100k", "updates", updatesLoad, 100_000, false, 0),
	sinkLine("sink-mixed-1k", "inserts, updates and deletes", mixedLoad, 1_000, false, 0),
	sinkLine("sink-mixed", "inserts, updates and deletes", mixedLoad, batchRows, false, 0),
	sinkLine("sink-mixed-100k", "inserts, updates and deletes", mixedLoad, 100_000, false, 0),
	duckdbLine("duckdb-new-10k", "new rows", fileNew, batchRows, 0),
	duckdbLine("duckdb-new", "new rows", fileNew, 100_000, 0),
	duckdbLine("duckdb-upserts-10k", "upserts", fileUpserts, batchRows, 0),
	duckdbLine("duckdb-upserts", "upserts", fileUpserts, 100_000, 0.9),
	latencyLine("latency", 1000, "lowest", exactlyOnce, true, 4, 8),
	latencyLine("latency-default", 1000, "default", exactlyOnce, true, 8, 15),
	latencyLine("latency-at-least-once", 1000, "lowest", atLeastOnce, false, 1.5, 6),
	latencyLine("latency-default-at-least-once", 1000, "default", atLeastOnce, false, 0, 0),
	latencyLine("latency-100", 100, "lowest", exactlyOnce, false, 0, 0),
	latencyLine("latency-100-default", 100, "default", exactlyOnce, false, 0, 0),
	latencyLine("latency-100-at-least-once", 100, "lowest", atLeastOnce, false, 0, 0),
	latencyLine("latency-100-default-at-least-once", 100, "default", atLeastOnce, false, 0, 0),
	latencyLine("latency-10k", 10_000, "lowest", exactlyOnce, false, 0, 20),
	latencyLine("latency-10k-default", 10_000, "default", exactlyOnce, false, 0, 20),
	latencyLine("latency-10k-at-least-once", 10_000, "lowest", atLeastOnce, false, 0, 0),
	latencyLine("latency-10k-default-at-least-once", 10_000, "default", atLeastOnce, false, 0, 0),
	{
		"end-to-end", "commit → row in the PostgreSQL target, through Apache Kafka, exactly_once, latency: default, 1,000 rows/s", true,
		Goal{P50: 15, P99: 50},
		over[*clocked]{rateOf(1000), subscribe, warmed(throughTopic("default"))},
	},
	{
		"end-to-end-lowest", "commit → row in the PostgreSQL target, through Apache Kafka, exactly_once, latency: lowest, 1,000 rows/s", false,
		Goal{P50: 15, P99: 50},
		over[*clocked]{rateOf(1000), subscribe, warmed(throughTopic("lowest"))},
	},
}

func sinkLine(name, what string, load recipe[*recorded], size int, usual bool, ratio float64) line {
	return line{name, sinkName("PostgreSQL", what, size), usual, Goal{Ratio: ratio}, over[*recorded]{load, mergeByHand(size), sinkInto(size)}}
}

func duckdbLine(name, what string, load recipe[*recorded], size int, ratio float64) line {
	return line{name, sinkName("DuckDB", what, size), false, Goal{Ratio: ratio}, over[*recorded]{load, appendByHand(size), sinkIntoFile(size)}}
}

// lines is all that can be measured: the table and the rivals.
func lines() []line { return slices.Concat(table, rivals) }
