// Package schemas is the contract on the wire: what a change is, how a row and its types are described, and how both
// become Avro.
//
// The same three types carry a row on the source's side and on the sink's: [Table] (a name and typed columns at one
// version), [Value] (one typed value) and [Change] (an operation on one row). Mapping, filters and targets work on them
// and never on Avro. A row is a []Value in the order of the table's columns.
//
// Read in this order: type.go, table.go, value.go, change.go; then debezium.go (the mapping from a table to the schema
// text that Debezium would register, with default.go for its defaults; standard.go is the other mapping, rowshape.go the
// records without an envelope, message.go and transaction.go those of topics that have no rows), encoder.go with origin.go (the
// source block) and appender.go (one function per
// column, compiled per table version) and decoder.go with avro.go and extractor.go (one function per field, compiled per
// writer schema). text.go, decimal.go, datetime.go, interval.go and array.go are the values as PostgreSQL's text: what
// its connectors read and write, and what the raw headers hold.
//
// What the envelope cannot say stands in headers (headers.go), and in the records of the tables topic (tables.go).
//
// Where the mapping differs from Debezium, it is to lose nothing: a null in a column with a default stays null, the
// zeros at the end of an unconstrained decimal's fraction stay (not in keys, where equal numbers have equal bytes),
// columns of types that Debezium leaves out are nullable strings, and field names that
// would collide are told apart.
//
// The package imports nothing of ours and knows neither Kafka nor a database.
package schemas
