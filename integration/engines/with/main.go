// Command with starts the engines that tests share, runs a command with their addresses in its environment, stops them, and
// ends with the command's exit code:
//
//	go run ./integration/engines/with -- go test ./...
//
// An engine whose address is in the environment already is not started. One that is not installed is left out with a
// message, and the tests that need it are skipped; with CI=true it is an error.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"syscall"

	"golang.org/x/sync/errgroup"

	"github.com/syncline-io/syncline/integration/engines"
)

func main() {
	args := os.Args[1:]
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		fmt.Fprintln(os.Stderr, "usage: with [--] command [argument...]")
		os.Exit(2)
	}
	code, err := run(args)
	if err != nil {
		fmt.Fprintln(os.Stderr, "with:", err)
		code = 1
	}
	os.Exit(code)
}

// run starts the engines, runs the command and returns its exit code.
func run(args []string) (code int, err error) {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	env, stop, err := start(ctx)
	defer stop()
	if err != nil {
		return 0, err
	}
	return command(ctx, args, env)
}

// start starts all engines at once. stop is to be called whatever the error is.
func start(ctx context.Context) (env []string, stop func(), err error) {
	var (
		mu    sync.Mutex
		stops []func()
	)
	g, ctx := errgroup.WithContext(ctx)
	for _, kind := range engines.Kinds {
		if os.Getenv(kind.Variable) != "" {
			continue
		}
		g.Go(func() error {
			address, stop, err := kind.Start(ctx)
			if errors.Is(err, engines.ErrMissing) && os.Getenv("CI") != "true" {
				fmt.Fprintf(os.Stderr, "with: without %s: %v\n", kind.Name, err)
				return nil
			}
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			stops = append(stops, stop)
			env = append(env, kind.Variable+"="+address)
			return nil
		})
	}
	err = g.Wait()
	return env, func() { stopAll(stops) }, err
}

func stopAll(stops []func()) {
	var wg sync.WaitGroup
	for _, stop := range stops {
		wg.Go(stop)
	}
	wg.Wait()
}

// command runs the command in our terminal, hands a signal on, and waits for it. A signal from the terminal reaches the
// command by itself too; a second one does no harm.
func command(ctx context.Context, args, env []string) (code int, err error) {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err = cmd.Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return max(exit.ExitCode(), 1), nil // -1 is an end by a signal
	}
	return 0, err
}
