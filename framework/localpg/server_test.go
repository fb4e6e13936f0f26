package localpg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/syncline-io/syncline/framework/child"
	"github.com/syncline-io/syncline/framework/failure"
)

// start starts a server in dir and stops it with the test. A machine without PostgreSQL skips, except in CI.
func start(t *testing.T, dir string, settings map[string]string) *Server {
	t.Helper()
	needServer(t)
	s, err := Start(t.Context(), Options{Dir: dir, Settings: settings})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

func needServer(t *testing.T) {
	t.Helper()
	_, err := Find()
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatal(err)
	default:
		t.Skip(err)
	}
}

// openFolder is a temporary folder that the server's user may enter, which the parent of t.TempDir is not.
func openFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o711); err != nil {
		t.Fatal(err)
	}
	return dir
}

func query(t *testing.T, url, sql string) (result string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if err := conn.QueryRow(t.Context(), sql).Scan(&result); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return result
}

func execute(t *testing.T, url, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func TestServerKeepsDataAndAddressOverKillRestartAndStop(t *testing.T) {
	dir := openFolder(t)
	s := start(t, dir, nil)
	if err := s.CreateDatabase(t.Context(), "Shop"); err != nil {
		t.Fatal(err)
	}
	if err := s.CreateDatabase(t.Context(), "Shop"); err != nil {
		t.Fatalf("a database that exists: %v", err)
	}
	url := s.URL("Shop")
	execute(t, url, "CREATE TABLE kept AS SELECT 'a row' AS text")
	execute(t, url, "SELECT pg_create_logical_replication_slot('kept', 'pgoutput')")

	s.Kill()
	select {
	case <-s.Done():
	default:
		t.Error("Done is open after Kill")
	}
	if err := s.Restart(t.Context(), map[string]string{"work_mem": "5MB"}); err != nil {
		t.Fatal(err)
	}
	if got := query(t, url, "SELECT text || current_setting('work_mem') FROM kept"); got != "a row5MB" {
		t.Errorf("after Kill and Restart: got %q", got)
	}

	s.Stop()
	s = start(t, dir, nil)
	if s.URL("Shop") != url {
		t.Errorf("got address %s after a new start, want %s", s.URL("Shop"), url)
	}
	if got := query(t, url, "SELECT slot_name || text FROM kept, pg_replication_slots"); got != "kepta row" {
		t.Errorf("after Stop and Start: got %q", got)
	}
}

func TestSettingsOfTheCallerWin(t *testing.T) {
	s := start(t, openFolder(t), map[string]string{"wal_level": "replica", "max_slot_wal_keep_size": "1MB"})
	for setting, want := range map[string]string{
		"wal_level": "replica", "max_slot_wal_keep_size": "1MB", "TimeZone": "UTC", "max_wal_senders": "32",
	} {
		if got := query(t, s.URL(""), "SELECT current_setting('"+setting+"')"); got != want {
			t.Errorf("%s: got %q, want %q", setting, got, want)
		}
	}
}

func TestFolderIsUsedByOneServer(t *testing.T) {
	dir := openFolder(t)
	start(t, dir, nil)
	if _, err := Start(t.Context(), Options{Dir: dir}); !errors.Is(err, child.ErrFolderInUse) {
		t.Errorf("got %v, want ErrFolderInUse", err)
	}
}

func TestInitdbThatWasCutOffIsBegunAgain(t *testing.T) {
	needServer(t)
	dir := openFolder(t)
	for file, text := range map[string]string{"creating": "", "data/PG_VERSION": "15\n"} {
		path := filepath.Join(dir, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	start(t, dir, nil)
}

func TestForeignDataAreNotTouched(t *testing.T) {
	needServer(t)
	dir := openFolder(t)
	file := filepath.Join(dir, "data", "PG_VERSION")
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("15\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if s, err := Start(t.Context(), Options{Dir: dir}); err == nil {
		s.Stop()
		t.Error("a folder that this package did not make was taken")
	}
	if _, err := os.Stat(file); err != nil {
		t.Errorf("the foreign file is gone: %v", err)
	}
}

func TestClosedParentFolderIsNamed(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root runs the server as another user")
	}
	needServer(t)
	closed := filepath.Join(openFolder(t), "closed")
	if err := os.Mkdir(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := Start(t.Context(), Options{Dir: filepath.Join(closed, "pg")})
	if failure.Classify(err) != failure.Config || !strings.Contains(err.Error(), "may not enter "+closed) {
		t.Errorf("got %v, want a config error that names %s", err, closed)
	}
}

// TestServerOfAKilledProgramIsTakenOver runs this test program again as the program that is killed.
func TestServerOfAKilledProgramIsTakenOver(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells a child of its parent's death")
	}
	needServer(t)
	const folder = "SYNCLINE_TEST_LOCALPG_FOLDER"
	if dir := os.Getenv(folder); dir != "" {
		s := start(t, dir, nil)
		execute(t, s.URL(""), "CREATE TABLE kept AS SELECT 'a row' AS text")
		fmt.Println("program ready")
		time.Sleep(time.Minute)
		return
	}
	dir := openFolder(t)
	program := exec.Command(os.Args[0], "-test.run=^TestServerOfAKilledProgramIsTakenOver$", "-test.v")
	program.Env = append(os.Environ(), folder+"="+dir)
	out, err := program.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	seen := ""
	for buf := make([]byte, 1024); !strings.Contains(seen, "program ready"); {
		n, err := out.Read(buf)
		if seen += string(buf[:n]); err != nil {
			t.Fatalf("the program ended early; its output:\n%s", seen)
		}
	}
	if err := program.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = program.Wait()
	s := start(t, dir, nil)
	if got := query(t, s.URL(""), "SELECT text FROM kept"); got != "a row" {
		t.Errorf("got %q", got)
	}
}
