package registry

import "encoding/json"

// object is a JSON object in the order of its text. Values are object, []any, string, json.Number, bool or nil.
type object []member

type member struct {
	key   string
	value any
}

func (o object) get(key string) (any, bool) {
	for _, m := range o {
		if m.key == key {
			return m.value, true
		}
	}
	return nil, false
}

func (o object) text(key string) string {
	v, _ := o.get(key)
	s, _ := v.(string)
	return s
}

func readNode(dec *json.Decoder) (any, error) {
	token, err := dec.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('{'):
		return readObject(dec)
	case json.Delim('['):
		all := []any{}
		for dec.More() {
			value, err := readNode(dec)
			if err != nil {
				return nil, err
			}
			all = append(all, value)
		}
		_, err := dec.Token()
		return all, err
	}
	return token, nil
}

// readObject reads what follows an opening brace. Of a key that occurs twice the last value counts, at the first place,
// as for Java's parser and for [compat.Parse]: what is stored must not be another schema than what was checked.
func readObject(dec *json.Decoder) (object, error) {
	o, places := object{}, make(map[string]int)
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return nil, err
		}
		value, err := readNode(dec)
		if err != nil {
			return nil, err
		}
		key := token.(string)
		if place, again := places[key]; again {
			o[place].value = value
			continue
		}
		places[key] = len(o)
		o = append(o, member{key, value})
	}
	_, err := dec.Token()
	return o, err
}
