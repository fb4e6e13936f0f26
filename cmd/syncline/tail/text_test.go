package tail

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"
)

func TestForeignTextCannotBreakALineOrSteerATerminal(t *testing.T) {
	const evil = "x\x1b[2J\nforged\xff\u202e"
	for _, e := range []*Event{
		{Kind: DeadLetterKind, DeadLetter: &DeadLetter{Topic: evil, Connector: evil, Stage: evil, Message: evil}, Headers: []Header{{Key: evil, Value: evil}}},
		{Kind: UnreadableKind, Error: evil},
		{Kind: TableKind, Document: []byte(`{"name":"a\u001b[2J\nb","columns":[{"name":"a\u001b[2J\nb"}]}`)},
		{Kind: ChangeKind, Op: "t", Table: evil},
		{Kind: ChangeKind, Op: "c", Key: Row{{Name: evil, text: evil}}, After: Row{{Name: evil, text: evil}}, Unchanged: []string{evil}},
	} {
		e.Timestamp = time.Unix(1, 0)
		var b bytes.Buffer
		if err := (&text{out: &b}).print(e); err != nil {
			t.Fatal(err)
		}
		if got := b.String(); strings.ContainsAny(got, "\x1b\u202e") || !utf8.ValidString(got) || strings.Count(got, "\n") != 2+len(e.Headers) {
			t.Errorf("%s: %q", e.Kind, got)
		}
	}
}

func TestAScanThatStopsBeforeTheEndSaysSo(t *testing.T) {
	l, err := openLog(t.Context(), w.kafka, ordersTopic)
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	var said bytes.Buffer
	l.warn = &said
	l.ends[0] += 5 // as when the end cannot be read
	if err := l.scan(t.Context(), l.starts, l.ends, func(*kgo.Record) (bool, error) { return true, nil }); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(said.String(), "partitions [0] have not reached their end") {
		t.Errorf("it said %q", said.String())
	}
}
