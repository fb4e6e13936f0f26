// Package schemas is the contract on the wire: what a change is, how a row and its types are described, and how both
// become Avro.
//
// The same three types carry a row on the source's side and on the sink's: [Table] (a name and typed columns at one
// version), [Value] (one typed value) and [Change] (an operation on one row). Mapping, filters and targets work on them
// and never on Avro. A row is a []Value in the order of the table's columns.
//
// Read in this order: type.go, table.go, value.go, change.go, then debezium.go (the mapping from a table to the schema
// text that Debezium would register), encoder.go and decoder.go (compiled per table version and per writer schema).
//
// The package imports nothing of ours and knows neither Kafka nor a database.
package schemas
