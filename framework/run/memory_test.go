package run

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime/debug"
	"strings"
	"testing"

	"go.uber.org/zap"

	"github.com/syncline-io/syncline/framework/config"
	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/sink"
)

// librarySink is a sink whose target's library takes a third of the memory.
var librarySink = OfSink(sink.Connector[modelConfig]{
	Name: "model-sink", Section: "model",
	Open: func(context.Context, modelConfig, sink.Env) (sink.Sink, error) { return nil, errors.New("not here") },
	Memory: func(c modelConfig, bytes int64) (modelConfig, int64, error) {
		if c.Path == "greedy" {
			return c, 0, errors.New("limit: too much")
		}
		return c, bytes / 3, nil
	},
})

const sinkFile = `connector: model-sink
name: s
kafka: {brokers: ["127.0.0.1:1"]}
registry: {url: "http://127.0.0.1:1"}
admin: {listen: "off"}
log: {level: error}
topics: [t]
model: {path: x}
`

func document(t *testing.T, text string) *config.Document {
	t.Helper()
	d, err := config.Parse("x.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestSizesAreDerivedFromTheMemory(t *testing.T) {
	for _, tt := range []struct {
		memory                 config.Size
		buffer, batch          config.Size
		source, fetch, library int64
	}{
		{0, 32 << 20, 32 << 20, 0, 0, 0},
		{48 << 20, 8 << 20, 2 << 20, 2 << 20, 512 << 10, 0},
		{64 << 20, 16 << 20, 4 << 20, 4 << 20, 1 << 20, 0},
		{192 << 20, 32 << 20, 20 << 20, 20 << 20, 5 << 20, 0},
		{192 << 20, 32 << 20, 12 << 20, 20 << 20, 3 << 20, 64 << 20},
		{4 << 30, 32 << 20, 32 << 20, 508 << 20, 16 << 20, 0},
	} {
		source, sink := config.SourceDefaults(), config.SinkDefaults()
		b := budget{bytes: int64(tt.memory), stated: true}
		own, err := fitSource(b, document(t, "name: x"), &source)
		if err != nil || source.Buffer != tt.buffer || own != tt.source {
			t.Errorf("source with %s: buffer %s, its own %d, error %v", tt.memory, source.Buffer, own, err)
		}
		m, err := fitSink(b, tt.library, document(t, "name: x"), &sink)
		if err != nil || sink.Batch.Bytes != tt.batch || int64(m.fetch) != tt.fetch || m.native != tt.library {
			t.Errorf("sink with %s: batch %s, fetch %d, error %v", tt.memory, sink.Batch.Bytes, m.fetch, err)
		}
	}
}

func TestWhatTheFileSetsMustFitItsMemory(t *testing.T) {
	one, two, three := write(t, "one.yaml", goodFile+"memory: 64MB\nbuffer: 20MB\n"), write(t, "two.yaml", sinkFile+"memory: 32MB\nbatch: {bytes: 64MB}\n"),
		write(t, "three.yaml", strings.Replace(sinkFile, "path: x", "path: greedy", 1)+"memory: 64MB\n")
	_, err := Open([]Connector{model, librarySink}, []string{one, two, three}, Platform{})
	if ExitCode(err) != failure.ExitConfig {
		t.Errorf("exit code %d for %v", ExitCode(err), err)
	}
	for _, want := range []string{
		one + `: buffer: 20MB does not fit memory: 64MB; leave buffer out, which makes it 16MB, or set memory to at least 72MB`,
		two + `: memory: 32MB is too little: want at least 48MB`,
		two + `: batch.bytes: 64MB does not fit memory: 32MB; leave batch.bytes out, which makes it 2MB, or give more memory`,
		three + `: model.limit: too much`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("missing %q in:\n%v", want, err)
		}
	}
	for _, good := range []string{goodFile + "memory: 72MB\nbuffer: 20MB\n", goodFile + "buffer: 1GB\n"} {
		if _, err := read([]Connector{model}, write(t, "good.yaml", good), Platform{}); err != nil {
			t.Error(err)
		}
	}
}

func TestInAContainerWhatTheFileSetsIsTakenAsItIs(t *testing.T) {
	source, sink := config.SourceDefaults(), config.SinkDefaults()
	b := budget{bytes: 40 << 20}
	if _, err := fitSource(b, document(t, "name: x"), &source); err != nil || source.Buffer != 8<<20 {
		t.Errorf("buffer %s, error %v", source.Buffer, err)
	}
	sink.Batch.Bytes = 64 << 20
	if _, err := fitSink(b, 0, document(t, "batch: {bytes: 64MB}"), &sink); err != nil || sink.Batch.Bytes != 64<<20 {
		t.Errorf("batch %s, error %v", sink.Batch.Bytes, err)
	}
}

func TestAContainerThatIsTooSmallBoundsAndIsNamed(t *testing.T) {
	if share := shareOf(0, 64<<20, 2); share != 0 {
		t.Errorf("without a limit each connector has %d bytes", share)
	}
	p := Platform{Memory: 64 << 20, share: shareOf(57<<20, 64<<20, 2)}
	for text, want := range map[string]string{
		goodFile: "it leaves 0B, and a connector needs at least 48MB",
		strings.Replace(sinkFile, "path: x", "path: greedy", 1): "it leaves 0B, and a connector needs at least 48MB\nmodel.limit: too much",
		goodFile + "memory: 48MB\n":                             "<nil>",
	} {
		task, err := read([]Connector{model, librarySink}, write(t, "x.yaml", text), p)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(task.short); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	c := config.SourceDefaults()
	if _, err := fitSource(budget{bytes: p.share}, document(t, "name: x"), &c); err != nil || c.Buffer != 8<<20 {
		t.Errorf("buffer %s, error %v", c.Buffer, err)
	}
}

func TestTheProcessHasWhatItsConnectorsHaveTogether(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	open := func(texts ...string) (*Process, error) {
		var files []string
		for i, text := range texts {
			files = append(files, write(t, fmt.Sprintf("%d.yaml", i), text))
		}
		return Open([]Connector{model, librarySink}, files, Platform{Memory: 10 << 20})
	}
	source := strings.Replace(goodFile, `"127.0.0.1:0"`, `"off"`, 1)
	p, err := open(source+"memory: 64MB\n", sinkFile+"memory: 96MB\n")
	if err != nil {
		t.Fatal(err)
	}
	// 64 and 96 and the platform's 10, without the 32 of the library and what the runtime does not count.
	if got, want := debug.SetMemoryLimit(-1), int64(64+96+10-32)<<20-memoryUncounted; got != want {
		t.Errorf("the limit of Go's heap is %d, want %d", got, want)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if got := debug.SetMemoryLimit(-1); got != before {
		t.Errorf("the limit afterwards is %d, want %d", got, before)
	}
	if _, err := open(source+"memory: 64MB\n", sinkFile); err == nil || !strings.Contains(err.Error(), "1.yaml: memory: missing, while ") {
		t.Errorf("got %v, want an error that names the file without memory", err)
	}
}

func TestTheContainersLimitIsDividedAndTheEnvironmentCounts(t *testing.T) {
	l, err := limitOf([]*task{{}, {native: 20 << 20}}, Platform{}, 200<<20)
	if err != nil || l.bytes != 200<<20 || l.native != 20<<20 {
		t.Errorf("got %+v, error %v", l, err)
	}
	before := debug.SetMemoryLimit(123 << 20) // as GOMEMLIMIT does
	defer debug.SetMemoryLimit(before)
	undo := l.apply(zap.NewNop(), false)
	if got := debug.SetMemoryLimit(-1); got != 123<<20 {
		t.Errorf("the container's limit replaced that of the environment: %d", got)
	}
	undo()
	undo = l.apply(zap.NewNop(), true)
	if got := debug.SetMemoryLimit(-1); got != 180<<20-memoryUncounted {
		t.Errorf("got %d", got)
	}
	undo()
	if before == math.MaxInt64 {
		debug.SetMemoryLimit(before)
		undo = l.apply(zap.NewNop(), false)
		if got := debug.SetMemoryLimit(-1); got != 180<<20-memoryUncounted {
			t.Errorf("got %d", got)
		}
		undo()
	}
}
