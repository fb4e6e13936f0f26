package run

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/syncline-io/syncline/framework/config"
	"github.com/syncline-io/syncline/framework/failure"
)

// Process is a set of configured connectors that share a process: its log, metrics and admin endpoint.
type Process struct {
	tasks   []*task
	log     *zap.Logger
	metrics *prometheus.Registry
	admin   *admin
	memory  limit
	// unbound gives back the garbage collector as it was.
	unbound func()
}

// Open reads the files, each with one connector out of known, and reports every problem of all of them. It touches no
// server but opens the admin endpoint, at the address that the first file asks for. Close the Process after Run.
func Open(known []Connector, files []string, p Platform) (*Process, error) {
	proc := &Process{metrics: prometheus.NewRegistry(), unbound: func() {}}
	container := containerMemory()
	p.share = shareOf(container, p.Memory, len(files))
	proc.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	var problems []error
	names := map[string]string{}
	for _, file := range files {
		t, err := read(known, file, p)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		if other, ok := names[t.common.Name]; ok {
			problems = append(problems, fmt.Errorf("%s: name: %q is the name in %s too", file, t.common.Name, other))
		}
		names[t.common.Name] = file
		proc.tasks = append(proc.tasks, t)
	}
	if len(problems) == 0 {
		var err error
		if proc.memory, err = limitOf(proc.tasks, p, container); err != nil {
			problems = append(problems, err)
		}
	}
	if len(problems) > 0 {
		return nil, failure.As(failure.Config, join(problems), "")
	}
	if len(proc.tasks) == 0 {
		return nil, failure.As(failure.Config, errors.New("no configuration file given"), "name at least one YAML file")
	}
	return proc, proc.start()
}

func read(known []Connector, file string, p Platform) (*task, error) {
	d, c, err := choose(known, file)
	if err != nil {
		return nil, err
	}
	return c.read(d, p)
}

// choose parses the file and finds its connector.
func choose(known []Connector, file string) (*config.Document, *Connector, error) {
	d, err := config.Read(file)
	if err != nil {
		return nil, nil, err
	}
	name := d.String("connector")
	var names []string
	for i := range known {
		if known[i].Name == name {
			return d, &known[i], nil
		}
		names = append(names, known[i].Name)
	}
	sort.Strings(names)
	if name == "" {
		return nil, nil, failure.As(failure.Config, fmt.Errorf("%s: connector: say which one", file), "one of "+strings.Join(names, ", "))
	}
	return nil, nil, failure.As(failure.Config, fmt.Errorf("%s: connector: %q is not known to this program", file, name), "known: "+strings.Join(names, ", "))
}

func (p *Process) start() error {
	first := p.tasks[0].common
	var err error
	if p.log, err = newLog(first.Log); err != nil {
		return failure.As(failure.Config, err, "")
	}
	p.unbound = p.memory.apply(p.log, first.Memory > 0)
	var sources []statusSource
	for _, t := range p.tasks {
		if t.short != nil {
			p.log.Warn("the container's memory is too little", zap.String("connector", t.common.Name), zap.Error(t.short))
		}
		labelled := prometheus.WrapRegistererWith(prometheus.Labels{"connector": t.common.Name}, p.metrics)
		if t.loop, err = t.open(p.log.With(zap.String("connector", t.common.Name)), labelled); err != nil {
			return fmt.Errorf("%s: %w", t.common.Name, err)
		}
		sources = append(sources, t)
	}
	if first.Admin.Listen == "off" {
		return nil
	}
	if p.admin, err = startAdmin(first.Admin.Listen, sources, p.metrics); err != nil {
		return err
	}
	p.log.Info("admin endpoint", zap.String("address", "http://"+p.admin.Address()))
	return nil
}

// Run runs all connectors until ctx ends, which is the soft stop, or one of them stops for good; the others are then
// stopped softly too. It returns that one's error, or nil. A connector that does not finish its soft stop within its
// shutdown_timeout, and a little, is left behind, and the error says so.
func (p *Process) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	longest := time.Duration(0)
	first := make(chan error, 1) // the first error, which says why the others stop
	for _, t := range p.tasks {
		longest = max(longest, t.common.ShutdownTimeout)
		group.Go(func() error {
			err := t.loop.Run(ctx)
			if err == nil {
				return nil
			}
			err = fmt.Errorf("%s: %w", t.common.Name, err)
			p.log.Error("stopped for good", zap.Error(err))
			select {
			case first <- err:
			default:
			}
			return err
		})
	}
	done := make(chan error, 1)
	go func() { done <- group.Wait() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-done:
		return err
	case <-time.After(longest + 5*time.Second):
	}
	late := errors.New("the soft stop took longer than shutdown_timeout; what was not durable is read again at the next start")
	select {
	case err := <-first: // its class is the process's exit code
		return fmt.Errorf("%w; and %w", err, late)
	default:
		return late
	}
}

// Status returns the status of every connector by name, as /status shows it.
func (p *Process) Status() map[string]any {
	all := map[string]any{}
	for _, t := range p.tasks {
		all[t.Name()] = t.Status()
	}
	return all
}

// Address is the admin endpoint's, "" when it is off.
func (p *Process) Address() string {
	if p.admin == nil {
		return ""
	}
	return p.admin.Address()
}

// Close stops the admin endpoint.
func (p *Process) Close() error {
	_ = p.log.Sync()
	p.unbound()
	if p.admin == nil {
		return nil
	}
	return p.admin.Close()
}

// ExitCode is the exit code for the error of Open or Run: 0, 2 for the configuration, 3 for a gap, else 1.
func ExitCode(err error) int {
	switch {
	case err == nil:
		return 0
	case failure.Classify(err) == failure.Config:
		return failure.ExitConfig
	case failure.Classify(err) == failure.Gap:
		return failure.ExitGap
	}
	return 1
}

// each puts a prefix before every problem that errors.Join has put together.
func each(err error, prefix string) []error {
	if err == nil {
		return nil
	}
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		var out []error
		for _, e := range many.Unwrap() {
			out = append(out, each(e, prefix)...)
		}
		return out
	}
	return []error{fmt.Errorf("%s%w", prefix, err)}
}

// join is errors.Join; it is nil for no problems.
func join(problems []error) error { return errors.Join(problems...) }
