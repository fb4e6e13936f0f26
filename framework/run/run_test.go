package run

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kfake"
	"go.uber.org/zap"

	"github.com/syncline-io/syncline/framework/config"
	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/source"
)

// modelConfig is the section of a connector that only these tests have.
type modelConfig struct {
	Path string `yaml:"path"`
}

func (c modelConfig) Validate() error {
	if c.Path == "" {
		return errors.New("path: name a file")
	}
	return nil
}

var model = OfSource(source.Connector[modelConfig]{
	Name: "model-source", Section: "model",
	Open: func(context.Context, modelConfig, source.Env) (source.Source, error) {
		return nil, failure.As(failure.Gap, errors.New("the log is gone"), "begin again with start: snapshot")
	},
})

const goodFile = `connector: model-source
name: m
kafka: {brokers: ["127.0.0.1:1"]}
registry: {url: "http://127.0.0.1:1"}
admin: {listen: "127.0.0.1:0"}
log: {level: error}
model: {path: x}
`

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOpenReportsTheProblemsOfAllFiles(t *testing.T) {
	one := write(t, "one.yaml", strings.Replace(goodFile, "path: x", "paht: x", 1))
	two := write(t, "two.yaml", strings.Replace(strings.Replace(goodFile, "name: m", "name: m2", 1), "path: x", "path: ''", 1))
	three := write(t, "three.yaml", "connector: modl-source\n")
	_, err := Open([]Connector{model}, []string{one, two, three}, Platform{})
	if ExitCode(err) != failure.ExitConfig {
		t.Errorf("exit code %d for %v", ExitCode(err), err)
	}
	for _, want := range []string{
		one + `:7: unknown key "model.paht", did you mean "path"?`,
		two + `: model.path: name a file`,
		three + `: connector: "modl-source" is not known to this program (known: model-source)`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("missing %q in:\n%v", want, err)
		}
	}
}

func TestTwoConnectorsOfOneNameAreRefused(t *testing.T) {
	one, two := write(t, "one.yaml", goodFile), write(t, "two.yaml", goodFile)
	_, err := Open([]Connector{model}, []string{one, two}, Platform{})
	if err == nil || !strings.Contains(err.Error(), `"m" is the name in `+one+` too`) {
		t.Errorf("got %v", err)
	}
}

func TestPlatformReplacesKafkaAndRegistry(t *testing.T) {
	text := "connector: model-source\nname: m\nadmin: {listen: \"off\"}\nmodel: {path: x}\n"
	p, err := Open([]Connector{model}, []string{write(t, "m.yaml", text)}, Platform{Brokers: []string{"127.0.0.1:1"}, RegistryURL: "http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	if got := p.tasks[0].common.Kafka.Brokers[0]; got != "127.0.0.1:1" {
		t.Errorf("broker %s", got)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

func TestAGapEndsTheProcessWithItsCode(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	kafka, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	defer kafka.Close()
	err = Files(ctx, []Connector{model}, []string{write(t, "m.yaml", goodFile)}, Platform{Brokers: kafka.ListenAddrs()})
	if ExitCode(err) != failure.ExitGap || !strings.Contains(err.Error(), "m: ") || !strings.Contains(err.Error(), "begin again with start: snapshot") {
		t.Errorf("exit code %d: %v", ExitCode(err), err)
	}
}

func TestExitCodes(t *testing.T) {
	for want, err := range map[int]error{
		0: nil,
		1: errors.New("x"),
		2: fmt.Errorf("x: %w", failure.As(failure.Config, errors.New("y"), "")),
		3: fmt.Errorf("x: %w", failure.As(failure.Gap, errors.New("y"), "")),
	} {
		if got := ExitCode(err); got != want {
			t.Errorf("%v: got %d, want %d", err, got, want)
		}
	}
}

// part is a connector as the admin endpoint sees it.
type part struct {
	name  string
	ready bool
}

func (p part) Name() string { return p.name }

func (p part) Ready() (bool, string) {
	return p.ready, map[bool]string{true: "streaming", false: "retrying"}[p.ready]
}

func (p part) Status() any { return map[string]int{"rows": 7} }

func TestAdminEndpoint(t *testing.T) {
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(prometheus.NewCounter(prometheus.CounterOpts{Name: "syncline_test_total", Help: "x"}))
	a, err := startAdmin("127.0.0.1:0", []statusSource{part{"good", true}, part{"bad", false}}, metrics)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]struct {
		code int
		text string
	}{
		"/livez":   {200, "ok"},
		"/readyz":  {503, "good: streaming\nbad: retrying\n"},
		"/status":  {200, `"rows": 7`},
		"/metrics": {200, "syncline_test_total 0"},
		"/else":    {404, ""},
	} {
		r, err := http.Get("http://" + a.Address() + path)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(r.Body)
		_ = r.Body.Close()
		if r.StatusCode != want.code || !strings.Contains(string(body), want.text) {
			t.Errorf("%s: %d %s", path, r.StatusCode, body)
		}
	}
	if _, err := startAdmin(a.Address(), nil, metrics); failure.Classify(err) != failure.Config {
		t.Errorf("an address in use: %v", err)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	if _, err := http.Get("http://" + a.Address() + "/livez"); err == nil {
		t.Error("still there after Close")
	}
}

// loopFunc is a loop that a test makes up.
type loopFunc func(ctx context.Context) error

func (f loopFunc) Run(ctx context.Context) error { return f(ctx) }

// A connector that does not stop must not hide why the process ends.
func TestTheReasonSurvivesASlowStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		never := make(chan struct{})
		p := &Process{log: zap.NewNop(), tasks: []*task{
			{common: config.Common{Name: "a"}, loop: loopFunc(func(context.Context) error {
				return failure.As(failure.Gap, errors.New("the log is gone"), "")
			})},
			{common: config.Common{Name: "b", ShutdownTimeout: time.Minute}, loop: loopFunc(func(context.Context) error {
				<-never
				return nil
			})},
		}}
		err := p.Run(t.Context())
		if ExitCode(err) != failure.ExitGap || !strings.Contains(err.Error(), "a: the log is gone") || !strings.Contains(err.Error(), "shutdown_timeout") {
			t.Errorf("exit code %d: %v", ExitCode(err), err)
		}
		close(never)
	})
}
