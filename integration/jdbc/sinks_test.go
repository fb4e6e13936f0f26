package jdbc

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/syncline-io/syncline/integration/programs"
)

// refusal is something that the sink stops at: a column, or with "" the whole table. of is the side whose it refuses, both
// when it is empty.
type refusal struct{ table, column, of string }

var refusals = []refusal{
	{"t_ckey", "", ""},
	{"t_full", "", ""},
	{"t_nocol", "", ours},
	{"t_nopk", "", ""},
	{"t_date", "d", ""},
	{"t_ts", "ts0", ""},
	{"t_ts", "ts3", ""},
	{"t_time", "t", ""},
	{"t_time", "t0", ""},
	{"t_time", "t3", ""},
	{"t_time", "tz", ""},
	{"t_num", "dv", ""},
	{"t_num", "big", ""},
	{"t_num", "n7638", ""},
	{"t_num15", "neg", ""},
	{"t_arr", "n", ""},
	{"t_arr", "nv", ""},
	{"t_arr", "d", ""},
	{"t_arr", "ts", ""},
	{"t_geo", "p", ""},
	{"t_geo", "l", ""},
	{"t_geo", "s", ""},
	{"t_geo", "b", ""},
	{"t_geo", "pa", ""},
	{"t_geo", "po", ""},
	{"t_geo", "pg", ""},
	{"t_geo", "c", ""},
	{"t_shapes", "b", ""},
	{"t_shapes", "pa", ""},
	{"t_shapes", "po", ""},
	{"t_toast", "bigj", ""},
}

// refuses says whether the sink is to stop at something of a side's.
func (s *side) refuses(table, column string) bool {
	return slices.ContainsFunc(refusals, func(r refusal) bool {
		return r.table == table && r.column == column && (r.of == "" || r.of == s.name)
	})
}

// sinkConfig is the configuration of a sink for topics of a side.
func sinkConfig(t *testing.T, s *side, topics []string, more map[string]string) map[string]string {
	t.Helper()
	u, err := url.Parse(s.target)
	if err != nil {
		t.Fatal(err)
	}
	password, _ := u.User.Password()
	config := map[string]string{
		"connector.class": "io.debezium.connector.jdbc.JdbcSinkConnector", "topics": strings.Join(topics, ","),
		"connection.url":      fmt.Sprintf("jdbc:postgresql://%s%s?sslmode=disable", u.Host, u.Path),
		"connection.username": u.User.Username(), "connection.password": password,
		"connection.pool.min_size": "1", "connection.pool.max_size": "2",
		"insert.mode": "upsert", "primary.key.mode": "record_key", "delete.enabled": "true", "truncate.enabled": "true",
		"schema.evolution": "basic", "quote.identifiers": "true", "collection.name.format": "${source.table}", "flush.max.retries": "0",
		// The worker's own converter makes a map of the header of a key change, and stops at a key of two types.
		"header.converter": "org.apache.kafka.connect.storage.StringConverter",
	}
	for key, value := range more {
		config[key] = value
	}
	return config
}

// tableOf is the name of the table whose topic it is.
func tableOf(topic string) string { return topic[strings.LastIndexByte(topic, '.')+1:] }

// load has one sink load all topics of a side, but for what it refuses.
func (r *run) load(t *testing.T, s *side) {
	t.Helper()
	var topics, dotted, left []string
	for _, topic := range r.topics(t, s) {
		switch {
		case strings.Contains(topic, "Ta_ble"):
			dotted = append(dotted, topic)
		case !s.refuses(tableOf(topic), ""):
			topics = append(topics, topic)
		}
	}
	for _, one := range refusals {
		if one.column != "" && s.refuses(one.table, one.column) {
			left = append(left, s.field(one.table, one.column))
		}
	}
	without := map[string]string{"field.exclude.list": strings.Join(left, ",")}
	r.put(t, s.prefix+"_sink", sinkConfig(t, s, topics, without))
	// A dot in a table's name ends the name of a schema, to the sink.
	r.put(t, s.prefix+"_dotted", sinkConfig(t, s, dotted, map[string]string{"collection.name.format": "dotted"}))
	if trace := r.untilLoaded(t, s.prefix+"_dotted", dotted); trace != "" {
		t.Errorf("the sink stops at %s: %s", dotted, trace)
	}
	trace := r.untilLoaded(t, s.prefix+"_sink", topics)
	if trace == "" {
		return
	}
	t.Errorf("the sink stops at a table or column of %s that is not listed as refused: %s", s.name, trace)
	for _, topic := range topics {
		if trace := r.tryAlone(t, s, topic, without); trace != "" {
			t.Errorf("%s: %s is refused: %s", s.name, tableOf(topic), cause(trace))
			r.blame(t, s, tableOf(topic))
		}
	}
}

// blame says which columns of a table the sink refuses.
func (r *run) blame(t *testing.T, s *side, table string) {
	t.Helper()
	for _, c := range texts(t, connect(t, s.types), columnsSQL(pgx.Identifier{"types", table})) {
		if s.refuses(table, c[0]) {
			continue
		}
		only := map[string]string{"field.include.list": s.only(table, c[0]), "collection.name.format": "blamed_" + table + "_" + c[0]}
		if trace := r.tryAlone(t, s, s.prefix+".types."+table, only); trace != "" {
			t.Errorf("%s: column %s of %s is refused: %s", s.name, c[0], table, cause(trace))
		}
	}
}

// tryAlone has a sink of its own load one topic; trace says why it failed, if it did.
func (r *run) tryAlone(t *testing.T, s *side, topic string, more map[string]string) (trace string) {
	t.Helper()
	return r.endAlone(t, r.startAlone(t, s, topic, more), topic)
}

func (r *run) startAlone(t *testing.T, s *side, topic string, more map[string]string) (name string) {
	t.Helper()
	r.alone++
	name = fmt.Sprintf("%s_alone_%d", s.prefix, r.alone)
	r.put(t, name, sinkConfig(t, s, []string{topic}, more))
	return name
}

func (r *run) endAlone(t *testing.T, name, topic string) (trace string) {
	t.Helper()
	trace = r.untilLoaded(t, name, []string{topic})
	if err := r.connect.DeleteConnector(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	return trace
}

// field names a column of the types as the sink's lists of fields have it.
func (s *side) field(table, column string) string {
	return s.prefix + ".types." + table + ":" + column
}

// only is a list of one column and the keys that tables have.
func (s *side) only(table, column string) string {
	return s.field(table, column) + "," + s.field(table, "pk") + "," + s.field(table, "id")
}

// refuse has a sink of its own load each thing that is refused, some at a time: each has connections and a schema in memory.
func (r *run) refuse(t *testing.T, s *side) {
	t.Helper()
	expected := slices.DeleteFunc(slices.Clone(refusals), func(one refusal) bool { return !s.refuses(one.table, one.column) })
	for some := range slices.Chunk(expected, 6) {
		var names []string
		for _, one := range some {
			more := map[string]string{"collection.name.format": "refused_" + one.table + "_" + one.column}
			if one.column != "" {
				more["field.include.list"] = s.only(one.table, one.column)
			}
			if one.table == "t_ckey" {
				more["header.converter"] = "org.apache.kafka.connect.storage.SimpleHeaderConverter"
			}
			names = append(names, r.startAlone(t, s, s.prefix+".types."+one.table, more))
		}
		for i, one := range some {
			trace := r.endAlone(t, names[i], s.prefix+".types."+one.table)
			if trace == "" {
				t.Errorf("%s: %v is listed as refused, and the sink takes it", s.name, one)
			}
			s.outcomes.columns[strings.TrimSuffix(one.table+"."+one.column, ".")] = "refused: " + cause(trace)
		}
	}
}

// untilLoaded waits until a sink has written all of the topics, or has failed: then trace says why.
func (r *run) untilLoaded(t *testing.T, name string, topics []string) (trace string) {
	t.Helper()
	ends := r.read(t, topics...)
	programs.Eventually(t, 4*time.Minute, name+" has loaded its topics", func() error {
		state, failed, err := r.connect.ConnectorTask(t.Context(), name)
		if err != nil {
			return err
		}
		if state == "FAILED" {
			trace = failed
			return nil
		}
		offsets, err := r.admin.FetchOffsets(t.Context(), "connect-"+name)
		if err != nil {
			return err
		}
		for _, topic := range topics {
			if o, ok := offsets.Lookup(topic, 0); ends[topic].end > 0 && (!ok || o.At < ends[topic].end) {
				time.Sleep(100 * time.Millisecond)
				return fmt.Errorf("%s: at %d of %d, %s", topic, o.At, ends[topic].end, state)
			}
		}
		return nil
	})
	return trace
}

var causes = regexp.MustCompile(`(?m)^Caused by: [\w.$]+: (.*)$`)

// cause is the first line of the innermost cause of a stack trace.
func cause(trace string) string {
	all := causes.FindAllStringSubmatch(trace, -1)
	if len(all) == 0 {
		return trace
	}
	message := strings.TrimPrefix(all[len(all)-1][1], "ERROR: ")
	if len(message) > 2*messageEnd { // what is wrong stands at an end, a long value between
		message = clip(message, messageEnd) + strings.ToValidUTF8(message[len(message)-messageEnd:], "")
	}
	return message
}

// messageEnd is how much of a long message is kept at each end.
const messageEnd = 60
