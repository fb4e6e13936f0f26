package engines

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"time"

	"github.com/syncline-io/syncline/framework/child"
)

// ErrMissing marks the errors that mean: this machine lacks the programs for an engine.
var ErrMissing = errors.New("not installed")

// Fetch makes the downloads that are not in the cache yet. The engines do so by themselves when one is started; this is for
// a machine that is to have all of them before its first test.
func Fetch(ctx context.Context) error {
	for _, home := range []func(context.Context) (string, error){kafkaHome, registryHome, connectHome, connectPluginsHome} {
		if _, err := home(ctx); err != nil {
			return err
		}
	}
	return nil
}

// cached returns the folder of a download, after filling it with fetch if it is not there yet. Programs that ask at the
// same time wait for one another. The folder appears when it is complete: a download that was cut off is never seen.
func cached(ctx context.Context, name string, fetch func(ctx context.Context, dir string) error) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the cache folder: %w", err)
	}
	cache = filepath.Join(cache, "syncline", "engines")
	dir := filepath.Join(cache, name)
	if isDir(dir) {
		return dir, nil
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	unlock, err := waitForFolder(ctx, cache)
	if err != nil {
		return "", err
	}
	defer unlock()
	if isDir(dir) {
		return dir, nil
	}
	part := dir + ".part" // under the lock, so whatever is there was cut off
	if err := os.RemoveAll(part); err != nil {
		return "", err
	}
	defer os.RemoveAll(part)
	if err := os.Mkdir(part, 0o755); err != nil {
		return "", err
	}
	if err := fetch(ctx, part); err != nil {
		return "", fmt.Errorf("fetch %s: %w", name, err)
	}
	return dir, os.Rename(part, dir)
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// waitForFolder locks dir as soon as no other program holds it.
func waitForFolder(ctx context.Context, dir string) (unlock func(), err error) {
	for {
		unlock, err := child.LockFolder(dir)
		if !errors.Is(err, child.ErrFolderInUse) {
			return unlock, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for %w", err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// maven runs a goal in batch mode and refuses files whose checksum is wrong.
func maven(ctx context.Context, args ...string) error {
	path, err := exec.LookPath("mvn")
	if err != nil {
		return fmt.Errorf("needs Maven: %w", ErrMissing)
	}
	cmd := exec.CommandContext(ctx, path, append([]string{"-q", "-B", "-Dstyle.color=never", "--strict-checksums"}, args...)...)
	out, err := cmd.CombinedOutput()
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if reason := mavenError.Find(out); reason != nil {
		out = reason
	}
	return fmt.Errorf("mvn: %w: %s", err, out)
}

// mavenError is the first line of Maven's report that says what went wrong.
var mavenError = regexp.MustCompile(`(?m)\[ERROR\] \S.*$`)
