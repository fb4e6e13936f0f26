package postgres

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/syncline-io/syncline/schemas"
)

// What an application writes into the log with pg_logical_emit_message comes to us between the rows. A transactional message is
// part of its transaction and has a place among its changes. One that is not comes at its own place in the log: the server
// reads the log from its beginning to its end, and sends a transaction when it comes to its commit record, so a message that
// lies before the commit of a transaction is sent before it, and never within one.
//
// The LSN that comes with a message is the end of its record, which is where the next record begins: often the commit of the
// transaction that wrote the message, whose changes have just this LSN in their versions. So a message's version has the byte
// before it, the last one of its own record. In the order in which messages and transactions are sent, versions then only grow,
// and a stream that is resumed at one begins with the record behind the message, whatever that is.

// heartbeatPrefix marks the messages that sources of ours write into a quiet log. They are nobody's concern.
const heartbeatPrefix = "syncline.heartbeat"

// logicalMessage is what pgoutput sends for pg_logical_emit_message. Prefix and content alias the buffer of the stream.
type logicalMessage struct {
	transactional bool
	at            lsn // the end of its record
	prefix        string
	content       []byte
}

func parseLogicalMessage(w *wire) (logicalMessage, error) {
	m := logicalMessage{transactional: w.uint8()&1 != 0, at: lsn(w.uint64()), prefix: w.text()}
	m.content = w.take(int(int32(w.uint32())))
	return m, w.end("message")
}

// errMisplaced is a server that does not send messages where its log has them.
var errMisplaced = errors.New("the server sent a message outside of the transaction that it belongs to, or inside of one that it does not belong to")

// message emits a logical message.
func (r *reading) message(ctx context.Context, w *wire) error {
	m, err := parseLogicalMessage(w)
	switch {
	case err != nil:
		return err
	case m.transactional != r.stream.open:
		return fmt.Errorf("message at %s: %w", m.at, errMisplaced)
	case m.transactional:
		return r.messageWithin(&m)
	}
	return r.messageBetween(ctx, &m)
}

// messageWithin emits a message of the open transaction. It counts among the changes whether it is chosen or not.
func (r *reading) messageWithin(m *logicalMessage) error {
	st := &r.stream
	if st.commit == st.deaf {
		return nil
	}
	v, fresh := r.next(1)
	if !fresh || !r.source.prefixes.chosen(m.prefix) {
		return nil
	}
	st.origin.LSN = uint64(m.at)
	return r.emit(r.messageChange(m, v))
}

// messageBetween emits a message that belongs to no transaction. It has no time of its own: that of the transaction before it
// is the nearest that the stream tells.
func (r *reading) messageBetween(ctx context.Context, m *logicalMessage) error {
	within := m.at - 1 // its record, and no other one
	if err := r.reach(ctx, within); err != nil {
		return err
	}
	st := &r.stream
	v := schemas.Version{High: uint64(within), Low: 1}
	if m.prefix == heartbeatPrefix || !r.source.prefixes.chosen(m.prefix) || v.Compare(st.from) <= 0 {
		return r.advance(ctx, m.at)
	}
	last := st.origin
	if last.Time == 0 {
		last.Time = time.Now().UnixMicro()
	}
	// As with Debezium, a message is the last commit for what comes after it, and for itself.
	st.lastCommit = uint64(m.at)
	st.origin = schemas.Origin{Time: last.Time, LSN: uint64(m.at), LastCommit: uint64(m.at)}
	if err := r.emit(r.messageChange(m, v)); err != nil {
		return err
	}
	r.source.progress.active.Add(1)
	return r.advance(ctx, m.at)
}

func (r *reading) messageChange(m *logicalMessage, v schemas.Version) schemas.Change {
	r.messageRow = [2]schemas.Value{schemas.StringValue(m.prefix), schemas.BytesValue(m.content)}
	return schemas.Change{Table: r.messages, Op: schemas.Message, After: r.messageRow[:], Version: v}
}

// mark emits the begin or the end of the open transaction, where they are asked for. low is the second half of its version.
func (r *reading) mark(op schemas.Op, at lsn, low uint64) error {
	if !r.source.env.Transactions {
		return nil
	}
	st := &r.stream
	v := schemas.Version{High: uint64(st.commit), Low: low}
	if op == schemas.End && v.Compare(st.from) <= 0 {
		return nil
	}
	st.origin.LSN = uint64(at)
	change := schemas.Change{Table: r.marks, Op: op, Version: v}
	if op == schemas.Begin { // which may have been published already: it is not a step forward
		change.Source = st.origin
		r.change = change
		return r.out.Emit(&r.change)
	}
	return r.emit(change)
}

// prefixes says whose messages are published: Debezium's message.prefix.include.list or message.prefix.exclude.list.
type prefixes struct {
	list    []*regexp.Regexp
	exclude bool
}

// newPrefixes compiles the expressions of one of the lists. They match the whole prefix, whatever the case of its letters.
func newPrefixes(include, exclude []string) (p prefixes, err error) {
	list, key := include, "message_prefix_include_list"
	if len(exclude) > 0 {
		list, key, p.exclude = exclude, "message_prefix_exclude_list", true
	}
	if len(include) > 0 && len(exclude) > 0 {
		return p, errors.New("message_prefix_exclude_list: give it or message_prefix_include_list, not both")
	}
	for _, expression := range list {
		compiled, err := regexp.Compile(`(?is)\A(?:` + expression + `)\z`)
		if err != nil {
			return p, fmt.Errorf("%s: %q is no regular expression: %w", key, expression, err)
		}
		p.list = append(p.list, compiled)
	}
	return p, nil
}

func (p *prefixes) chosen(prefix string) bool {
	if p.list == nil {
		return true
	}
	for _, r := range p.list {
		if r.MatchString(prefix) {
			return !p.exclude
		}
	}
	return p.exclude
}
