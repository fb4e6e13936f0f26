package demo

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/template"
)

// files are the configurations that the demo runs; they are written to its folder for the user to read.
type files struct {
	Source, Postgres, DuckDB string // paths; DuckDB is "" when this binary has no DuckDB
	DuckDBFile               string
}

var (
	sourceFile = template.Must(template.New("").Parse(`# Publishes the shop to Kafka. "kafka" and "registry" are the demo's own, in its process; name yours to use a cluster.
connector: postgres-source
name: shop
kafka: {brokers: [{{.Brokers}}]}
registry: {url: "{{.Registry}}"}
delivery: at_least_once # the embedded broker's transactions do not survive a crash; a cluster gets exactly_once
admin: {listen: "127.0.0.1:0"}
log: {level: warn, format: console}
postgres:
  url: "{{.ShopURL}}"
  tables: [{{.Tables}}]
`))
	postgresFile = template.Must(template.New("").Parse(`# Keeps a second PostgreSQL database in step.
connector: postgres-sink
name: shop-copy
kafka: {brokers: [{{.Brokers}}]}
registry: {url: "{{.Registry}}"}
topics: ["shop.public.*"]
admin: {listen: "127.0.0.1:0"}
log: {level: warn, format: console}
postgres:
  url: "{{.CopyURL}}"
`))
	duckdbFile = template.Must(template.New("").Parse(`# Keeps a DuckDB file in step.
connector: duckdb-sink
name: shop-warehouse
kafka: {brokers: [{{.Brokers}}]}
registry: {url: "{{.Registry}}"}
topics: ["shop.public.*"]
target: {schema: shop}
admin: {listen: "127.0.0.1:0"}
log: {level: warn, format: console}
duckdb:
  path: "{{.DuckDBFile}}"
`))
)

// writeFiles writes the configurations into dir.
func writeFiles(dir string, brokers []string, registry, shopURL, copyURL string, duckdb bool) (files, error) {
	f := files{
		Source:   filepath.Join(dir, "shop-source.yaml"),
		Postgres: filepath.Join(dir, "copy-sink.yaml"),
	}
	if duckdb {
		f.DuckDB, f.DuckDBFile = filepath.Join(dir, "warehouse-sink.yaml"), filepath.Join(dir, "warehouse.duckdb")
	}
	values := map[string]string{
		"Brokers": strings.Join(brokers, ", "), "Registry": registry, "ShopURL": shopURL, "CopyURL": copyURL,
		"Tables": strings.Join(shopTables, ", "), "DuckDBFile": f.DuckDBFile,
	}
	for path, t := range map[string]*template.Template{f.Source: sourceFile, f.Postgres: postgresFile, f.DuckDB: duckdbFile} {
		if path == "" {
			continue
		}
		var text bytes.Buffer
		if err := t.Execute(&text, values); err != nil {
			return f, fmt.Errorf("write %s: %w", path, err)
		}
		if err := os.WriteFile(path, text.Bytes(), 0o600); err != nil {
			return f, err
		}
	}
	return f, nil
}

// sinks are the files of the sinks that run.
func (f files) sinks() []string {
	if f.DuckDB == "" {
		return []string{f.Postgres}
	}
	return []string{f.DuckDB, f.Postgres}
}
