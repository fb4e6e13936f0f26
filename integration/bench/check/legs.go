package main

// leg is a part of a row's way, as a benchmark of the package that it belongs to.
type leg struct {
	name string
	// pkg is the package's folder, seen from the module's root; bench is the benchmark, with the part after a slash that
	// names a sub-benchmark.
	pkg, bench string
	// rows is how many rows one operation of the benchmark handles.
	rows int
	// few and many are numbers of operations; what is counted per operation is the difference, so that preparations are
	// left out.
	few, many int
}

// legs are the four ways of a row (tuple → Avro, binary COPY → Avro, Avro → row, row → bulk load), with what the loops
// add to them.
var legs = []leg{
	{"text tuple → Avro, insert", "connectors/postgres", "BenchmarkTupleToAvro/text-insert", 1, 1000, 21_000},
	{"text tuple → Avro, update", "connectors/postgres", "BenchmarkTupleToAvro/text-update", 1, 1000, 21_000},
	{"binary tuple → Avro, insert", "connectors/postgres", "BenchmarkTupleToAvro/binary-insert", 1, 1000, 21_000},
	{"binary tuple → Avro, update", "connectors/postgres", "BenchmarkTupleToAvro/binary-update", 1, 1000, 21_000},
	{"binary COPY → Avro", "connectors/postgres", "BenchmarkCopyBinaryToAvro", 1, 1000, 21_000},
	{"change → batch of records", "framework/publish", "BenchmarkEmit", 1, 10_000, 110_000},
	{"row → Avro", "schemas", "BenchmarkEncode", 1, 1000, 21_000},
	{"Avro → row", "schemas", "BenchmarkDecode", 1, 1000, 21_000},
	{"records → rows folded", "framework/load", "BenchmarkDecodeAndFold", 10_000, 2, 7},
	{"row → binary COPY", "connectors/postgres", "BenchmarkSinkCopyEncode", 1000, 5, 25},
	{"row → DuckDB's appender", "connectors/duckdb", "BenchmarkFillAppender", 10_000, 2, 7},
}

// packages are those of the legs, each once.
func packages(all []leg) []string {
	var list []string
	seen := map[string]bool{}
	for _, l := range all {
		if !seen[l.pkg] {
			seen[l.pkg] = true
			list = append(list, l.pkg)
		}
	}
	return list
}
