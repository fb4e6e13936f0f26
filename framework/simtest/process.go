package simtest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/syncline-io/syncline/framework/load"
	"github.com/syncline-io/syncline/framework/publish"
)

// process is one copy of a connector. A crash takes away all that it has around it at once: connections, lease, target;
// then its loop is told to stop, and whatever it still does nobody sees.
type process struct {
	w    *World
	role Role
	name string // for the journal
	ctx  context.Context
	stop context.CancelFunc
	done chan struct{}

	publisher *publish.Publisher
	loader    *load.Loader

	mu      sync.Mutex
	dead    bool
	links   map[*link]struct{}
	onCrash []func()
	expired sync.Once
	held    time.Time // nothing goes in or out before
	err     error     // what Run returned
}

// start begins a copy of the role's connector.
func (w *World) start(role Role) *process {
	w.mu.Lock()
	w.started[role]++
	name := fmt.Sprintf("%s %d", role, w.started[role])
	w.mu.Unlock()
	p := &process{w: w, role: role, name: name, done: make(chan struct{}), links: map[*link]struct{}{}}
	p.ctx, p.stop = context.WithCancel(context.Background())
	run, err := p.loop()
	if err != nil {
		w.violate("no-stop", "%s: %v", name, err)
		close(p.done)
		return p
	}
	w.journal("%s starts", name)
	w.processes.Go(func() {
		defer close(p.done)
		err := run(p.ctx)
		p.mu.Lock()
		p.err = err
		dead := p.dead
		p.mu.Unlock()
		if err != nil && !dead {
			w.violate("no-stop", "%s stopped by itself: %v", name, err)
		}
		w.journal("%s has ended: %v", name, err)
		p.expire()
	})
	return p
}

// loop makes the loop of the process.
func (p *process) loop() (func(context.Context) error, error) {
	kafka := append(p.w.kafka(), kgo.Dialer(p.dial))
	var err error
	if p.role == Source {
		p.publisher, err = publish.New(p.w.sourceOptions(p, kafka))
		if err != nil {
			return nil, err
		}
		return p.publisher.Run, nil
	}
	p.loader, err = load.New(p.w.sinkOptions(p, kafka))
	if err != nil {
		return nil, err
	}
	return p.loader.Run, nil
}

// crash kills the process.
func (p *process) crash() {
	p.mu.Lock()
	if p.dead {
		p.mu.Unlock()
		return
	}
	p.dead = true
	links, after := p.links, p.onCrash
	p.links = map[*link]struct{}{}
	p.mu.Unlock()
	p.w.journal("%s crashes", p.name)
	p.w.mu.Lock()
	p.w.crashed[p.role]++
	p.w.mu.Unlock()
	for l := range links {
		_ = l.Conn.Close()
	}
	for _, f := range after {
		f()
	}
	p.stop()
	p.expire()
}

// sessionTimeout is what the sinks ask for.
const sessionTimeout = 10 * time.Second

// expire takes a sink that is gone out of the consumer group once its session is over, if it is still in it. Brokers do
// that; kfake keeps a member for ever that died between two steps of a rebalance.
func (p *process) expire() {
	if p.role != Sink {
		return
	}
	p.expired.Do(func() {
		p.w.expiries.Go(func() {
			time.Sleep(sessionTimeout)
			p.w.expel(p.clientID())
		})
	})
}

func (p *process) clientID() string { return strings.ReplaceAll(p.name, " ", "-") }

// expel removes a client's members from the group.
func (w *World) expel(clientID string) {
	group := prefix + "." + sinkName
	info := w.cluster.GroupInfo(group)
	if info == nil {
		return
	}
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group = group
	for i := range info.Members {
		if m := &info.Members[i]; m.ClientID == clientID {
			member := kmsg.NewLeaveGroupRequestMember()
			member.MemberID = m.MemberID
			req.Members = append(req.Members, member)
		}
	}
	if len(req.Members) == 0 {
		return
	}
	cl, err := w.client()
	if err != nil {
		w.violate("setup", "%v", err)
		return
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(context.Background(), sessionTimeout)
	defer cancel()
	_, err = req.RequestWith(ctx, cl)
	w.journal("the group has lost %s: %v", clientID, err)
}

// atCrash has f called when the process crashes; it is called at once when it has.
func (p *process) atCrash(f func()) {
	p.mu.Lock()
	dead := p.dead
	if !dead {
		p.onCrash = append(p.onCrash, f)
	}
	p.mu.Unlock()
	if dead {
		f()
	}
}

func (p *process) isDead() bool {
	p.mu.Lock()
	dead := p.dead
	p.mu.Unlock()
	return dead && !p.w.inAfterlife()
}

// gone reports whether the process has ended or is dead.
func (p *process) gone() bool {
	select {
	case <-p.done:
		return true
	default:
		return p.isDead()
	}
}

// cutAll breaks every connection.
func (p *process) cutAll() {
	p.mu.Lock()
	links := p.links
	p.links = map[*link]struct{}{}
	p.mu.Unlock()
	for l := range links {
		_ = l.Conn.Close()
	}
}

// hold waits while the process is paused.
func (p *process) hold() {
	for {
		p.mu.Lock()
		d := time.Until(p.held)
		dead := p.dead
		p.mu.Unlock()
		if d <= 0 || dead {
			return
		}
		time.Sleep(d)
	}
}

func (p *process) pause(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = time.Now().Add(d)
}

// pass is called at every place; an error says that the step does not go on. A lateError is for a Write alone.
func (p *process) pass(at Place) error {
	if p.isDead() {
		return errDead
	}
	f := p.w.due(p.role, at)
	if f == nil {
		return nil
	}
	p.w.journal("%s: %s", p.name, f)
	switch f.What {
	case Crash:
		p.w.restartAfter(p.role, f.For)
		p.crash()
		return errDead
	case Cut:
		return errCut
	case Late:
		return &lateError{f.For}
	case Pause:
		p.pause(f.For)
		p.hold()
	}
	if p.isDead() {
		return errDead
	}
	return nil
}

// lateError is a Write whose commit lands later than its answer.
type lateError struct{ after time.Duration }

func (e *lateError) Error() string { return "simulation: connection lost while committing" }

func discardMetrics() prometheus.Registerer { return prometheus.NewRegistry() }
