package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/syncline-io/syncline/framework/failure"
)

type section struct {
	URL    URL      `yaml:"url"`
	Tables []string `yaml:"tables"`
	Note   string   `yaml:"note"`
}

// load reads a source's file as the programs do: decoding first, then validation.
func load(path string) (Source, section, error) {
	d, err := Read(path)
	if err != nil {
		return Source{}, section{}, err
	}
	s, sec := SourceDefaults(), section{}
	if err := d.Decode(Section{Into: &s}, Section{Key: "test", Into: &sec}); err != nil {
		return s, sec, err
	}
	return s, sec, s.Validate()
}

func TestGoodFileSetsEverything(t *testing.T) {
	t.Setenv("TEST_PASSWORD", `p: "w`)
	s, sec, err := load("testdata/good.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if s.Name != "shop" || s.Topics.Partitions != 2 || s.Topics.Config["retention.ms"] != "1000" || s.Topics.Replication != -1 ||
		s.Buffer != 64<<20 || s.ShutdownTimeout != 5*time.Second || !s.Tombstones || s.Kafka.SASL.Password.Reveal() != `p: "w` {
		t.Errorf("got %+v", s)
	}
	if sec.Note != "${not a reference}" || sec.URL.Reveal() != `postgres://u:p: "w@localhost/db` || len(sec.Tables) != 1 {
		t.Errorf("got %+v", sec)
	}
}

func TestAddressesInAListWithinBraces(t *testing.T) {
	d, err := Parse("x.yaml", []byte("kafka: {brokers: [localhost:9092, 127.0.0.1:9093, \"h:1\"]}\nname: {a: b}\n"))
	if err != nil {
		t.Fatal(err)
	}
	s := SourceDefaults()
	err = d.Decode(Section{Into: &s})
	if got := strings.Join(s.Kafka.Brokers, " "); got != "localhost:9092 127.0.0.1:9093 h:1" {
		t.Errorf("got %s", got)
	}
	if err == nil || !strings.Contains(err.Error(), "name: want one value") {
		t.Errorf("a mapping passed for a name: %v", err)
	}
}

func TestBadFilesSayLineKeyAndWayOut(t *testing.T) {
	files, err := filepath.Glob("testdata/*.bad.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no bad files", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			want, err := os.ReadFile(strings.TrimSuffix(file, ".yaml") + ".txt")
			if err != nil {
				t.Fatal(err)
			}
			_, _, err = load(file)
			if err == nil {
				t.Fatal("no error")
			}
			got := strings.ReplaceAll(err.Error(), "testdata/"+filepath.Base(file), filepath.Base(file))
			if strings.HasPrefix(file, "testdata/broken") {
				if !strings.HasPrefix(got, strings.TrimSpace(string(want))) || strings.Contains(got, "hunter2") {
					t.Errorf("got %q", got)
				}
				return
			}
			if got != strings.TrimSpace(string(want)) {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

func TestReadingErrorsAreConfigErrors(t *testing.T) {
	for _, file := range []string{"testdata/missing.yaml", "testdata/unknown.bad.yaml", "testdata/reference.bad.yaml", "testdata/list.bad.yaml"} {
		if _, _, err := load(file); failure.Classify(err) != failure.Config {
			t.Errorf("%s: %v is not marked as a configuration error", file, err)
		}
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	s := struct {
		Secret Secret
		URL    URL
		Pairs  URL
	}{"hunter2", "postgres://u:hunter2@h/db?sslpassword=hunter2", "host=h password='hunter2 x' user=u sslpassword=hunter2"}
	for _, text := range []string{
		fmt.Sprint(s), fmt.Sprintf("%+v", s), fmt.Sprintf("%#v", s), fmt.Sprintf("%s %q %x %d", s.Secret, s.Secret, s.Secret, s.Secret),
		s.URL.String(), s.Pairs.String(), URL("postgres://u:hunter2@h:bad port/").String(),
	} {
		if strings.Contains(text, "hunter2") || strings.Contains(text, fmt.Sprintf("%x", "hunter2")) {
			t.Errorf("secret shown: %s", text)
		}
	}
	if got := s.Pairs.String(); !strings.Contains(got, "host=h") || !strings.Contains(got, "user=u") {
		t.Errorf("too much hidden: %s", got)
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]Size{"64MB": 64 << 20, "1.5kb": 1536, "2 GB": 2 << 30, "100": 100, "7B": 7} {
		var s Size
		if err := s.UnmarshalText([]byte(text)); err != nil || s != want {
			t.Errorf("%s: got %d %v, want %d", text, s, err, want)
		}
	}
	for _, text := range []string{"", "x", "-1MB", "NaN", "1e30GB", "MB"} {
		var s Size
		if err := s.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q: got %d, want an error", text, s)
		}
	}
	if got := Size(64 << 20).String(); got != "64MB" {
		t.Errorf("got %s", got)
	}
}

func TestSinkDefaultsNeedOnlyWhatHasNoDefault(t *testing.T) {
	s := SinkDefaults()
	err := s.Validate()
	for _, want := range []string{"connector:", "name:", "kafka.brokers:", "registry.url:", "topics:"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
	s.Connector, s.Name, s.Kafka.Brokers, s.Registry.URL, s.Topics = "x-sink", "x", []string{"h:1"}, "http://h", []string{"shop.*"}
	if err := s.Validate(); err != nil {
		t.Error(err)
	}
}

func TestADocumentTellsWhatItSets(t *testing.T) {
	d, err := Parse("x.yaml", []byte("buffer: 1MB\nbatch: {rows: 5}\nname:\nlog:\n  level: info\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, set := range [][]string{{"buffer"}, {"batch"}, {"batch", "rows"}, {"log", "level"}} {
		if !d.Sets(set...) {
			t.Errorf("%v is set", set)
		}
	}
	for _, unset := range [][]string{{"memory"}, {"batch", "bytes"}, {"buffer", "x"}, {"name"}, {"kafka", "brokers"}} {
		if d.Sets(unset...) {
			t.Errorf("%v is not set", unset)
		}
	}
}
