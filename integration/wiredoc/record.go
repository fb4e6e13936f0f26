package wiredoc

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode"

	"github.com/twmb/franz-go/pkg/kgo"
)

// lineBytes is how many bytes stand on one line of a dump.
const lineBytes = 12

// dump is text that grows line by line: bytes in hex to the left, what they say to the right.
type dump struct{ strings.Builder }

func (d *dump) line(b []byte, says string) {
	for first := true; first || len(b) > 0; first = false {
		n := min(len(b), lineBytes)
		text := ""
		if n > 0 {
			text = strings.TrimSpace(fmt.Sprintf("% x", b[:n]))
		}
		d.WriteString(strings.TrimRight(fmt.Sprintf("  %-*s  %s", lineBytes*3-1, text, says), " ") + "\n")
		b, says = b[n:], ""
	}
}

// Record lays out a record: its key and value by their schemas, which are found by their ids, and its headers. The fields of the
// value that fold names are shown as one line.
func Record(r *kgo.Record, schemas map[uint32]string, fold ...string) string {
	var d dump
	d.body("key", r.Key, schemas, nil)
	d.body("value", r.Value, schemas, fold)
	for _, h := range r.Headers {
		d.WriteString("header " + h.Key + "\n")
		d.line(h.Value, headerSays(h))
	}
	return d.String()
}

// Headers lays out the headers alone.
func Headers(r *kgo.Record) string {
	return Record(&kgo.Record{Headers: r.Headers}, nil)[len("key: null\nvalue: null\n"):]
}

// body lays out a key or value: Avro where there are schemas, else text.
func (d *dump) body(what string, b []byte, schemas map[uint32]string, fold []string) {
	switch {
	case b == nil:
		d.WriteString(what + ": null\n")
	case schemas == nil:
		d.WriteString(what + ", " + fmt.Sprint(len(b)) + " bytes\n")
		d.text(b)
	default:
		id := binary.BigEndian.Uint32(b[1:])
		d.WriteString(what + "\n")
		d.line(b[:1], "always 0")
		d.line(b[1:5], fmt.Sprintf("schema id %d", id))
		w := walk{dump: d, rest: b[5:], fold: fold}
		w.schema(schemas[id])
	}
}

// text shows bytes with their characters, as hexdump -C does.
func (d *dump) text(b []byte) {
	for _, line := range strings.SplitAfter(strings.TrimRight(hex.Dump(b), "\n"), "\n") {
		d.WriteString("  " + line)
	}
	d.WriteString("\n")
}

func headerSays(h kgo.RecordHeader) string {
	switch h.Key {
	case "syncline.version":
		return fmt.Sprintf("commit LSN %X/%X, change %d of it", binary.BigEndian.Uint32(h.Value), binary.BigEndian.Uint32(h.Value[4:]), h.Value[15])
	case "syncline.schema":
		return fmt.Sprintf("schema id %d", binary.BigEndian.Uint32(h.Value))
	case "syncline.table":
		return fmt.Sprintf("table version %d", binary.BigEndian.Uint64(h.Value))
	}
	if strings.IndexFunc(string(h.Value), unicode.IsControl) >= 0 {
		return ""
	}
	return string(h.Value)
}
