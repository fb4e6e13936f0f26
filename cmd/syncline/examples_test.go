package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/syncline-io/syncline/connectors/duckdb"
	"github.com/syncline-io/syncline/connectors/postgres"
	"github.com/syncline-io/syncline/framework/config"
	"github.com/syncline-io/syncline/framework/sink"
	"github.com/syncline-io/syncline/framework/source"
)

const root = "../.."

// validated is a part of a configuration.
type validated interface{ Validate() error }

// decoders decode and check a file as the connector of that name does when it starts.
var decoders = map[string]func(*config.Document) error{
	postgres.SourceConnector.Name: sourceDecoder(postgres.SourceConnector),
	postgres.SinkConnector.Name:   sinkDecoder(postgres.SinkConnector),
	duckdb.SinkConnector.Name:     sinkDecoder(duckdb.SinkConnector),
}

func sourceDecoder[C validated](c source.Connector[C]) func(*config.Document) error {
	return func(d *config.Document) error {
		common, section := config.SourceDefaults(), c.Defaults
		err := d.Decode(config.Section{Into: &common}, config.Section{Key: c.Section, Into: &section})
		return errors.Join(err, common.Validate(), section.Validate())
	}
}

func sinkDecoder[C validated](c sink.Connector[C]) func(*config.Document) error {
	return func(d *config.Document) error {
		common, section := config.SinkDefaults(), c.Defaults
		err := d.Decode(config.Section{Into: &common}, config.Section{Key: c.Section, Into: &section})
		return errors.Join(err, common.Validate(), section.Validate())
	}
}

func decodeFile(path string) error {
	d, err := config.Read(path)
	if err != nil {
		return err
	}
	decode, ok := decoders[d.String("connector")]
	if !ok {
		return fmt.Errorf("%s: no connector is named %q", path, d.String("connector"))
	}
	return decode(d)
}

func setSecrets(t *testing.T) {
	t.Helper()
	t.Setenv("SYNCLINE_PASSWORD", "secret")
	t.Setenv("POSTGRES_PASSWORD", "secret")
}

func TestExamplesAreValidConfigurations(t *testing.T) {
	setSecrets(t)
	found := 0
	err := filepath.WalkDir(filepath.Join(root, "examples"), func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".yaml" {
			return err
		}
		found++
		if err := decodeFile(path); err != nil {
			t.Error(err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if found < len(decoders) {
		t.Errorf("found %d examples, want at least one per connector", found)
	}
}

// compose is what the test looks at in docker-compose.yml.
type compose struct {
	Services map[string]struct {
		Build   struct{ Target string }
		Volumes []string
	}
}

func TestComposeRunsEachConnectorWithItsConfiguration(t *testing.T) {
	setSecrets(t)
	var c compose
	if err := yaml.Unmarshal([]byte(read(t, "docker-compose.yml")), &c); err != nil {
		t.Fatal(err)
	}
	dockerfile := read(t, "Dockerfile")
	ran := map[string]bool{}
	for name, service := range c.Services {
		if service.Build.Target == "" {
			continue
		}
		if !strings.Contains(dockerfile, " AS "+service.Build.Target+"\n") {
			t.Errorf("service %s: the Dockerfile has no stage %s", name, service.Build.Target)
		}
		for _, v := range service.Volumes {
			file, ok := strings.CutSuffix(v, ":/etc/syncline/connector.yaml:ro")
			if !ok {
				continue
			}
			path := filepath.Join(root, file)
			if err := decodeFile(path); err != nil {
				t.Errorf("service %s: %v", name, err)
				continue
			}
			if d, err := config.Read(path); err != nil || d.String("connector") != service.Build.Target {
				t.Errorf("service %s: its image is %s and its configuration that of another connector (%v)", name, service.Build.Target, err)
			}
			ran[service.Build.Target] = true
		}
	}
	for name := range decoders {
		if !ran[name] {
			t.Errorf("no service runs %s", name)
		}
	}
}

func TestReadmeShowsTheExamplesAsTheyAre(t *testing.T) {
	readme := read(t, "README.md")
	for _, file := range []string{"examples/postgres-source.yaml", "examples/postgres-sink.yaml", "examples/privileges.sql"} {
		if !strings.Contains(readme, "\n"+read(t, file)) {
			t.Errorf("README.md does not show %s as it is", file)
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
