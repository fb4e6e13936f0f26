package publish

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/linkedin/goavro/v2"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/source"
	"github.com/syncline-io/syncline/schemas"
)

// transactional is an upstream of transactions, each of which it sends again from its begin, as PostgreSQL does.
type transactional struct {
	transactions, changes int
	tables                []*schemas.Table // whose turn it is goes around
	marks                 *schemas.Table
	// budget is after how many events a run breaks, or with hold waits for its end; 0 for never.
	budget int
	hold   bool
	text   string // in each change
	done   chan struct{}
}

var errBroken = errors.New("the upstream is gone")

func (u *transactional) run(ctx context.Context, from source.Position, out source.Emitter) error {
	if from.State == nil {
		if err := out.SetState([]byte(`1`)); err != nil {
			return err
		}
	}
	left := u.budget
	emit := func(c schemas.Change) error {
		if c.Op != schemas.Begin && c.Version.Compare(from.Version) <= 0 {
			return nil
		}
		switch {
		case u.budget > 0 && left == 0 && u.hold:
			return stay(ctx)
		case u.budget > 0 && left == 0:
			return errBroken
		}
		left--
		c.Source.TxID, c.Source.LSN = uint32(c.Version.High), c.Version.High+c.Version.Low
		return out.Emit(&c)
	}
	for i := range u.transactions {
		high := uint64(i+1) * 100
		if high < from.Version.High {
			continue
		}
		if err := u.send(high, emit); err != nil {
			return err
		}
		if err := out.Advance(schemas.Version{High: high + 50}, false); err != nil {
			return err
		}
	}
	close(u.done)
	return stay(ctx)
}

func (u *transactional) send(high uint64, emit func(schemas.Change) error) error {
	err := emit(schemas.Change{Table: u.marks, Op: schemas.Begin, Version: schemas.Version{High: high}})
	for k := range u.changes {
		c := create(u.tables[k%len(u.tables)], k)
		if c.Table.Content == schemas.ContentMessages {
			c.Op, c.After = schemas.Message, []schemas.Value{schemas.StringValue("p"), schemas.Null()}
		} else {
			c.After[1] = schemas.StringValue(u.text)
		}
		if c.Version = (schemas.Version{High: high, Low: uint64(k + 1)}); err == nil {
			err = emit(c)
		}
	}
	if err == nil {
		err = emit(schemas.Change{Table: u.marks, Op: schemas.End, Version: schemas.Version{High: high, Low: uint64(u.changes + 1)}})
	}
	return err
}

func newTransactional() *transactional {
	return &transactional{
		transactions: 3, changes: 5, tables: []*schemas.Table{itemsTable("items"), itemsTable("orders")},
		marks: schemas.TransactionTable("postgresql", "shop"), done: make(chan struct{}),
	}
}

// marks reads the topic of transactions: status, the number of the transaction, and the counts.
func (c cluster) marks(t *testing.T, table *schemas.Table) (texts []string) {
	t.Helper()
	for _, value := range decoded(t, table, c.committed(t, c.name+".transaction")) {
		text := fmt.Sprintf("%s %s", value["status"], strings.Split(value["id"].(string), ":")[0])
		if n, ok := value["event_count"].(map[string]any); ok {
			text += fmt.Sprintf(" %d:", n["long"])
			for _, of := range value["data_collections"].(map[string]any)["array"].([]any) {
				count := of.(map[string]any)["event.collection"].(map[string]any)
				text += fmt.Sprintf(" %s %d", count["data_collection"], count["event_count"])
			}
		}
		texts = append(texts, text)
	}
	return texts
}

// places reads the places that a table's changes tell, - for none.
func (c cluster) places(t *testing.T, table *schemas.Table) (texts []string) {
	t.Helper()
	for _, value := range decoded(t, table, c.committed(t, c.name+"."+table.String())) {
		place, ok := value["transaction"].(map[string]any)
		if !ok {
			texts = append(texts, "-")
			continue
		}
		block := place["event.block"].(map[string]any)
		texts = append(texts, fmt.Sprintf("%d/%d", block["total_order"], block["data_collection_order"]))
	}
	return texts
}

func decoded(t *testing.T, table *schemas.Table, records []*kgo.Record) (values []map[string]any) {
	t.Helper()
	encoder, err := schemas.NewEncoder(table, schemas.Mapping{Prefix: "shop"})
	if err != nil {
		t.Fatal(err)
	}
	codec, err := goavro.NewCodec(encoder.ValueSchema())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		native, _, err := codec.NativeFromBinary(r.Value[5:])
		if err != nil {
			t.Fatal(err)
		}
		values = append(values, native.(map[string]any))
	}
	return values
}

func wantTexts(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestEndsCountRightWhereverTheSourceBreaks breaks the source after every so many events: after one, every place in a
// transaction is one where a tenure ends, and the next one goes on.
func TestEndsCountRightWhereverTheSourceBreaks(t *testing.T) {
	for _, budget := range []int{2, 3, 4, 6, 7, 0} {
		t.Run(fmt.Sprint(budget), func(t *testing.T) {
			inBubble(t, func(t *testing.T, c cluster, _ *kfake.Cluster) {
				u, up := newTransactional(), newUpstream()
				u.budget = budget
				o := c.options(up)
				o.Transactions, o.Open = true, up.scripted(u.run)
				p := run(t, o)
				<-u.done
				await(t, "the last end", func() bool { return up.lastConfirmed().Version.High == 350 })
				if err := p.stop(); err != nil {
					t.Fatal(err)
				}
				counts := "5: public.items 3 public.orders 2"
				wantTexts(t, c.marks(t, u.marks), "BEGIN 100", "END 100 "+counts, "BEGIN 200", "END 200 "+counts, "BEGIN 300", "END 300 "+counts)
				items, orders := []string{"1/1", "3/2", "5/3"}, []string{"2/1", "4/2"}
				wantTexts(t, c.places(t, u.tables[0]), slices.Repeat(items, 3)...)
				wantTexts(t, c.places(t, u.tables[1]), slices.Repeat(orders, 3)...)
				u.check(t, c.positions(t))
			})
		})
	}
}

// check looks at what positions say of the transactions that they lie in.
func (u *transactional) check(t *testing.T, positions []source.Position) (within int) {
	t.Helper()
	for _, p := range positions {
		ended := p.Version.Low > uint64(u.changes) || p.Version.High%100 == 50 || p.Version.High == 0
		switch {
		case ended && p.Open != nil:
			t.Errorf("at %s a transaction is open: %+v", p.Version, p.Open)
		case !ended && (p.Open == nil || p.Open.High != p.Version.High || p.Open.Events != int64(p.Version.Low)):
			t.Errorf("at %s the position has %+v", p.Version, p.Open)
		case !ended:
			within++
		}
	}
	return within
}

// TestEveryPositionWithinATransactionHasItsCounts is about transactions that Kafka's cut by their size.
func TestEveryPositionWithinATransactionHasItsCounts(t *testing.T) {
	inBubble(t, func(t *testing.T, c cluster, _ *kfake.Cluster) {
		u, up := newTransactional(), newUpstream()
		u.changes, u.text = 1500, strings.Repeat("x", 20_000)
		o := c.options(up)
		o.Transactions, o.Open = true, up.scripted(u.run)
		p := run(t, o)
		await(t, "the last end", func() bool { return up.lastConfirmed().Version.High == 350 })
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}
		if within := u.check(t, c.positions(t)); within < 3 {
			t.Errorf("%d positions within a transaction", within)
		}
		counts := "1500: public.items 750 public.orders 750"
		wantTexts(t, c.marks(t, u.marks), "BEGIN 100", "END 100 "+counts, "BEGIN 200", "END 200 "+counts, "BEGIN 300", "END 300 "+counts)
	})
}

// uneven is an emitter that is slow at times, and whose state changes, from small to large and back.
type uneven struct {
	source.Emitter
	random *rand.Rand
}

func (u *uneven) Emit(c *schemas.Change) error {
	if u.random.IntN(4) == 0 {
		time.Sleep(time.Duration(u.random.IntN(20)) * time.Millisecond)
	}
	if u.random.IntN(10) == 0 {
		state := strings.Repeat(strconv.Itoa(u.random.IntN(10)), u.random.IntN(3*inlineState))
		if err := u.SetState([]byte(`"` + state + `"`)); err != nil {
			return err
		}
	}
	return u.Emitter.Emit(c)
}

// TestEndsCountRightWhereverThePublisherIsStopped has it leave behind what was not committed, at any place, again and again.
func TestEndsCountRightWhereverThePublisherIsStopped(t *testing.T) {
	for seed := range uint64(60) {
		inBubble(t, func(t *testing.T, c cluster, _ *kfake.Cluster) {
			random := rand.New(rand.NewPCG(seed, 1))
			u, up := newTransactional(), newUpstream()
			u.changes, u.text = 40, strings.Repeat("x", random.IntN(100_000))
			o := c.options(up)
			o.Transactions, o.DrainTimeout = true, time.Nanosecond
			o.Open = up.scripted(func(ctx context.Context, from source.Position, out source.Emitter) error {
				u.done = make(chan struct{})
				return u.run(ctx, from, &uneven{out, random})
			})
			last := schemas.Version{High: 300, Low: 41}
			for tries := 0; up.lastConfirmed().Version.Compare(last) < 0; tries++ {
				if tries == 500 {
					t.Fatalf("seed %d: it is still at %s", seed, up.lastConfirmed().Version)
				}
				p := run(t, o)
				time.Sleep(time.Duration(random.IntN(30)) * time.Millisecond)
				if err := p.stop(); err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
			}
			counts := "40: public.items 20 public.orders 20"
			wantTexts(t, c.marks(t, u.marks), "BEGIN 100", "END 100 "+counts, "BEGIN 200", "END 200 "+counts, "BEGIN 300", "END 300 "+counts)
			var places []string
			for i := range 20 {
				places = append(places, fmt.Sprintf("%d/%d", 2*i+1, i+1))
			}
			wantTexts(t, c.places(t, u.tables[0]), slices.Repeat(places, 3)...)
			u.check(t, c.positions(t))
		})
	}
}

// TestATransactionIsMarkedAsAWhole switches the marks on, and off again, in the middle of a transaction.
func TestATransactionIsMarkedAsAWhole(t *testing.T) {
	inBubble(t, func(t *testing.T, c cluster, _ *kfake.Cluster) {
		u, up := newTransactional(), newUpstream()
		o := c.options(up)
		o.Open = up.scripted(u.run)
		breaks := func(on bool, after int, at schemas.Version) {
			o.Transactions, u.budget, u.hold, u.done = on, after, true, make(chan struct{})
			p := run(t, o)
			await(t, at.String(), func() bool { return up.lastConfirmed().Version == at })
			if err := p.stop(); err != nil {
				t.Fatal(err)
			}
		}
		breaks(false, 3, schemas.Version{High: 100, Low: 2})
		breaks(true, 8, schemas.Version{High: 200, Low: 2})
		breaks(false, 0, schemas.Version{High: 350})
		wantTexts(t, c.marks(t, u.marks), "BEGIN 200")
		wantTexts(t, c.places(t, u.tables[0]), "-", "-", "-", "1/1", "-", "-", "-", "-", "-")
	})
}

func TestMessagesAndTransactionsHaveTopicsThatLoseNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, c cluster, _ *kfake.Cluster) {
		u, up := newTransactional(), newUpstream()
		u.tables = []*schemas.Table{schemas.MessageTable("postgresql", "shop", schemas.Type{Kind: schemas.Bytes})}
		o := c.options(up)
		o.Transactions, o.Open = true, up.scripted(u.run)
		o.Topics = Topics{Partitions: 3, Configs: map[string]string{"cleanup.policy": "compact", "retention.ms": "5000000"}}
		p := run(t, o)
		await(t, "the last end", func() bool { return up.lastConfirmed().Version.High == 350 })
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}
		counts := "5: LOGICAL_DECODING_MESSAGE 5"
		wantTexts(t, c.marks(t, u.marks), "BEGIN 100", "END 100 "+counts, "BEGIN 200", "END 200 "+counts, "BEGIN 300", "END 300 "+counts)
		for _, name := range []string{c.name + ".message", c.name + ".transaction"} {
			found, err := (&topics{opts: &o, admin: c.admin(t)}).describe(t.Context(), name)
			if err != nil || found.partitions != 1 || found.compacted {
				t.Errorf("%s: %+v, %v", name, found, err)
			}
		}
		for _, r := range c.committed(t, c.name+"_internal.tables") {
			t.Errorf("a topic without rows is described as a table: %s", r.Key)
		}
	})
}

// TestTwoConnectorsWithOnePrefixAreToldWhatTheyShare has a second connector write to the topics without rows of a first one,
// which has come further: it is no server that was restored, and the topic must not be deleted for it.
func TestTwoConnectorsWithOnePrefixAreToldWhatTheyShare(t *testing.T) {
	inBubble(t, func(t *testing.T, c cluster, _ *kfake.Cluster) {
		first, second := newTransactional(), newTransactional()
		first.tables, second.tables = []*schemas.Table{itemsTable("items")}, []*schemas.Table{itemsTable("orders")}
		second.transactions = 1
		up := newUpstream()
		o := c.options(up)
		o.Transactions, o.Open = true, up.scripted(first.run)
		p := run(t, o)
		await(t, "the last end", func() bool { return up.lastConfirmed().Version.High == 350 })
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}
		o.Name, o.Open = c.name+"2", newUpstream().scripted(second.run)
		err := <-run(t, o).done
		if failure.Classify(err) != failure.Gap || !strings.Contains(err.Error(), "another connector") || !strings.Contains(err.Error(), "topic_prefix") {
			t.Errorf("got %v", err)
		}
	})
}
