package tail

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/syncline-io/syncline/schemas"
)

// Widths of the columns of a line. The key's grows with the keys, up to its bound.
const (
	opWidth    = 9
	keyWidth   = 12
	keyMost    = 48
	placeWidth = 9
	// valueMost is how many characters of a value are shown, documentMost of a document.
	valueMost    = 40
	documentMost = 160
)

const timeForm = "2006-01-02T15:04:05.000Z"

// text prints one line per event, for people.
type text struct {
	out   io.Writer
	key   int // the widest key so far
	began bool
}

func (p *text) print(e *Event) error {
	var b strings.Builder
	if !p.began {
		p.began, p.key = true, keyWidth
		fmt.Fprintf(&b, "%-*s  %-*s  %-*s  %-*s  %s\n", len(timeForm), "TIME", opWidth, "OP", p.key, "KEY", placeWidth, "AT", "WHAT")
	}
	key := shortened(keyText(e.Key), keyMost)
	p.key = max(p.key, utf8.RuneCountInString(key))
	line := fmt.Sprintf("%s  %-*s  %-*s  %-*s  %s", when(e).Format(timeForm), opWidth, opText(e), p.key, key,
		placeWidth, fmt.Sprintf("%d@%d", e.Partition, e.Offset), what(e))
	b.WriteString(oneLine(strings.TrimRight(line, " ")) + "\n")
	for _, h := range e.Headers {
		value := h.Value
		if value == "" {
			value = h.Hex
		}
		b.WriteString(oneLine(fmt.Sprintf("    %s = %s", h.Key, printable(value))) + "\n")
	}
	_, err := io.WriteString(p.out, b.String())
	return err
}

// when is the commit's time where it is known, else the record's.
func when(e *Event) time.Time {
	if e.Source != nil && e.Source.Time.Unix() != 0 {
		return e.Source.Time
	}
	return e.Timestamp
}

func opText(e *Event) string {
	switch e.Kind {
	case ChangeKind:
		return e.Op
	case DeadLetterKind:
		return "dead"
	case UnreadableKind:
		return "error"
	}
	return string(e.Kind)
}

func keyText(key Row) string {
	var parts []string
	for _, f := range key {
		if f.Name == "" {
			return printable(f.text)
		}
		parts = append(parts, f.Name+"="+printable(f.text))
	}
	return strings.Join(parts, " ")
}

// what says what happened.
func what(e *Event) string {
	if e.Kind == DeadLetterKind {
		return deadText(e)
	}
	text := ""
	switch e.Kind {
	case ChangeKind:
		text = changeText(e)
	case PositionKind:
		text = positionText(e)
	case TableKind:
		text = tableText(e)
	case MessageKind:
		text = messageText(e)
	case MarkKind:
		text = markText(e)
	case StateKind, TenureKind, RecordKind:
		text = shortened(string(e.Document), documentMost)
	}
	return strings.TrimLeft(text+errorText(e), " ")
}

// messageText shows a message's content, which the key's prefix stands beside.
func messageText(e *Event) string {
	var d struct{ Message struct{ Content string } }
	if err := json.Unmarshal(e.Document, &d); err != nil {
		return shortened(string(e.Document), documentMost)
	}
	return printable(shortened(d.Message.Content, documentMost))
}

// markText shows what a begin or end says.
func markText(e *Event) string {
	var d struct {
		Status string
		Events *int64 `json:"event_count"`
		Tables []struct {
			Name   string `json:"data_collection"`
			Events int64  `json:"event_count"`
		} `json:"data_collections"`
	}
	if err := json.Unmarshal(e.Document, &d); err != nil || d.Events == nil {
		return d.Status
	}
	text := fmt.Sprintf("%s of %d events", d.Status, *d.Events)
	for i, t := range d.Tables {
		separator := ", "
		if i == 0 {
			separator = ": "
		}
		text += fmt.Sprintf("%s%s %d", separator, t.Name, t.Events)
	}
	return text
}

func errorText(e *Event) string {
	if e.Error == "" {
		return ""
	}
	return fmt.Sprintf("  cannot be decoded: %s: %s", e.Error, e.Hex)
}

func changeText(e *Event) string {
	switch {
	case e.Op == string(rune(schemas.Truncate)):
		return "all rows of " + e.Table
	case e.BeforeComplete && e.After != nil:
		return differences(e)
	case e.After == nil && e.BeforeComplete:
		return fields(e, e.Before)
	case e.After == nil:
		return ""
	}
	text := fields(e, e.After)
	if len(e.Unchanged) > 0 {
		text += " (unchanged: " + strings.Join(e.Unchanged, ", ") + ")"
	}
	return text
}

// differences shows the columns in which the rows differ.
func differences(e *Event) string {
	var parts []string
	for _, name := range e.Changed {
		parts = append(parts, fmt.Sprintf("%s: %s → %s", name, e.Before.value(name), e.After.value(name)))
	}
	if parts == nil {
		return "no column changed"
	}
	return strings.Join(parts, ", ")
}

func (r Row) value(name string) string {
	for _, f := range r {
		if f.Name == name {
			return shortened(printable(f.text), valueMost)
		}
	}
	return ""
}

// fields shows the columns outside the key.
func fields(e *Event, row Row) string {
	var parts []string
	for _, f := range row {
		if !slices.ContainsFunc(e.Key, func(k Field) bool { return k.Name == f.Name }) {
			parts = append(parts, f.Name+"="+row.value(f.Name))
		}
	}
	return strings.Join(parts, " ")
}

func positionText(e *Event) string {
	var d struct {
		State       json.RawMessage
		StateDigest string `json:"state_digest"`
	}
	if e.Version == nil || json.Unmarshal(e.Document, &d) != nil {
		return shortened(string(e.Document), documentMost)
	}
	state := string(d.State)
	if d.StateDigest != "" {
		state = "state " + d.StateDigest
	}
	return versionText(e.Version.AppendBinary(nil)) + "  " + shortened(state, documentMost)
}

func tableText(e *Event) string {
	var t schemas.Table
	if json.Unmarshal(e.Document, &t) != nil {
		return shortened(string(e.Document), documentMost)
	}
	var parts []string
	for i := range t.Columns {
		c := &t.Columns[i]
		part := c.Name + " " + c.SourceType
		if c.Key > 0 {
			part += " key"
		} else if !c.Nullable {
			part += " not null"
		}
		parts = append(parts, part)
	}
	return fmt.Sprintf("%s: %s", t.String(), strings.Join(parts, ", "))
}

func deadText(e *Event) string {
	l := e.DeadLetter
	from := l.Topic
	if l.Offset >= 0 {
		from += fmt.Sprintf(" %d@%d", l.Partition, l.Offset)
	}
	text := fmt.Sprintf("%s, %s, %s: %s", from, l.Connector, l.Stage, l.Message)
	if e.Op != "" {
		text += fmt.Sprintf("  [%s] %s", e.Op, changeText(e))
	}
	return strings.TrimRight(text, " ") + errorText(e)
}

// oneLine escapes what a terminal would obey or break the line at. A line is made of text of others: names, messages, errors.
func oneLine(s string) string {
	if utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return s
	}
	var b []byte
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1:
			b = fmt.Appendf(b, `\x%02x`, s[0])
		case unicode.IsPrint(r):
			b = append(b, s[:n]...)
		default:
			quoted := strconv.QuoteRune(r)
			b = append(b, quoted[1:len(quoted)-1]...)
		}
		s = s[n:]
	}
	return string(b)
}

// printable quotes a text that would not read as one word.
func printable(s string) string {
	if s == "" || strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) || r == '"' }) {
		return strconv.Quote(s)
	}
	return s
}

func shortened(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most-1]) + "…"
}
