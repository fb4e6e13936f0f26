// Package duckdb loads changes into a DuckDB file: a warehouse without a server.
//
// The sink is of class A (a transactional ledger): the rows of a batch and the offsets that they came from commit in
// one DuckDB transaction. One process at a time can have the file open for writing; that is DuckDB's own lock.
//
// Read in this order: config.go, sink.go (open, write), evolve.go (tables follow the source), types.go (which column
// a canonical type becomes), merge.go (the statements of one batch), stage.go, fill.go and texts.go (rows into
// DuckDB's vectors), ledger.go, session.go (the connection), memory.go (what DuckDB may take).
//
// # No primary key in the target
//
// A table of the target has no index, not even for its key. DuckDB's ART index makes an upsert of 100,000 rows into
// five million 3 to 40 times slower, doubles the file and must fit into memory. Without an index a batch finds its rows
// by a hash join with the key column, which DuckDB narrows by the batch's least and greatest key. The key stays unique
// because only this sink writes: a batch has one row per key, and every row's key is deleted before the row is
// inserted. A table that was made by someone else with a primary key works too, at the price that its index has.
//
// # The driver's lower half
//
// Rows go into DuckDB through its C API as duckdb-go's mapping package has it, in whole vectors: the driver's Appender
// boxes each value of each row. Nothing is allocated per row but by DuckDB itself.
package duckdb
