package engines

import (
	"cmp"
	"context"
	"crypto/rand"
	_ "embed" // for the POM
	"encoding/base64"
	"fmt"
	"hash/crc32"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/syncline-io/syncline/framework/child"
)

//go:embed kafka/pom.xml
var kafkaPOM []byte

// KafkaOptions say what broker to run. Only Dir is required.
type KafkaOptions struct {
	// Dir is the broker's folder: configuration, data, log and ports. It is made if it does not exist.
	Dir string
	// Settings are broker properties; they win over those of the package.
	Settings map[string]string
	// Security is what the clients' listener asks for: PLAINTEXT (also when it is empty), SSL, SASL_PLAINTEXT or SASL_SSL. What
	// belongs to it stands in Settings, under listener.name.client.
	Security string
	// Users may log in by SCRAM-SHA-256 and SCRAM-SHA-512 with these passwords. They count when the folder is new.
	Users map[string]string
	// Proxied is the address of a proxy. It adds a listener whose clients are told to come back through the proxy; the
	// proxy's upstream is ProxiedUpstream. "" adds none.
	Proxied string
}

// Kafka is one Apache Kafka broker, its own controller. Its methods may be called from any goroutine.
type Kafka struct {
	javaServer
	opt   KafkaOptions
	home  string
	ports kafkaPorts
}

// kafkaPorts are kept over restarts. Clients and the broker itself use different listeners, so that what a test does to
// the former (a proxy) does not reach the latter.
type kafkaPorts struct{ client, proxied, internal, controller int }

// StartKafka starts a broker, with the data that its folder holds. The first call on a machine fetches Kafka through Maven.
// ctx bounds the start and not the broker's life.
func StartKafka(ctx context.Context, opt KafkaOptions) (*Kafka, error) {
	k := &Kafka{opt: opt}
	if err := k.prepare(ctx); err != nil {
		return nil, fmt.Errorf("start Kafka: %w", err)
	}
	err := k.format(ctx)
	if err == nil {
		err = k.start(ctx)
	}
	if err != nil {
		k.unlock()
		return nil, fmt.Errorf("start Kafka: %w", err)
	}
	return k, nil
}

// Address is the bootstrap address.
func (k *Kafka) Address() string { return loopback(k.ports.client) }

// ProxiedUpstream is the address of the listener behind the proxy; see KafkaOptions.Proxied.
func (k *Kafka) ProxiedUpstream() string { return loopback(k.ports.proxied) }

// prepare locks the folder and writes the configuration into it.
func (k *Kafka) prepare(ctx context.Context) error {
	if _, err := java(); err != nil {
		return err
	}
	var err error
	if k.home, err = kafkaHome(ctx); err != nil {
		return err
	}
	if k.dir, k.unlock, err = takeFolder(k.opt.Dir); err != nil {
		return err
	}
	if err := k.configure(); err != nil {
		k.unlock()
		return err
	}
	k.name = "the broker"
	k.args = []string{
		"-Xms128m", "-Xmx512m", "-Dlog4j2.configurationFile=" + k.file("log4j2.properties"),
		"-cp", filepath.Join(k.home, "*"), "kafka.Kafka", k.file("server.properties"),
	}
	k.ready = func(_ context.Context, log string) bool { return strings.Contains(log, "Kafka Server started") }
	return nil
}

func (k *Kafka) configure() error {
	for name, port := range map[string]*int{
		"client": &k.ports.client, "proxied": &k.ports.proxied, "internal": &k.ports.internal, "controller": &k.ports.controller,
	} {
		var err error
		if *port, err = child.KeptPort(k.file(name + ".port")); err != nil {
			return err
		}
	}
	if err := os.WriteFile(k.file("log4j2.properties"), []byte(kafkaLogging), 0o644); err != nil {
		return err
	}
	return os.WriteFile(k.file("server.properties"), propertiesText(k.properties()), 0o644)
}

func (k *Kafka) file(name string) string { return filepath.Join(k.dir, name) }

// properties are those of a broker that is alone, and quick to react: tests wait for what a cluster batches.
func (k *Kafka) properties() []string {
	listeners := fmt.Sprintf("CLIENT://%s,INTERNAL://%s", loopback(k.ports.client), loopback(k.ports.internal))
	advertised := listeners
	if k.opt.Proxied != "" {
		listeners += ",PROXIED://" + loopback(k.ports.proxied)
		advertised += ",PROXIED://" + k.opt.Proxied
	}
	all := map[string]string{
		"process.roles":                  "broker,controller",
		"node.id":                        "1",
		"controller.quorum.voters":       "1@" + loopback(k.ports.controller),
		"controller.listener.names":      "CONTROLLER",
		"inter.broker.listener.name":     "INTERNAL",
		"listeners":                      listeners + ",CONTROLLER://" + loopback(k.ports.controller),
		"advertised.listeners":           advertised,
		"listener.security.protocol.map": fmt.Sprintf("CLIENT:%s,PROXIED:PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT", cmp.Or(k.opt.Security, "PLAINTEXT")),
		"log.dirs":                       k.file("data"),

		// Syncline makes every topic itself; one that appears by accident is a fault that a test must see.
		"auto.create.topics.enable": "false",

		// The defaults ask for three brokers.
		"offsets.topic.replication.factor":                 "1",
		"transaction.state.log.replication.factor":         "1",
		"transaction.state.log.min.isr":                    "1",
		"share.coordinator.state.topic.replication.factor": "1",
		"share.coordinator.state.topic.min.isr":            "1",
		// 50 partitions each cost files and a second at the first use.
		"offsets.topic.num.partitions":         "4",
		"transaction.state.log.num.partitions": "4",

		// A new group begins at once instead of waiting 3 s for more members, and a test may let a dead member be
		// noticed sooner than after 6 s.
		"group.initial.rebalance.delay.ms": "0",
		"group.min.session.timeout.ms":     "1000",
		// A transaction that a killed producer left open is looked for every second, not every ten.
		"transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",

		// A quarter of the heap by default, for topics much larger than a test's.
		"log.cleaner.dedupe.buffer.size": "16777216",
	}
	maps.Copy(all, k.opt.Settings)
	var lines []string
	for _, key := range slices.Sorted(maps.Keys(all)) {
		lines = append(lines, key+"="+all[key])
	}
	return lines
}

const kafkaLogging = `appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d{ISO8601} %p %c{1}: %m%n
rootLogger.level=INFO
rootLogger.appenderRef.out.ref=out
`

// format gives the storage of a new folder its cluster id. A format that was cut off is repeated.
func (k *Kafka) format(ctx context.Context) error {
	formatted := k.file("formatted")
	if _, err := os.Stat(formatted); err == nil {
		return nil
	}
	path, err := java()
	if err != nil {
		return err
	}
	if err := os.RemoveAll(k.file("data")); err != nil {
		return err
	}
	args := []string{
		"-Xmx128m", "-Dlog4j2.configurationFile=" + k.file("log4j2.properties"),
		"-cp", filepath.Join(k.home, "*"), "kafka.tools.StorageTool", "format", "-t", clusterID(), "-c", k.file("server.properties"),
	}
	for user, password := range k.opt.Users {
		for _, mechanism := range []string{"SCRAM-SHA-256", "SCRAM-SHA-512"} {
			args = append(args, "--add-scram", fmt.Sprintf("%s=[name=%s,password=%s]", mechanism, user, password))
		}
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = k.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("format the storage: %w: %s", err, out)
	}
	return os.WriteFile(formatted, nil, 0o644)
}

// clusterID is a random id in Kafka's form: 16 bytes in base64, which must not begin with a dash.
func clusterID() string {
	var b [16]byte
	rand.Read(b[:])
	b[0] &= 0x7f // a dash is 62, in the upper half
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// kafkaHome is the folder of Kafka's jars, named after version and POM.
func kafkaHome(ctx context.Context) (string, error) {
	version := pomVersion.FindSubmatch(kafkaPOM)
	name := fmt.Sprintf("kafka-%s-%08x", version[1], crc32.ChecksumIEEE(kafkaPOM))
	return cached(ctx, name, func(ctx context.Context, dir string) error {
		return withPOM(kafkaPOM, func(pom string) error {
			return maven(ctx, "-f", pom, "dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory="+dir)
		})
	})
}

var pomVersion = regexp.MustCompile(`<version>(.*?)</version>`)

func loopback(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

// takeFolder makes the folder if need be and locks it. The path that it returns is the one that the kernel knows, by which
// the server in it is recognized.
func takeFolder(dir string) (path string, unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", nil, err
	}
	if path, err = filepath.Abs(dir); err != nil {
		return "", nil, err
	}
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return "", nil, err
	}
	unlock, err = child.LockFolder(path)
	return path, unlock, err
}
