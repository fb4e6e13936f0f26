package wiredoc

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
)

// walk goes through an Avro body by its schema and writes a line for each value. It panics on a body that is not of the
// schema: only tests call it, with records that they have just made.
type walk struct {
	*dump
	rest  []byte
	fold  []string
	named map[string]any
	depth int
}

// schema walks a whole body.
func (w *walk) schema(text string) {
	var schema any
	if err := json.Unmarshal([]byte(text), &schema); err != nil {
		panic(err)
	}
	w.named = map[string]any{}
	w.name(schema)
	w.value("", schema)
	if len(w.rest) > 0 {
		panic(fmt.Sprintf("%d bytes after the end of the value", len(w.rest)))
	}
}

// name notes the records by their names, which other places of the schema use.
func (w *walk) name(schema any) {
	switch s := schema.(type) {
	case []any:
		for _, branch := range s {
			w.name(branch)
		}
	case map[string]any:
		if name, ok := s["name"].(string); ok && s["type"] == "record" {
			w.named[name] = s
			if space, ok := s["namespace"].(string); ok {
				w.named[space+"."+name] = s
			}
		}
		for _, inner := range []string{"type", "fields", "items"} {
			w.name(s[inner])
		}
	}
}

// says writes the first n bytes of what is left with their meaning.
func (w *walk) says(n int, format string, args ...any) {
	w.line(w.rest[:n], strings.Repeat("  ", w.depth)+fmt.Sprintf(format, args...))
	w.rest = w.rest[n:]
}

// long reads a zigzag number without moving on: its value and length.
func (w *walk) long() (int64, int) {
	v, n := binary.Varint(w.rest)
	if n <= 0 {
		panic("no number where one is expected")
	}
	return v, n
}

func (w *walk) value(field string, schema any) {
	switch s := schema.(type) {
	case string:
		if named, ok := w.named[s]; ok {
			w.value(field, named)
			return
		}
		w.primitive(field, s, "")
	case []any:
		w.union(field, s)
	case map[string]any:
		switch s["type"] {
		case "record":
			w.record(field, s)
		case "array":
			w.array(field, s["items"])
		default:
			meaning, _ := s["connect.name"].(string)
			if meaning == "" {
				meaning, _ = s["logicalType"].(string)
			}
			w.primitive(field, s["type"].(string), meaning[strings.LastIndexByte(meaning, '.')+1:])
		}
	}
}

func (w *walk) record(field string, s map[string]any) {
	if field != "" {
		w.WriteString(strings.Repeat(" ", 2+lineBytes*3-1+2+2*w.depth) + field + ": record " + s["name"].(string) + "\n")
		w.depth++
		defer func() { w.depth-- }()
	}
	for _, f := range s["fields"].([]any) {
		f := f.(map[string]any)
		w.field(f["name"].(string), f["type"])
	}
}

// field walks a field, or folds it to one line.
func (w *walk) field(name string, schema any) {
	if !slices.Contains(w.fold, name) {
		w.value(name, schema)
		return
	}
	aside := walk{dump: new(dump), rest: w.rest, named: w.named}
	aside.value(name, schema)
	w.WriteString(fmt.Sprintf("  %-*s  %s\n", lineBytes*3-1, fmt.Sprintf("(%d bytes)", len(w.rest)-len(aside.rest)), name+", as above"))
	w.rest = aside.rest
}

func (w *walk) union(field string, branches []any) {
	i, n := w.long()
	if branches[i] == "null" {
		w.says(n, "%s: branch %d, null", field, i)
		return
	}
	w.says(n, "%s: branch %d", field, i)
	w.value(field, branches[i])
}

func (w *walk) array(field string, items any) {
	for {
		count, n := w.long()
		if count == 0 {
			w.says(n, "%s: end of the items", field)
			return
		}
		w.says(n, "%s: %d items", field, count)
		for range count {
			w.value(field+"[]", items)
		}
	}
}

func (w *walk) primitive(field, kind, meaning string) {
	if meaning != "" {
		meaning = ", " + meaning
	}
	switch kind {
	case "boolean":
		w.says(1, "%s: %t", field, w.rest[0] == 1)
	case "int", "long":
		v, n := w.long()
		w.says(n, "%s: %d%s", field, v, meaning)
	case "float":
		w.says(4, "%s: %v", field, math.Float32frombits(binary.LittleEndian.Uint32(w.rest)))
	case "double":
		w.says(8, "%s: %v", field, math.Float64frombits(binary.LittleEndian.Uint64(w.rest)))
	case "string", "bytes":
		size, n := w.long()
		w.says(n, "%s: %d bytes%s", field, size, meaning)
		if text := w.rest[:size]; kind == "string" {
			w.says(int(size), "  %q", text)
		} else {
			w.says(int(size), "  (bytes)")
		}
	default:
		panic("no walk for the type " + kind)
	}
}
