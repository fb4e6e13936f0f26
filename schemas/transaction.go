package schemas

import "strconv"

// transactionSpace is the namespace of the records that all connectors of Debezium's share.
const transactionSpace = "io.debezium.connector.common"

// Place is where an event stands among the events of its transaction, from 1; the zero value is that it is not told.
type Place struct {
	// Total counts all events of the transaction, OfTable those of the event's table.
	Total, OfTable int64
}

// TransactionTable returns what stands for a table in changes that are a [Begin] or an [End]. They go to the topic
// PREFIX.transaction. Their row is the transaction's id as [AppendTransactionID] writes it.
func TransactionTable(system, database string) *Table {
	return &Table{
		System: system, Database: database, Name: "transaction", Content: ContentTransactions, Identity: IdentityNothing,
		Columns: []Column{{Name: "id", Type: Type{Kind: String}, Key: 1}},
	}
}

// AppendTransactionID appends the id of a transaction as an event of it has it: the transaction's number and the LSN of the
// event. So each event has another one, as with Debezium; what they share is the part before the colon.
func AppendTransactionID(dst []byte, o *Origin) []byte {
	dst = append(strconv.AppendUint(dst, uint64(o.TxID), 10), ':')
	return strconv.AppendUint(dst, o.LSN, 10)
}

// appendPlace appends the field transaction of an event.
func (e *Encoder) appendPlace(dst []byte, c *Change) []byte {
	if c.Place.Total == 0 {
		return append(dst, 0)
	}
	e.scratch = AppendTransactionID(e.scratch[:0], &c.Source)
	dst = appendBytes(append(dst, 2), e.scratch)
	return appendLong(appendLong(dst, c.Place.Total), c.Place.OfTable)
}

// transactionSchema returns the schema of begins and ends.
func (l *layout) transactionSchema() string {
	var w schemaWriter
	w.WriteString(`{"type":"record","name":"TransactionMetadataValue","namespace":"` + transactionSpace + `","fields":[` +
		`{"name":"status","type":"string"},{"name":"id","type":"string"},{"name":"event_count","type":["null","long"],"default":null},` +
		`{"name":"data_collections","type":["null",{"type":"array","items":["null",{"type":"record","name":"collection","namespace":"event",` +
		`"fields":[{"name":"data_collection","type":"string"},{"name":"event_count","type":"long"}]`)
	w.special(l, "event", "collection")
	w.WriteString(`]}],"default":null},{"name":"ts_ms","type":"long"}]`)
	w.special(l, transactionSpace, "TransactionMetadataValue")
	return w.String()
}

// Count is how many events of a transaction are of one table.
type Count struct {
	// Table is "schema.name"; messages count under a name of their own, [MessagesCounted].
	Table  string `json:"table"`
	Events int64  `json:"events"`
}

// MessagesCounted is the name under which messages count: Debezium's.
const MessagesCounted = "LOGICAL_DECODING_MESSAGE"

// appendMark appends the body of a begin or an end, which alone has counts.
func (e *Encoder) appendMark(dst []byte, c *Change) []byte {
	status := "BEGIN"
	if c.Op == End {
		status = "END"
	}
	dst = appendBytes(dst, status)
	e.scratch = AppendTransactionID(e.scratch[:0], &c.Source)
	dst = appendBytes(dst, e.scratch)
	if c.Op == Begin {
		dst = append(dst, 0, 0)
	} else {
		dst = appendLong(append(dst, 2), c.Place.Total)
		dst = appendCounts(append(dst, 2), c.Counts)
	}
	return appendLong(dst, c.Source.Time/1000)
}

// appendCounts appends an array of optional records.
func appendCounts(dst []byte, counts []Count) []byte {
	if len(counts) > 0 {
		dst = appendLong(dst, int64(len(counts)))
		for _, n := range counts {
			dst = appendLong(appendBytes(append(dst, 2), n.Table), n.Events)
		}
	}
	return append(dst, 0)
}
