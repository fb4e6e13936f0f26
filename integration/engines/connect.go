package engines

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/syncline-io/syncline/framework/child"
)

// converterClass is the registry's converter between Connect's values and Avro in Confluent's wire format.
const converterClass = "io.apicurio.registry.utils.converter.AvroConverter"

// ConnectOptions say what worker to run. Dir, Kafka and Registry are required.
type ConnectOptions struct {
	// Dir is the worker's folder: configuration, log, offsets and port. It is made if it does not exist.
	Dir string
	// Kafka is the bootstrap address of a broker.
	Kafka string
	// Registry is the base URL of the Confluent API of a registry of this package, as Registry.URL has it.
	Registry string
	// Heap is the most that the worker's heap grows to, as Java writes it; 512m when it is empty.
	Heap string
	// Settings are properties of the worker; they win over those of the package.
	Settings map[string]string
}

// Connect is a Kafka Connect worker (standalone mode) with Debezium's PostgreSQL source and JDBC sink. Keys and values are
// Avro in Confluent's wire format. Its connectors are gone after a restart. Its methods may be called from any goroutine.
type Connect struct {
	javaServer
	opt  ConnectOptions
	port int
}

// StartConnect starts a worker. The first call on a machine fetches it and its plugins through Maven. ctx bounds the start and
// not the worker's life.
func StartConnect(ctx context.Context, opt ConnectOptions) (*Connect, error) {
	c := &Connect{opt: opt}
	if err := c.prepare(ctx); err != nil {
		return nil, fmt.Errorf("start Kafka Connect: %w", err)
	}
	if err := c.start(ctx); err != nil {
		c.unlock()
		return nil, fmt.Errorf("start Kafka Connect: %w", err)
	}
	return c, nil
}

// NewConnect starts a worker for this test alone and stops it with the test. An empty Dir is a temporary one.
func NewConnect(t testing.TB, opt ConnectOptions) *Connect {
	t.Helper()
	opt.Dir = folderOr(t, opt.Dir)
	c, err := StartConnect(t.Context(), opt)
	require(t, err)
	t.Cleanup(c.Stop)
	return c
}

// URL is the base of the worker's REST API.
func (c *Connect) URL() string { return "http://" + loopback(c.port) }

func (c *Connect) prepare(ctx context.Context) error {
	if _, err := java(); err != nil {
		return err
	}
	home, err := connectHome(ctx)
	if err != nil {
		return err
	}
	plugins, err := connectPluginsHome(ctx)
	if err != nil {
		return err
	}
	if c.dir, c.unlock, err = takeFolder(c.opt.Dir); err != nil {
		return err
	}
	if err := c.configure(plugins); err != nil {
		c.unlock()
		return err
	}
	c.name = "the worker"
	c.args = []string{
		"-Xms128m", "-Xmx" + cmp.Or(c.opt.Heap, "512m"), "-Dlog4j2.configurationFile=" + c.file("log4j2.properties"),
		"-cp", filepath.Join(home, "*"), "org.apache.kafka.connect.cli.ConnectStandalone", c.file("worker.properties"),
	}
	c.ready = func(ctx context.Context, _ string) bool {
		return c.call(ctx, http.MethodGet, "/connectors", nil, nil) == nil
	}
	return nil
}

func (c *Connect) configure(plugins string) error {
	var err error
	if c.port, err = child.KeptPort(c.file("port")); err != nil {
		return err
	}
	if err := os.WriteFile(c.file("log4j2.properties"), []byte(kafkaLogging), 0o644); err != nil {
		return err
	}
	return os.WriteFile(c.file("worker.properties"), propertiesText(c.properties(plugins)), 0o644)
}

func (c *Connect) file(name string) string { return filepath.Join(c.dir, name) }

func (c *Connect) properties(plugins string) []string {
	all := map[string]string{
		"bootstrap.servers":            c.opt.Kafka,
		"listeners":                    c.URL(),
		"rest.advertised.host.name":    "127.0.0.1",
		"plugin.path":                  plugins,
		"plugin.discovery":             "service_load",
		"offset.storage.file.filename": c.file("offsets"),
		// What a sink has written is told to its group this often: tests wait for it.
		"offset.flush.interval.ms":  "500",
		"consumer.isolation.level":  "read_committed",
		"producer.compression.type": "lz4",
	}
	api, _, _ := strings.Cut(c.opt.Registry, "/apis/")
	for _, side := range []string{"key", "value"} {
		converter := side + ".converter"
		maps.Copy(all, map[string]string{
			converter:                            converterClass,
			converter + ".apicurio.registry.url": api + "/apis/registry/v3",
			converter + ".apicurio.registry.auto-register":   "true",
			converter + ".apicurio.registry.find-latest":     "false",
			converter + ".apicurio.registry.headers.enabled": "false",
			// The number that the Confluent API knows a schema by.
			converter + ".apicurio.registry.use-id": "contentId",
			// One schema that says all, as Confluent's converter registers it, and not a subject for every record in it.
			converter + ".apicurio.registry.dereference-schema": "true",
		})
	}
	maps.Copy(all, c.opt.Settings)
	var lines []string
	for _, key := range slices.Sorted(maps.Keys(all)) {
		lines = append(lines, key+"="+all[key])
	}
	return lines
}

// PutConnector makes a connector or changes it. The task may still fail: ask ConnectorTask.
func (c *Connect) PutConnector(ctx context.Context, name string, config map[string]string) error {
	body, err := json.Marshal(config)
	if err != nil {
		return err
	}
	return c.call(ctx, http.MethodPut, "/connectors/"+url.PathEscape(name)+"/config", body, nil)
}

// DeleteConnector ends a connector and forgets it; its consumer group stays.
func (c *Connect) DeleteConnector(ctx context.Context, name string) error {
	return c.call(ctx, http.MethodDelete, "/connectors/"+url.PathEscape(name), nil, nil)
}

// ConnectorTask is the state of a connector's only task, as Connect tells it: RUNNING, FAILED and others, "" as long as there
// is none; trace is the stack trace of what made it fail.
func (c *Connect) ConnectorTask(ctx context.Context, name string) (state, trace string, err error) {
	var status struct {
		Tasks []struct{ State, Trace string }
	}
	if err := c.call(ctx, http.MethodGet, "/connectors/"+url.PathEscape(name)+"/status", nil, &status); err != nil {
		return "", "", err
	}
	if len(status.Tasks) == 0 {
		return "", "", nil
	}
	return status.Tasks[0].State, status.Tasks[0].Trace, nil
}

// call asks the REST API and decodes the answer into into, unless that is nil.
func (c *Connect) call(ctx context.Context, method, path string, body []byte, into any) error {
	req, err := http.NewRequestWithContext(ctx, method, c.URL()+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close() //nolint:errcheck // it was only read from
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s: %s", method, path, res.Status, answer)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(answer, into)
}
