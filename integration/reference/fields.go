package reference

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/syncline-io/syncline/framework/config"
)

// field is one key of the configuration.
type field struct {
	key, kind, standard, meaning string
}

// fieldsOf lists the keys of the struct v, which holds the defaults, in the order of its fields. Keys of an inlined
// struct are left out: they have a chapter of their own.
func fieldsOf(c *comments, prefix string, v any) ([]field, error) {
	return structFields(c, prefix, reflect.ValueOf(v))
}

func structFields(c *comments, prefix string, v reflect.Value) ([]field, error) {
	var fields []field
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if options == "inline" || name == "" || name == "-" {
			continue
		}
		found, err := oneField(c, prefix+name, v.Type(), f, v.Field(i))
		if err != nil {
			return nil, err
		}
		fields = append(fields, found...)
	}
	return fields, nil
}

// oneField is a key and, for a section, those below it.
func oneField(c *comments, key string, in reflect.Type, f reflect.StructField, v reflect.Value) ([]field, error) {
	meaning, err := c.field(in, f)
	if err != nil {
		return nil, err
	}
	section, below := sectionOf(f.Type, key, v)
	if meaning == "" && section.IsValid() {
		if meaning, err = c.structure(section.Type()); err != nil {
			return nil, err
		}
	}
	if meaning == "" {
		return nil, fmt.Errorf("%s: the field %s.%s has no comment", key, in, f.Name)
	}
	if !section.IsValid() {
		return []field{{key, kindOf(f.Type), defaultOf(v), meaning}}, nil
	}
	fields, err := structFields(c, below+".", section)
	return append([]field{{key, "section", "–", meaning}}, fields...), err
}

// sectionOf returns the struct that a field of type t holds and the prefix of its keys; no struct for a plain value.
func sectionOf(t reflect.Type, key string, v reflect.Value) (section reflect.Value, below string) {
	switch {
	case t.Kind() == reflect.Struct:
		return v, key
	case t.Kind() == reflect.Pointer && t.Elem().Kind() == reflect.Struct:
		return reflect.Zero(t.Elem()), key
	case t.Kind() == reflect.Map && t.Elem().Kind() == reflect.Struct:
		return reflect.Zero(t.Elem()), key + ".<name>"
	}
	return reflect.Value{}, ""
}

func kindOf(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[time.Duration]():
		return "duration"
	case reflect.TypeFor[config.Size]():
		return "size"
	case reflect.TypeFor[config.URL]():
		return "URL"
	case reflect.TypeFor[config.Secret]():
		return "secret"
	}
	switch t.Kind() {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "list"
	case reflect.Map:
		return "keys and values"
	}
	return "number"
}

// defaultOf gives a default as one would write it; a dash for none.
func defaultOf(v reflect.Value) string {
	text := ""
	switch {
	case v.Kind() == reflect.Slice && v.Len() > 0:
		parts := make([]string, v.Len())
		for i := range parts {
			parts[i] = fmt.Sprint(v.Index(i).Interface())
		}
		text = "[" + strings.Join(parts, ", ") + "]"
	case v.Kind() == reflect.String:
		text = v.String()
	case v.Kind() == reflect.Bool, v.Kind() != reflect.Slice && v.Kind() != reflect.Map && !v.IsZero():
		text = fmt.Sprint(v.Interface())
	}
	if text == "" {
		return "–"
	}
	return "`" + text + "`"
}
