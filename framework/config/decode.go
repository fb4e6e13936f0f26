package config

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/syncline-io/syncline/framework/failure"
)

// Section is one destination of a document's keys: the struct behind Into takes the keys of the mapping under Key, or
// of the document itself when Key is "".
type Section struct {
	Key  string
	Into any // pointer to a struct with yaml tags
}

// Decode fills the sections from the document and reports every problem: keys that nothing takes, and values of the
// wrong type. It leaves alone what the document does not name, so that defaults stay. Its error is marked
// failure.Config.
func (d *Document) Decode(sections ...Section) error {
	dec := &decoder{path: d.path}
	var top []reflect.Value
	bySection := map[string]reflect.Value{}
	for _, s := range sections {
		v := reflect.ValueOf(s.Into).Elem()
		if s.Key == "" {
			top = append(top, v)
		} else {
			bySection[s.Key] = v
		}
	}
	dec.mapping(d.root, "", top, bySection)
	return failure.As(failure.Config, errors.Join(dec.problems...), "")
}

type decoder struct {
	path     string
	problems []error
}

func (d *decoder) problem(n ast.Node, format string, args ...any) {
	d.problems = append(d.problems, fmt.Errorf("%s:%d: %s", d.path, line(n), fmt.Sprintf(format, args...)))
}

// mapping gives each key of m to the struct that has a field for it.
func (d *decoder) mapping(m *ast.MappingNode, prefix string, structs []reflect.Value, sections map[string]reflect.Value) {
	fields := map[string]reflect.Value{}
	for _, s := range structs {
		collectFields(s, fields)
	}
	for name, v := range sections {
		fields[name] = v
	}
	for _, v := range m.Values {
		key := keyText(v.Key)
		full := prefix + key
		field, ok := fields[key]
		if !ok {
			d.problem(v.Key, "unknown key %q%s", full, suggestion(key, fields))
			continue
		}
		d.value(v.Value, full, field)
	}
}

func collectFields(s reflect.Value, into map[string]reflect.Value) {
	for i := range s.NumField() {
		f := s.Type().Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case options == "inline":
			collectFields(s.Field(i), into)
		case name != "" && name != "-":
			into[name] = s.Field(i)
		}
	}
}

func (d *decoder) value(n ast.Node, key string, v reflect.Value) {
	if _, ok := n.(*ast.NullNode); ok {
		return // "key:" without a value leaves the default
	}
	if a, ok := n.(*ast.AnchorNode); ok {
		n = a.Value
	}
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		d.value(n, key, v.Elem())
		return
	}
	if v.CanAddr() {
		if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
			text, isScalar := scalar(n)
			if !isScalar {
				d.problem(n, "%s: want one value", key)
				return
			}
			if err := u.UnmarshalText([]byte(text)); err != nil {
				d.problem(n, "%s: %v", key, err)
			}
			return
		}
	}
	switch v.Kind() {
	case reflect.Struct:
		m, ok := mapping(n)
		if !ok {
			d.problem(n, "%s: want keys and values", key)
			return
		}
		d.mapping(m, key+".", []reflect.Value{v}, nil)
	case reflect.Map:
		d.mapValue(n, key, v)
	case reflect.Slice:
		d.slice(n, key, v)
	default:
		d.scalar(n, key, v)
	}
}

func (d *decoder) mapValue(n ast.Node, key string, v reflect.Value) {
	m, ok := mapping(n)
	if !ok {
		d.problem(n, "%s: want keys and values", key)
		return
	}
	out := reflect.MakeMap(v.Type())
	for _, kv := range m.Values {
		elem := reflect.New(v.Type().Elem()).Elem()
		d.value(kv.Value, key+"."+keyText(kv.Key), elem)
		out.SetMapIndex(reflect.ValueOf(keyText(kv.Key)), elem)
	}
	v.Set(out)
}

func (d *decoder) slice(n ast.Node, key string, v reflect.Value) {
	seq, ok := n.(*ast.SequenceNode)
	if !ok {
		d.problem(n, "%s: want a list, such as [a, b]", key)
		return
	}
	out := reflect.MakeSlice(v.Type(), len(seq.Values), len(seq.Values))
	for i, e := range seq.Values {
		d.value(e, key+"["+strconv.Itoa(i)+"]", out.Index(i))
	}
	v.Set(out)
}

var durationType = reflect.TypeFor[time.Duration]()

func (d *decoder) scalar(n ast.Node, key string, v reflect.Value) {
	text, ok := scalar(n)
	if !ok {
		d.problem(n, "%s: want one value", key)
		return
	}
	var err error
	switch {
	case v.Type() == durationType:
		var t time.Duration
		if t, err = time.ParseDuration(text); err != nil {
			d.problem(n, "%s: want a duration with its unit, such as 500ms, 10s or 5m", key)
			return
		}
		v.SetInt(int64(t))
	case v.Kind() == reflect.String:
		v.SetString(text)
	case v.Kind() == reflect.Bool:
		var b bool
		if b, err = strconv.ParseBool(text); err != nil {
			d.problem(n, "%s: want true or false", key)
			return
		}
		v.SetBool(b)
	case v.CanInt():
		var i int64
		if i, err = strconv.ParseInt(text, 10, v.Type().Bits()); err != nil {
			d.problem(n, "%s: want a whole number", key)
			return
		}
		v.SetInt(i)
	case v.CanFloat():
		var f float64
		if f, err = strconv.ParseFloat(text, 64); err != nil {
			d.problem(n, "%s: want a number", key)
			return
		}
		v.SetFloat(f)
	default:
		panic("config: a field of type " + v.Type().String() + " has no decoding: " + key)
	}
}

// suggestion is `, did you mean "tables"?` when a known key is near, else the list of what is known.
func suggestion(key string, fields map[string]reflect.Value) string {
	best, bestDistance := "", len(key)/3+2
	var known []string
	for name := range fields {
		known = append(known, name)
		if n := distance(key, name); n < bestDistance || n == bestDistance && best != "" && name < best {
			best, bestDistance = name, n
		}
	}
	if best != "" {
		return fmt.Sprintf(", did you mean %q?", best)
	}
	slices.Sort(known)
	return " (known here: " + strings.Join(known, ", ") + ")"
}

// distance is the Levenshtein distance.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			above := row[j]
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(row[j]+1, row[j-1]+1, diagonal+cost)
			diagonal = above
		}
	}
	return row[len(b)]
}
