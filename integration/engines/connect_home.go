package engines

import (
	"archive/zip"
	"bytes"
	"context"
	_ "embed" // for the POMs
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
)

//go:embed connect/worker.xml
var connectWorkerPOM []byte

//go:embed connect/plugins.xml
var connectPluginsPOM []byte

//go:embed connect/converter.xml
var connectConverterPOM []byte

// converterJars are the jars of the registry's Avro converter, which fit together though one is older: of that one the
// release 3.0.9 is not published.
var converterJars = []string{
	"utils-converter:3.0.9", "avro-serde-kafka:3.0.9", "serde-common-avro:3.0.9", "serde-kafka-common:3.0.9",
	"serde-common:3.0.9", "schema-resolver:3.0.9", "common:3.0.9", "java-sdk:3.0.7",
}

// connectHome is the folder of the worker's jars.
func connectHome(ctx context.Context) (string, error) {
	version := pomVersion.FindSubmatch(connectWorkerPOM)
	name := fmt.Sprintf("connect-%s-%08x", version[1], crc32.ChecksumIEEE(connectWorkerPOM))
	return cached(ctx, name, func(ctx context.Context, dir string) error {
		return withPOM(connectWorkerPOM, func(pom string) error {
			return maven(ctx, "-f", pom, "dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory="+dir)
		})
	})
}

// connectPluginsHome is the folder of the worker's plugins: Debezium's connectors and the registry's Avro converter.
func connectPluginsHome(ctx context.Context) (string, error) {
	sum := crc32.NewIEEE()
	sum.Write(connectPluginsPOM)
	sum.Write(connectConverterPOM)
	fmt.Fprint(sum, converterJars)
	return cached(ctx, fmt.Sprintf("connect-plugins-%08x", sum.Sum32()), fetchPlugins)
}

func fetchPlugins(ctx context.Context, dir string) error {
	err := withPOM(connectPluginsPOM, func(pom string) error {
		return maven(ctx, "-f", pom, "dependency:unpack-dependencies", "-DexcludeTransitive=true",
			"-DmarkersDirectory="+pom+".markers", "-DoutputDirectory="+dir)
	})
	if err != nil {
		return err
	}
	converter := filepath.Join(dir, "registry-converter")
	err = withPOM(connectConverterPOM, func(pom string) error {
		return maven(ctx, "-f", pom, "dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory="+converter)
	})
	if err != nil {
		return err
	}
	for _, jar := range converterJars {
		// See registryHome for the version of the plugin.
		err := maven(ctx, "org.apache.maven.plugins:maven-dependency-plugin:2.8:get", "-Dtransitive=false",
			"-Dartifact=io.apicurio:apicurio-registry-"+jar,
			"-Ddest="+filepath.Join(converter, "apicurio-registry-"+strings.ReplaceAll(jar, ":", "-")+".jar"))
		if err != nil {
			return err
		}
	}
	return nameConverter(filepath.Join(converter, "services.jar"))
}

// nameConverter writes the jar that names the converter's class to whoever looks for converters. It comes without, and then
// a worker reads every class of every plugin to find it, half a minute at each start.
func nameConverter(path string) error {
	var jar bytes.Buffer
	w := zip.NewWriter(&jar)
	entry, err := w.Create("META-INF/services/org.apache.kafka.connect.storage.Converter")
	if err != nil {
		return err
	}
	_, err = entry.Write([]byte(converterClass + "\n"))
	if err := errors.Join(err, w.Close()); err != nil {
		return err
	}
	return os.WriteFile(path, jar.Bytes(), 0o644)
}

// withPOM calls use with the path of a file that holds the POM, in a folder that is removed afterwards.
func withPOM(text []byte, use func(path string) error) error {
	dir, err := os.MkdirTemp("", "syncline-pom-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // what stays is removed with the machine's other temporary files
	path := filepath.Join(dir, "pom.xml")
	if err := os.WriteFile(path, text, 0o644); err != nil {
		return err
	}
	return use(path)
}
