package badinput

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/syncline-io/syncline/integration/programs"
)

var update = flag.Bool("update", false, "write the messages into testdata")

// password is in every configuration, in every place that takes one. Nothing that a program says may hold it.
const password = "s3cr3t-Wombat"

// retryPatience bounds how long a test waits for a message of a program that goes on trying.
const retryPatience = 30 * time.Second

// mustStop waits until the program ends by itself, and compares exit code and last message with the golden file.
func (s *scene) mustStop(p *programs.Program, code int, golden string) {
	s.t.Helper()
	if got := p.Wait(retryPatience); got != code {
		s.t.Errorf("exit code %d, want %d", got, code)
	}
	_, message, found := cutLast(p.Output(), "syncline: ")
	if !found {
		s.t.Fatal("the program ended without a message")
	}
	s.compare(golden, fmt.Sprintf("exit %d\nsyncline: %s", code, message))
}

// mustRetry waits until the program is not ready and its status tells of an error that matches, and compares that with
// the golden file. The program runs on.
func (s *scene) mustRetry(p *programs.Program, matching, golden string) {
	s.t.Helper()
	want := regexp.MustCompile(matching)
	programs.Eventually(s.t, retryPatience, "the status tells the cause", func() error {
		if !p.Running() {
			s.t.Fatalf("the program has ended with code %d", p.Wait(0))
		}
		var status struct {
			State     string `json:"state"`
			LastError string `json:"last_error"`
		}
		if err := p.Status(&status); err != nil {
			return err
		}
		if !want.MatchString(status.LastError) {
			return fmt.Errorf("last error: %q", status.LastError)
		}
		code, ready, err := p.Get("/readyz")
		if err != nil {
			return err
		}
		if code != 503 || status.State != "retrying" {
			return fmt.Errorf("state %s, readyz %d %s", status.State, code, ready)
		}
		if _, all, err := p.Get("/status"); err != nil || strings.Contains(string(all), password) {
			s.t.Errorf("the status tells the password, or cannot be read (%v): %s", err, all)
		}
		s.compare(golden, fmt.Sprintf("readyz %d %slast_error: %s\n", code, ready, status.LastError))
		return nil
	})
}

// mustLog waits for a log entry whose message is msg and compares its error, or way out, with the golden file.
func (s *scene) mustLog(p *programs.Program, msg, golden string) {
	s.t.Helper()
	programs.Eventually(s.t, retryPatience, "the log tells of: "+msg, func() error {
		for line := range strings.Lines(p.Output()) {
			var entry map[string]any
			if json.Unmarshal([]byte(line), &entry) == nil && entry["msg"] == msg {
				for _, volatile := range []string{"time", "wait"} {
					delete(entry, volatile)
				}
				text, err := json.MarshalIndent(entry, "", "  ")
				if err != nil {
					return err
				}
				s.compare(golden, string(text)+"\n")
				return nil
			}
		}
		return errors.New("not yet")
	})
}

// cutLast is strings.Cut around the last line that begins with prefix.
func cutLast(text, prefix string) (before, after string, found bool) {
	i := strings.LastIndex("\n"+text, "\n"+prefix)
	if i < 0 {
		return text, "", false
	}
	return text[:i], text[i+len(prefix):], true
}

// compare compares with the golden file what is the same in every run.
func (s *scene) compare(golden, got string) {
	s.t.Helper()
	got = s.normal(got)
	path := filepath.Join("testdata", golden+".txt")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			s.t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		s.t.Fatalf("%v; the test says\n%s", err, got)
	}
	if got != string(want) {
		s.t.Errorf("%s:\ngot\n%swant\n%s", path, got, want)
	}
}

// variable is what differs from run to run, and what stands for it in a golden file.
var variable = []struct {
	form *regexp.Regexp
	name string
}{
	{regexp.MustCompile(`\b[0-9A-F]{1,8}/[0-9A-F]{5,8}\b`), "LSN"},
	{regexp.MustCompile(`process [0-9]+ of`), "process PID of"},
	{regexp.MustCompile(`127\.0\.0\.1:[0-9]+->127`), "127.0.0.1:PORT->127"},
	{regexp.MustCompile(`127\.0\.0\.1:[0-9]+`), "127.0.0.1:PORT"},
	{regexp.MustCompile(regexp.QuoteMeta(os.TempDir()) + `/[^ :"]*/`), "DIR/"},
	{regexp.MustCompile(`PID [0-9]+`), "PID N"},
	{regexp.MustCompile(`(system identifier|this one has) [0-9]+`), "${1} ID"},
	{regexp.MustCompile(`schema [0-9]+`), "schema ID"},
}

func (s *scene) normal(text string) string {
	for _, r := range s.replace {
		text = strings.ReplaceAll(text, r.value, r.name)
	}
	for _, v := range variable {
		text = v.form.ReplaceAllString(text, v.name)
	}
	return text
}

// mustKeepSecrets fails the test when anything that a program has written holds the password.
func (s *scene) mustKeepSecrets() {
	for _, p := range s.programs {
		for line := range strings.Lines(p.Output()) {
			if strings.Contains(line, password) {
				s.t.Errorf("%s tells the password: %s", p.Name, line)
			}
		}
	}
}
