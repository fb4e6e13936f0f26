package proof

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os/exec"
	"testing"
	"time"

	"github.com/syncline-io/syncline/integration/programs"
)

// Verify runs syncline verify, waiting for the target to catch up, and returns its report as JSON values.
func Verify(t testing.TB, source, sink *programs.Program, wait time.Duration) (map[string]any, int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), wait+time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, programs.Path(t, "syncline"), "verify", "--json", "--wait", wait.String(), source.Config, sink.Config)
	var out, problems bytes.Buffer
	command.Stdout, command.Stderr = &out, &problems
	err := command.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	report := map[string]any{}
	if json.Unmarshal(out.Bytes(), &report) != nil {
		t.Fatalf("verify prints no JSON: %s%s", out.Bytes(), problems.Bytes())
	}
	return report, command.ProcessState.ExitCode()
}
