package embedded

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/sr"
	"golang.org/x/sync/errgroup"
)

// acknowledged is what clients were told by a registry that is killed again and again.
type acknowledged struct {
	mu      sync.Mutex
	texts   map[int]string // by id: what was ever registered with it
	deleted map[int]bool   // by id: true when it was deleted for good, false when the deletion was under way
	highest int            // of the rounds before
	reused  []string
}

func (a *acknowledged) registered(id int, text string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if other, taken := a.texts[id]; taken || id <= a.highest {
		a.reused = append(a.reused, fmt.Sprintf("id %d of %q after %d, it was %q", id, text, a.highest, other))
	}
	a.texts[id] = text
}

func (a *acknowledged) deletion(id int, done bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.deleted[id] = done
}

// work registers schemas, and deletes every third one for good, until the registry is gone. Each registration is one
// tick.
func (a *acknowledged) work(ctx context.Context, c *sr.Client, name string, tick chan<- struct{}) error {
	for i := 0; ; i++ {
		subject := fmt.Sprint(name, "-", i)
		text := recordSchema(fmt.Sprintf(`{"name":%q,"type":"int"}`, fmt.Sprintf("f_%s_%d", name, i)))
		id, err := c.RegisterSchema(ctx, subject, sr.Schema{Schema: text}, -1, -1)
		if err != nil {
			return err
		}
		a.registered(id, text)
		tick <- struct{}{}
		if i%3 != 0 {
			continue
		}
		a.deletion(id, false)
		if _, err := c.DeleteSubject(ctx, subject, sr.SoftDelete); err != nil {
			return err
		}
		if _, err := c.DeleteSubject(ctx, subject, sr.HardDelete); err != nil {
			return err
		}
		a.deletion(id, true)
	}
}

// check asks a registry that was started again for all that its predecessors acknowledged.
func (a *acknowledged) check(t *testing.T, c *sr.Client) {
	t.Helper()
	for id, text := range a.texts {
		gone, deleting := a.deleted[id]
		got, err := c.SchemaByID(t.Context(), id)
		refusal, refused := errors.AsType[*sr.ResponseError](err)
		absent := refused && refusal.ErrorCode == 40403
		switch {
		case err != nil && !absent:
			t.Fatal(err)
		case err == nil && (gone || got.Schema != text):
			t.Errorf("schema %d is %q, want %q (deleted for good: %v)", id, got.Schema, text, gone)
		case absent && !deleting:
			t.Errorf("schema %d is lost: %q", id, text)
		}
	}
}

func TestNothingAcknowledgedIsLostAndNoIDUsedAgainByARegistryThatIsKilled(t *testing.T) {
	const rounds, workers, each = 5, 4, 60
	dir := t.TempDir()
	a := &acknowledged{texts: make(map[int]string), deleted: make(map[int]bool)}
	for round := range rounds {
		url, kill := startProcess(t, dir)
		transport := new(http.Transport)
		c, err := sr.NewClient(sr.URLs(url), sr.HTTPClient(&http.Client{Transport: transport}))
		if err != nil {
			t.Fatal(err)
		}
		a.check(t, c)
		tick := make(chan struct{}, workers*each)
		var working errgroup.Group
		for w := range workers {
			working.Go(func() error { return a.work(t.Context(), c, fmt.Sprintf("s%d_%d", round, w), tick) })
		}
		var ended error
		go func() { // they end with the process, whatever ends it
			ended = working.Wait()
			close(tick)
		}()
		n := 0
		for range tick {
			if n++; n == each {
				kill() // while all of them register and delete
			}
		}
		if n < each {
			t.Fatalf("round %d: %d registrations, then %v", round, n, ended)
		}
		transport.CloseIdleConnections()
		for id := range a.texts {
			a.highest = max(a.highest, id)
		}
	}
	for _, reuse := range a.reused {
		t.Error("used again: ", reuse)
	}
	gone := 0
	for _, done := range a.deleted {
		if done {
			gone++
		}
	}
	t.Logf("%d rounds: %d schemas acknowledged, %d of them deleted for good, highest id %d", rounds, len(a.texts), gone, a.highest)
	if len(a.texts) < rounds*each || gone == 0 {
		t.Error("too little was done for the test to mean something")
	}
}

// TestIDsAreNotUsedAgainAfterEverythingIsDeletedAndTheRegistryIsKilled leaves nothing in the topic that names an id but
// the registry's own note of it.
func TestIDsAreNotUsedAgainAfterEverythingIsDeletedAndTheRegistryIsKilled(t *testing.T) {
	dir := t.TempDir()
	last := 0
	for round := range 3 {
		url, kill := startProcess(t, dir)
		transport := new(http.Transport)
		c, err := sr.NewClient(sr.URLs(url), sr.HTTPClient(&http.Client{Transport: transport}))
		if err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			subject := fmt.Sprint("s", i)
			id, err := c.RegisterSchema(t.Context(), subject, sr.Schema{Schema: `"int"`}, -1, -1)
			if err != nil || id != last+1 {
				t.Fatalf("round %d: id %d, %v; want %d", round, id, err, last+1)
			}
			last = id
			for _, how := range []sr.DeleteHow{sr.SoftDelete, sr.HardDelete} {
				if _, err := c.DeleteSubject(t.Context(), subject, how); err != nil {
					t.Fatal(err)
				}
			}
		}
		if left, err := c.AllSchemas(sr.WithParams(t.Context(), sr.ShowDeleted)); err != nil || len(left) != 0 {
			t.Errorf("left %v, %v", left, err)
		}
		kill()
		transport.CloseIdleConnections()
	}
}
