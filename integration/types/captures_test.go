package types

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/syncline-io/syncline/framework/embedded"
	"github.com/syncline-io/syncline/integration/engines"
	"github.com/syncline-io/syncline/integration/programs"
)

// A scene is a file of statements and what a real Debezium made of the tables of one schema, in each of several settings.
type scene struct {
	name, file, schema string
	// until cuts the statements off, "" not at all.
	until    string
	captures []capture
}

// capture is what Debezium made of a scene, in testdata/debezium, and the settings of ours that mean the same.
type capture struct {
	name, prefix, options string
	// stream says that the statements were read as changes, and not as a snapshot.
	stream bool
	// refused are tables that ours does not take in these settings.
	refused []string
}

var scenes = []scene{
	{
		name: "more", file: "more.sql", schema: "more", captures: append([]capture{
			{"default", "mdef", `include_unknown_datatypes: "false"`, true, nil},
			{"unknown", "munk", `include_unknown_datatypes: "true"`, true, nil},
			{"snapshot", "msnap", `include_unknown_datatypes: "true"`, false, nil},
		}, inModes("m")...),
	},
	{name: "types", file: "types.sql", schema: "types", until: "-- ---------------------------------------------------------------- 4 names", captures: inModes("types")},
	{
		name: "vector", file: "vector.sql", schema: "vec", captures: []capture{
			{"default", "vec2", `include_unknown_datatypes: "false"`, true, nil},
			{"unknown", "vecunk2", `include_unknown_datatypes: "true"`, true, nil},
			{"snapshot", "vecsnap2", `include_unknown_datatypes: "false"`, false, nil},
		},
	},
	{
		name: "postgis", file: "postgis.sql", schema: "gis", captures: []capture{
			{"default", "gis", `include_unknown_datatypes: "false"`, true, nil},
			{"snapshot", "gissnap", `include_unknown_datatypes: "true"`, false, nil},
		},
	},
}

// inModes are the captures in Debezium's handling modes, whose prefixes begin with one.
func inModes(prefix string) (all []capture) {
	for set, options := range handlingModes {
		if !strings.Contains(options, "include_unknown") {
			options += `, include_unknown_datatypes: "false"`
		}
		var refused []string
		if prefix == "m" {
			refused = []string{"t_key_n", "t_key_nv"} // keys that not every mode keeps apart
			options += ", exclude_tables: [more.t_key_n, more.t_key_nv]"
		}
		all = append(all, capture{set, prefix + set, options, false, refused})
	}
	return all
}

// TestSettingsAreDebeziums holds what the source registers and writes, in each setting of a scene, against what Debezium did.
func TestSettingsAreDebeziums(t *testing.T) {
	subjects, records := count{}, count{}
	for _, s := range scenes {
		t.Run(s.name, func(t *testing.T) {
			got := s.run(t, s.server(t))
			for _, c := range s.captures {
				t.Run(c.name, func(t *testing.T) {
					want := readCapture(t, s, c)
					compareSubjects(t, s, c, got[c.name], want, &subjects)
					compareRecords(t, s, c, got[c.name], want, &records)
				})
			}
			for pattern, why := range otherColumns[s.name] {
				if !seenOthers[s.name+" "+pattern] && flag.Lookup("test.run").Value.String() == "" {
					t.Errorf("%s is what Debezium writes, and is said not to be: %s", pattern, why)
				}
			}
		})
	}
	t.Logf("subjects equal: %d of %d; records equal: %d of %d; the others differ in the columns of otherColumns alone", subjects.equal, subjects.all, records.equal, records.all)
}

type count struct{ equal, all int }

// server returns the URL of an empty database on a server that has what the scene needs.
func (s *scene) server(t *testing.T) string {
	switch s.name {
	case "vector":
		return engines.NewPostgresWithVector(t).URL("")
	case "postgis":
		return engines.DatabaseWithPostGIS(t)
	}
	return engines.Database(t)
}

// run has a source for each capture read the scene's statements, and returns their topics by the capture's name.
func (s *scene) run(t *testing.T, source string) map[string]*topics {
	server, err := embedded.Start(t.Context(), embedded.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close() //nolint:errcheck // nothing of it is needed afterwards
	name := engines.Unique(t)
	m := &maker{t: t, name: name, kafka: server.Brokers()[0], registry: server.RegistryURL(), source: source}
	if m.conn, err = pgx.Connect(t.Context(), source); err != nil {
		t.Fatal(err)
	}
	defer m.conn.Close(context.Background()) //nolint:errcheck // nothing is lost with it
	m.exec("create table public.part_end (id int primary key); create publication types_pub for all tables")
	for _, c := range s.captures {
		if c.stream {
			m.exec(fmt.Sprintf("select pg_create_logical_replication_slot('%s_%s', 'pgoutput')", name, c.name))
		}
	}
	text, err := os.ReadFile(filepath.Join("testdata", s.file))
	if err != nil {
		t.Fatal(err)
	}
	statements := string(text)
	if s.until != "" {
		statements, _, _ = strings.Cut(statements, s.until)
	}
	psql(t, source, statements)
	m.exec("insert into public.part_end values (0)")
	m.marks++
	return s.read(m)
}

// read starts all sources and reads their topics when each has written everything.
func (s *scene) read(m *maker) map[string]*topics {
	sources := map[string]*programs.Program{}
	for _, c := range s.captures {
		name := m.name + "_" + c.name
		options := c.options + ", publication: types_pub"
		if c.stream {
			options += ", start: stream, slot: " + name
		}
		p := programs.New(m.t, "postgres-source", m.common("postgres-source", name)+
			fmt.Sprintf("delivery: at_least_once\ntopic_prefix: %s\npostgres: {url: %q, %s, tables: [%s.*, public.part_end]}\n", name, m.source, options, s.schema))
		p.Start()
		sources[c.name] = p
	}
	out := map[string]*topics{}
	for _, c := range s.captures {
		m.until(sources[c.name], m.name+"_"+c.name, m.marks)
	}
	m.exec(fmt.Sprintf("insert into public.part_end values (%d)", m.marks))
	m.marks++
	for _, c := range s.captures {
		name := m.name + "_" + c.name
		m.until(sources[c.name], name, m.marks)
		if code := sources[c.name].Stop(); code != 0 {
			m.t.Errorf("the source of %s ends with code %d", c.name, code)
		}
		out[c.name] = readTopics(m.t, m.kafka, m.registry, name).without(name, s.schema)
	}
	return out
}

// without takes a prefix off the names of a schema's topics and subjects, and out of the schemas' texts.
func (r *topics) without(prefix, schema string) *topics {
	short := strings.NewReplacer(prefix+"."+schema+".", "PREFIX."+schema+".").Replace
	out := &topics{records: map[string][]*record{}, subjects: map[string][]string{}}
	for topic, records := range r.records {
		out.records[short(topic)] = records
	}
	for subject, texts := range r.subjects {
		for _, text := range texts {
			out.subjects[short(subject)] = append(out.subjects[short(subject)], short(text))
		}
	}
	return out
}

// readCapture reads what Debezium made of a scene, as without gives it.
func readCapture(t *testing.T, s scene, c capture) *topics {
	t.Helper()
	out := &topics{records: map[string][]*record{}, subjects: map[string][]string{}}
	file := filepath.Join(s.name, c.name)
	readLines(t, file+".subjects.jsonl", func(line []byte) error {
		var text struct{ Subject, Schema string }
		err := json.Unmarshal(line, &text)
		out.subjects[text.Subject] = []string{text.Schema}
		return err
	})
	readLines(t, file+".records.jsonl", func(line []byte) error {
		var r struct {
			Topic    string
			KeyHex   string `json:"key_hex"`
			ValueHex string `json:"value_hex"`
		}
		err := json.Unmarshal(line, &r)
		rec := &record{}
		if r.KeyHex != "" {
			rec.key = decodeHex(t, parse(t, out.subjects[r.Topic+"-key"][0]), r.KeyHex)
		}
		if r.ValueHex != "" {
			rec.value = decodeHex(t, parse(t, out.subjects[r.Topic+"-value"][0]), r.ValueHex)
		}
		out.records[r.Topic] = append(out.records[r.Topic], rec)
		return err
	})
	return out.without(c.prefix, s.schema)
}

// compareSubjects holds the schemas' texts against each other; where they differ, it names the columns.
func compareSubjects(t *testing.T, s scene, c capture, got, want *topics, n *count) {
	t.Helper()
	for subject, texts := range want.subjects {
		table := strings.TrimPrefix(subject, "PREFIX."+s.schema+".")
		if slices.Contains(c.refused, strings.TrimSuffix(strings.TrimSuffix(table, "-key"), "-value")) {
			continue
		}
		n.all++
		registered := got.subjects[subject]
		if slices.Equal(registered, texts) {
			n.equal++
			continue
		}
		if len(registered) == 0 {
			t.Errorf("%s is not registered", table)
			continue
		}
		g, w := columnTypes(t, registered[len(registered)-1]), columnTypes(t, texts[0])
		for _, name := range slices.Sorted(keysOf(g, w)) {
			if g[name] != w[name] && !s.differs(c, table, name) {
				t.Errorf("schema of %s, column %s.%s\nours     %s\nDebezium %s", table, strings.TrimSuffix(table, "-value"), name, g[name], w[name])
			}
		}
		if reflect.DeepEqual(g, w) {
			t.Errorf("%s differs beside its columns' types\nours     %s\nDebezium %s", table, registered[len(registered)-1], texts[0])
		}
	}
}

// sorting orders the entries of a map that is written as a list: Debezium has those of a sparse vector in any order.
func sorting(v any) any {
	row, _ := v.(map[string]any)
	if entries, ok := row["vector"].([]any); ok {
		slices.SortFunc(entries, func(a, b any) int { return strings.Compare(shown(a), shown(b)) })
	}
	return v
}

func keysOf[V any](maps ...map[string]V) func(yield func(string) bool) {
	all := map[string]bool{}
	for _, m := range maps {
		for k := range m {
			all[k] = true
		}
	}
	return func(yield func(string) bool) {
		for k := range all {
			if !yield(k) {
				return
			}
		}
	}
}

// columnTypes are the texts of the columns' types and defaults in a key's or an envelope's schema.
func columnTypes(t *testing.T, text string) map[string]string {
	t.Helper()
	type row struct {
		Fields []struct {
			Name    string
			Type    json.RawMessage
			Default json.RawMessage
		}
	}
	var r row
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatal(err)
	}
	if r.Fields[0].Name == "before" {
		var before []json.RawMessage
		err := json.Unmarshal(r.Fields[0].Type, &before)
		if r = (row{}); err == nil {
			err = json.Unmarshal(before[1], &r)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	types := map[string]string{}
	for _, f := range r.Fields {
		types[f.Name] = string(f.Type) + " " + string(f.Default)
	}
	return types
}

func compareRecords(t *testing.T, s scene, c capture, got, want *topics, n *count) {
	t.Helper()
	for topic, records := range want.records {
		table := strings.TrimPrefix(topic, "PREFIX."+s.schema+".")
		if slices.Contains(c.refused, table) {
			continue
		}
		ours := got.records[topic]
		for i, w := range records {
			n.all++
			if i >= len(ours) {
				t.Errorf("%s: Debezium's record %d has none of ours: %s", table, i, rowText(w.key, w.value))
				continue
			}
			switch differences, known := s.compare(c, table, ours[i], w); {
			case len(differences) > 0:
				t.Errorf("%s, record %d: %s", table, i, strings.Join(differences, "\n"))
			case known == 0:
				n.equal++
			}
		}
		if len(ours) > len(records) {
			t.Errorf("%s: %d records of ours, %d of Debezium's", table, len(ours), len(records))
		}
	}
}

// compare returns what differs between two records, column by column, and how many columns differ of which that is known.
func (s *scene) compare(c capture, table string, got, want *record) (differences []string, known int) {
	if !reflect.DeepEqual(got.key, want.key) {
		differences = append(differences, fmt.Sprintf("key\nours     %s\nDebezium %s", shown(got.key), shown(want.key)))
	}
	if (got.value == nil) != (want.value == nil) || got.op() != want.op() {
		differences = append(differences, fmt.Sprintf("operation\nours     %s\nDebezium %s", rowText(got.key, got.value), rowText(want.key, want.value)))
		return differences, known
	}
	for _, part := range []string{"before", "after"} {
		g, w := got.part(part), want.part(part)
		for _, name := range slices.Sorted(keysOf(g, w)) {
			switch {
			case reflect.DeepEqual(sorting(g[name]), sorting(w[name])):
			case s.differs(c, table, name):
				known++
			default:
				differences = append(differences, fmt.Sprintf("%s, column %s.%s\nours     %s\nDebezium %s", part, table, name, shown(g[name]), shown(w[name])))
			}
		}
	}
	return differences, known
}

// otherColumns are the columns that are not Debezium's, by capture, table and column, and why.
var otherColumns = map[string]map[string]string{
	"more": {
		"*/t_unknown.iv":           "int2vector is text: Debezium has an array, which is always empty",
		"*/t_unknown.ov":           "oidvector is text: Debezium has an array, which is always empty",
		"*/t_def_*.di":             "an infinite date is the number that it is elsewhere",
		"*/t_def_*.tsi":            "an infinite timestamp is the number that it is elsewhere",
		"*/t_def_*.f8n":            "NaN is no default that Avro knows",
		"default/t_def_*.na":       "a value of type name is the value, and not null",
		"default/n15.v":            "a value of type name is the value, and not null",
		"*/t_arrays.ls":            "an array of shapes is the array, and not null",
		"*/t_arrays.bo":            "an array of shapes is the array, and not null",
		"*/t_arrays.pa":            "an array of shapes is the array, and not null",
		"*/t_arrays.pg":            "an array of shapes is the array, and not null",
		"*/t_arrays.ci2":           "an array of shapes is the array, and not null",
		"*/t_arrays.li":            "an array of shapes is the array, and not null",
		"*/t_arrays.ti":            "times in an array keep their microseconds, and 24:00",
		"numbers/t_arrays.n":       "NaN in an array is what it is elsewhere, and the array not null",
		"strings/t_arrays.n":       "NaN in an array is what it is elsewhere, and the array not null",
		"*/t_arrays_null.lt":       "an array of ltree with a NULL is the array, and not null",
		"*/t_unknown_arr_null.tqa": "an array with a lower bound of its own has its text in the header",
	},
	"types": {
		"*/t_arr.d":           "an infinite date in an array is the number that it is elsewhere",
		"*/t_arr.i":           "an array of several dimensions is null with its text beside it, not nulls",
		"*/t_arr.i2":          "an array of several dimensions is null with its text beside it, not nulls",
		"*/t_arr.t":           "an array of several dimensions is null with its text beside it, not the name of a Java object",
		"*/t_date.d":          "a date before Christ, or an infinite one, is in a snapshot what it is in the log",
		"*/t_def.f":           "NULL in a column with a default is NULL",
		"*/t_def.g":           "a generated column is not in the log; Debezium has it in a snapshot",
		"*/t_enum.m":          "NULL in a column with a default is NULL",
		"*/t_num.dv":          "the zeros at the end of an unconstrained numeric stay",
		"strings/t_num15.neg": "123000 is not padded with 2045 zeros",
		"*/t_time.tz3":        "a time whose offset has seconds is a time, and not null",
		"strings/t_time.t*":   "24:00 is no midnight of the same day",
		"strings/t_ts.ts*":    "an infinite timestamp is null with its text beside it, not a moment of the year 292278994",
	},
	"vector": {"*/t_vec.sa": "an array of sparse vectors is the array, and not null"},
}

// differs reports whether a column is known not to be Debezium's.
func (s *scene) differs(c capture, table, column string) bool {
	name := c.name + "/" + strings.TrimSuffix(strings.TrimSuffix(table, "-value"), "-key") + "." + column
	for pattern := range otherColumns[s.name] {
		if ok, err := path.Match(pattern, name); ok && err == nil {
			seenOthers[s.name+" "+pattern] = true
			return true
		}
	}
	return false
}

// seenOthers are the patterns of otherColumns that were needed, behind the names of their scenes.
var seenOthers = map[string]bool{}
