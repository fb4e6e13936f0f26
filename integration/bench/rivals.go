package main

// rivals are the lines with Debezium as baseline, on the same machine and broker. Its faster converter counts.
var rivals = []line{
	{
		"debezium-stream", "stream → Apache Kafka, exactly_once, beside Debezium", false,
		Goal{Ratio: 4.5, CPURatio: 1.0 / 12},
		over[*changes]{insertsLoad, debeziumStream(jsonConverter), warmed(publish(toKafka, exactlyOnce))},
	},
	{
		"debezium-stream-avro", "stream → Apache Kafka, exactly_once, beside Debezium", false,
		Goal{Ratio: 4.5, CPURatio: 1.0 / 12},
		over[*changes]{insertsLoad, debeziumStream(avroConverter), warmed(publish(toKafka, exactlyOnce))},
	},
	{
		"debezium-snapshot", "snapshot → Apache Kafka, beside Debezium", false,
		Goal{Ratio: 10},
		over[*frozen]{frozenTable, debeziumSnapshot(jsonConverter), warmed(readWhole(toKafka))},
	},
	{
		"debezium-snapshot-avro", "snapshot → Apache Kafka, beside Debezium", false,
		Goal{Ratio: 10},
		over[*frozen]{frozenTable, debeziumSnapshot(avroConverter), warmed(readWhole(toKafka))},
	},
	{
		"debezium-sink-new", "PostgreSQL sink, new rows, batches of 10,000, beside Debezium's JDBC sink", false,
		Goal{Ratio: 7},
		over[*recorded]{onKafka("rival new", 0.25, newRows), jdbcSink(batchRows), sinkInto(batchRows)},
	},
	{
		"debezium-sink-updates", "PostgreSQL sink, updates, batches of 10,000, beside Debezium's JDBC sink", false,
		Goal{Ratio: 7},
		over[*recorded]{onKafka("rival updates", 0.25, updatedRows), jdbcSink(batchRows), sinkInto(batchRows)},
	},
	{
		"debezium-latency", "commit → visible in Apache Kafka, at_least_once, latency: lowest, 1,000 rows/s, beside Debezium", false,
		Goal{Latency: true},
		over[*clocked]{rateOf(1000), debeziumLatency, warmed(untilVisible("lowest", atLeastOnce))},
	},
}
