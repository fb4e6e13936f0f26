package schemas

import "strings"

// Content says what the records of a topic are about. Only rows have a table that a target could have.
type Content string

// The contents. The zero value is ContentRows.
const (
	ContentRows Content = ""
	// ContentMessages are messages that an application has written into the source's log: [MessageTable].
	ContentMessages Content = "messages"
	// ContentTransactions are the begins and ends of the source's transactions: [TransactionTable].
	ContentTransactions Content = "transactions"
	// ContentHeartbeats are Debezium's alone.
	ContentHeartbeats Content = "heartbeats"
)

// messageSpace is the namespace of the records that Debezium's PostgreSQL connector has for messages.
const messageSpace = "io.debezium.connector.postgresql"

// MessageTable returns what stands for a table in changes that are messages: operation [Message], and a row of prefix and
// content. They go to the topic PREFIX.message. content is the type of the content, which is bytes.
func MessageTable(system, database string, content Type) *Table {
	return &Table{
		System: system, Database: database, Name: "message", Content: ContentMessages, Identity: IdentityNothing,
		Columns: []Column{
			{Name: "prefix", Type: Type{Kind: String}, Nullable: true, Key: 1},
			{Name: "content", Type: content, Nullable: true},
		},
	}
}

// specialKey returns the schema of the keys of a topic that has no rows.
func (l *layout) specialKey() string {
	space, name := messageSpace, "MessageKey"
	if l.table.Content == ContentTransactions {
		space, name = transactionSpace, "TransactionMetadataKey"
	}
	var w schemaWriter
	w.WriteString(`{"type":"record","name":"` + name + `","namespace":"` + space + `","fields":[`)
	w.field(&l.fields[0])
	w.WriteByte(']')
	w.special(l, space, name)
	return w.String()
}

// messageSchema returns the schema of messages. Its fields have another order than the envelope's, and there is less of them.
func (l *layout) messageSchema() string {
	source, transaction := sourceField, transactionField
	if l.mapping.Types == TypesAvro {
		source, transaction = standardSourceField, standardTransactionField
	}
	source = strings.Replace(source, `"namespace":"`+messageSpace+`",`, "", 1) // the namespace around
	var w schemaWriter
	w.WriteString(`{"type":"record","name":"MessageValue","namespace":"` + messageSpace + `","fields":[{"name":"op","type":"string"},` +
		`{"name":"ts_ms","type":["null","long"],"default":null},` + source + `,` + transaction +
		`,{"name":"message","type":{"type":"record","name":"Message","fields":[`)
	w.field(&l.fields[0])
	w.WriteByte(',')
	w.field(&l.fields[1])
	w.WriteByte(']')
	w.special(l, messageSpace, "Message")
	w.WriteString(`}]`)
	w.special(l, messageSpace, "MessageValue")
	return w.String()
}

// special ends a record of Debezium's own, with the name that Connect gives it.
func (w *schemaWriter) special(l *layout, space, name string) {
	if l.mapping.Types != TypesAvro {
		w.WriteString(`,"connect.version":1,"connect.name":"` + space + `.` + name + `"`)
	}
	w.WriteByte('}')
}

// appendMessage appends the body of a message.
func (e *Encoder) appendMessage(dst []byte, c *Change, micros int64) ([]byte, error) {
	dst = append(dst, 2, byte(Message)) // a string of one byte
	dst = appendTime(dst, micros/1000, 2)
	dst = e.source.append(dst, &c.Source)
	dst = e.appendPlace(dst, c)
	return e.appendAfterFields(dst, c)
}

// ContentOf tells what the values of a schema are about, in a topic of ours or of Debezium's. A sink passes over what is not
// about rows.
func ContentOf(schemaText string) Content {
	root, err := parseAvro(schemaText)
	if err != nil {
		return ContentRows
	}
	switch root.name {
	case messageSpace + ".MessageValue":
		return ContentMessages
	case transactionSpace + ".TransactionMetadataValue":
		return ContentTransactions
	case transactionSpace + ".Heartbeat":
		return ContentHeartbeats
	}
	return ContentRows
}
