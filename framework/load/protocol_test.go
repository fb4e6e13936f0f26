package load

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/simtest/model"
	"github.com/syncline-io/syncline/framework/sink"
	"github.com/syncline-io/syncline/schemas"
)

var errLost = errors.New("connection lost while committing")

func TestACommitWhoseReplyWasLostIsNotAppliedTwice(t *testing.T) {
	for _, landed := range []bool{true, false} {
		t.Run(fmt.Sprintf("landed=%t", landed), func(t *testing.T) {
			w := newWorld(t, ordersTopic)
			// Without a key a second application would show.
			f := w.feed(keyless(900)).describe()
			w.db.setFault(func(n int, _ *sink.Batch, apply func() error) error {
				if n > 2 {
					return apply()
				}
				if landed {
					if err := apply(); err != nil {
						return err
					}
				}
				return errLost
			})
			l := w.start()
			f.send(insert(1, "a", "x"), insert(1, "a", "x"))
			line := `{"big":"x","id":"1","note":"a"}`
			w.holds("public.orders", line, line)
			f.send(insert(2, "b", "y"))
			w.holds("public.orders", line, line, `{"big":"y","id":"2","note":"b"}`)
			if st := l.Status(); st.Retries == 0 || !strings.Contains(st.LastError, errLost.Error()) {
				t.Errorf("the trouble is not visible: %+v", st)
			}
			eventually(t, func() string {
				if st := l.Status(); st.State != Running || !st.Ready || st.Rows != 3 {
					return fmt.Sprintf("after the trouble: %+v", st)
				}
				return ""
			})
		})
	}
}

// keyless is orders without a key and with whole old rows.
func keyless(version uint64) *schemas.Table {
	t := orders(version)
	t.Columns[0].Key, t.Identity = 0, schemas.IdentityFull
	return t
}

func TestRestartGoesOnWhereTheLedgerStands(t *testing.T) {
	w := newWorld(t, ordersTopic)
	f := w.feed(keyless(900)).describe()
	f.send(insert(1, "a", "x"))
	l := w.start()
	w.holds("public.orders", `{"big":"x","id":"1","note":"a"}`)
	if err := l.stop(); err != nil {
		t.Fatal(err)
	}
	f.send(insert(2, "b", "y"))
	// The group knows less than the ledger: as after a crash between the target's commit and the group's.
	w.setGroupOffset(0, 0, mark)
	w.start()
	w.holds("public.orders", `{"big":"x","id":"1","note":"a"}`, `{"big":"y","id":"2","note":"b"}`)
}

// setGroupOffset commits an offset as another client does.
func (w *world) setGroupOffset(partition int32, offset int64, metadata string) {
	w.t.Helper()
	admin := kadm.NewClient(w.client)
	eventually(w.t, func() string {
		var offsets kadm.Offsets
		offsets.Add(kadm.Offset{Topic: w.topic, Partition: partition, At: offset, LeaderEpoch: -1, Metadata: metadata})
		if err := admin.CommitAllOffsets(context.Background(), w.internal+"."+w.name, offsets); err != nil {
			return err.Error()
		}
		return ""
	})
}

func TestAnOperatorsResetIsObeyedOnce(t *testing.T) { operatorsReset(t, newWorld(t, ordersTopic)) }

func operatorsReset(t *testing.T, w *world) {
	f := w.feed(keyless(900)).describe()
	f.send(insert(1, "a", "x"))
	f.send(insert(2, "b", "y"))
	a, b := `{"big":"x","id":"1","note":"a"}`, `{"big":"y","id":"2","note":"b"}`
	l := w.start()
	w.holds("public.orders", a, b)
	if err := l.stop(); err != nil {
		t.Fatal(err)
	}
	w.setGroupOffset(0, 2, "") // the second transaction again: what was asked for
	l = w.start()
	w.holds("public.orders", a, b, b)
	// A crash before the group hears of anything written since must not repeat it once more.
	w.setFaultOnGroup(t, l)
	w.start()
	f.send(insert(3, "c", "z"))
	w.holds("public.orders", a, b, b, `{"big":"z","id":"3","note":"c"}`)
}

// setFaultOnGroup stops l and puts the group's offset back to what it was right after the reset was adopted.
func (w *world) setFaultOnGroup(t *testing.T, l *running) {
	t.Helper()
	offsets, err := kadm.NewClient(w.client).FetchOffsets(context.Background(), w.internal+"."+w.name)
	if err != nil {
		t.Fatal(err)
	}
	if o, _ := offsets.Lookup(w.topic, 0); o.Metadata != mark {
		t.Errorf("the reset was not adopted: metadata %q", o.Metadata)
	}
	if err := l.stop(); err != nil {
		t.Fatal(err)
	}
	w.setGroupOffset(0, 2, mark)
}

func TestAResetIsMarkedBeforeAnythingIsWritten(t *testing.T) {
	// Nothing is left to read from where each reset goes, so that no commit follows a write.
	for name, transactions := range map[string]int{"to the end": 1, "to the beginning of a topic without records": 0} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, ordersTopic)
			f, end := w.feed(orders(900)).describe(), int64(0)
			for range transactions {
				f.send(insert(1, "a", "x"))
				end += 2 // the record and the transaction's marker
			}
			w.setGroupOffset(0, end, "")
			w.start()
			w.marked(end)
			if e := w.db.entry(w.topic, 0); e.Next != end {
				t.Errorf("the ledger has next %d, want %d", e.Next, end)
			}
		})
	}
}

// TestAResetThatAnotherMemberHasObeyedIsNotObeyedAgain is about a member that reads the group's offset, sleeps while another one
// obeys the reset in it and writes on, and then claims.
func TestAResetThatAnotherMemberHasObeyedIsNotObeyedAgain(t *testing.T) {
	w := newWorld(t, ordersTopic)
	f := w.feed(keyless(900)).describe()
	f.send(insert(1, "a", "x"))
	f.send(insert(2, "b", "y"))
	a, b := `{"big":"x","id":"1","note":"a"}`, `{"big":"y","id":"2","note":"b"}`
	l := w.start()
	w.holds("public.orders", a, b)
	if err := l.stop(); err != nil {
		t.Fatal(err)
	}
	w.joinFinds(2, "")
	w.start()
	f.send(insert(3, "c", "z"))
	w.holds("public.orders", a, b, `{"big":"z","id":"3","note":"c"}`)
}

// TestAResetThatNobodyHasMarkedIsMarkedByWhoDidNotSeeIt is about a member that reads the group's offset, sleeps while an operator
// resets it and another member obeys that and dies, and then claims: what it writes before there is a mark would be repeated.
func TestAResetThatNobodyHasMarkedIsMarkedByWhoDidNotSeeIt(t *testing.T) {
	w := newWorld(t, ordersTopic)
	w.feed(orders(900)).describe().send(insert(1, "a", "x"))
	l := w.start()
	w.holds("public.orders", "id=1 note=a big=x")
	if err := l.stop(); err != nil {
		t.Fatal(err)
	}
	w.setGroupOffset(0, 2, "") // where the ledger stands too: it was obeyed
	w.joinFinds(2, mark)
	w.start()
	w.marked(2)
}

// marked waits until the group has our mark at the offset.
func (w *world) marked(offset int64) {
	w.t.Helper()
	eventually(w.t, func() string {
		offsets, err := kadm.NewClient(w.client).FetchOffsets(context.Background(), w.internal+"."+w.name)
		if o, _ := offsets.Lookup(w.topic, 0); err != nil || o.At != offset || o.Metadata != mark {
			return fmt.Sprintf("group offset %d %q %v", o.At, o.Metadata, err)
		}
		return ""
	})
}

// joinFinds makes the next member that joins find this offset, as it was before it slept.
func (w *world) joinFinds(offset int64, metadata string) {
	w.cluster.ControlKey(kmsg.OffsetFetch.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
		req := r.(*kmsg.OffsetFetchRequest)
		if len(req.Groups) != 1 || req.Groups[0].MemberID == nil { // an admin's
			w.cluster.KeepControl()
			return nil, nil, false
		}
		return offsetsAsTheyWere(req, offset, metadata), nil, true
	})
}

// offsetsAsTheyWere answers with an offset and its metadata.
func offsetsAsTheyWere(req *kmsg.OffsetFetchRequest, offset int64, metadata string) *kmsg.OffsetFetchResponse {
	resp := req.ResponseKind().(*kmsg.OffsetFetchResponse)
	for _, g := range req.Groups {
		group := kmsg.NewOffsetFetchResponseGroup()
		group.Group = g.Group
		for _, t := range g.Topics {
			topic := kmsg.NewOffsetFetchResponseGroupTopic()
			topic.Topic, topic.TopicID = t.Topic, t.TopicID
			for _, n := range t.Partitions {
				p := kmsg.NewOffsetFetchResponseGroupTopicPartition()
				p.Partition, p.Offset, p.LeaderEpoch, p.Metadata = n, offset, -1, &metadata
				topic.Partitions = append(topic.Partitions, p)
			}
			group.Topics = append(group.Topics, topic)
		}
		resp.Groups = append(resp.Groups, group)
	}
	return resp
}

func TestAVanishedLedgerStops(t *testing.T) {
	w := newWorld(t, ordersTopic)
	w.feed(orders(900)).describe().send(insert(1, "a", "x"))
	l := w.start()
	w.holds("public.orders", "id=1 note=a big=x")
	if err := l.stop(); err != nil {
		t.Fatal(err)
	}
	w.db.SetLedger(func(ledger map[model.TopicPartition]sink.Entry) { clear(ledger) })
	err := w.start().fails(20 * time.Second)
	if !errors.Is(err, errVanished) || failure.Classify(err) != failure.Gap {
		t.Fatalf("got %v", err)
	}
}

func TestATopicMadeAgainStops(t *testing.T) {
	w := newWorld(t, ordersTopic)
	f := w.feed(orders(900)).describe()
	f.send(insert(1, "a", "x"))
	l := w.start()
	w.holds("public.orders", "id=1 note=a big=x")
	if err := l.stop(); err != nil {
		t.Fatal(err)
	}
	e := w.db.entry(w.topic, 0)
	e.TopicID[0] ^= 1
	w.db.setEntry(e)
	err := w.start().fails(20 * time.Second)
	if !errors.Is(err, errOtherTopic) || failure.Classify(err) != failure.Gap {
		t.Fatalf("got %v", err)
	}
	// The way out that the message names.
	w.setGroupOffset(0, 0, "")
	w.start()
	f.send(insert(2, "b", "y"))
	w.holds("public.orders", "id=1 note=a big=x", "id=2 note=b big=y")
	if w.db.entry(w.topic, 0).TopicID == e.TopicID {
		t.Error("the ledger keeps the old topic's id")
	}
}

func TestATopicMadeAgainBeforeItsFirstBatchIsNoGap(t *testing.T) {
	w := newWorld(t, ordersTopic)
	claimed := sink.Entry{Partition: sink.Partition{Topic: ordersTopic, TopicID: [16]byte{1}}, Next: -1, Fence: 7}
	w.db.setEntry(claimed)
	f := w.feed(orders(900)).describe()
	f.send(insert(1, "a", "x"))
	l := w.start()
	w.holds("public.orders", "id=1 note=a big=x")
	if err := l.stop(); err != nil {
		t.Fatal(err)
	}
	if e := w.db.entry(w.topic, 0); e.TopicID == claimed.TopicID {
		t.Error("the ledger keeps the id of the topic that is gone")
	}
	f.send(insert(2, "b", "x"))
	w.start()
	w.holds("public.orders", "id=1 note=a big=x", "id=2 note=b big=x")
}

func TestRecordsRemovedBeforeTheyWereReadStop(t *testing.T) {
	w := newWorld(t, ordersTopic)
	f := w.feed(orders(900)).describe()
	f.send(insert(1, "a", "x"))
	l := w.start()
	w.holds("public.orders", "id=1 note=a big=x")
	if err := l.stop(); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		f.send(insert(2+i, "b", "y"))
	}
	if err := w.cluster.DeleteRecords(ordersTopic, 0, 6); err != nil {
		t.Fatal(err)
	}
	err := w.start().fails(20 * time.Second)
	if failure.Classify(err) != failure.Gap || !strings.Contains(err.Error(), ordersTopic) {
		t.Fatalf("got %v", err)
	}
}

func TestARefusedRowBecomesADeadLetterAndNothingElse(t *testing.T) {
	w := newWorld(t, ordersTopic)
	f := w.feed(orders(900)).describe()
	w.db.Refuse(func(_ *sink.Table, row map[string]string) error {
		if strings.HasPrefix(row["note"], "bad") {
			return errors.New("value out of range")
		}
		return nil
	})
	var changes []schemas.Change
	var want []string
	for i := range 50 {
		note := "good"
		if i == 17 || i == 33 {
			note = "bad" + strconv.Itoa(i)
		} else {
			want = append(want, fmt.Sprintf("id=%d note=good big=x", i))
		}
		changes = append(changes, insert(i, note, "x"))
	}
	slices.Sort(want)
	records := f.records(changes...)
	w.commit(kgo.TryCommit, records...)
	l := w.start()
	w.holds("public.orders", want...)
	letters := w.deadLetters(2)
	r := letters[0]
	got := []string{
		headerOf(r, "__connect.errors.topic"), headerOf(r, "__connect.errors.partition"), headerOf(r, "__connect.errors.offset"),
		headerOf(r, "__connect.errors.connector.name"), headerOf(r, "__connect.errors.stage"), headerOf(r, "__connect.errors.exception.message"),
	}
	if diff := cmp.Diff([]string{ordersTopic, "0", "17", "warehouse", "TASK_PUT", "value out of range"}, got); diff != "" {
		t.Error(diff)
	}
	if string(r.Key) != string(records[17].Key) || string(r.Value) != string(records[17].Value) {
		t.Error("key or value of the dead letter was touched")
	}
	if n := l.Status().DeadLetters; n != 2 {
		t.Errorf("status counts %d dead letters", n)
	}
	if d := w.db.entry(w.topic, 0); d.Next != 51 {
		eventually(t, func() string {
			if d := w.db.entry(w.topic, 0); d.Next < 50 {
				return fmt.Sprintf("ledger stays at %d", d.Next)
			}
			return ""
		})
	}
}

func TestTheLedgerWaitsForTheDeadLetterTopic(t *testing.T) {
	w := newWorld(t, ordersTopic)
	// The topic exists and takes no record of this size.
	if err := w.cluster.CreateTopic("warehouse.dlq", 1, map[string]string{"max.message.bytes": "100"}); err != nil {
		t.Fatal(err)
	}
	f := w.feed(orders(900)).describe()
	f.send(insert(1, "a", "x"))
	w.commit(kgo.TryCommit, &kgo.Record{Topic: ordersTopic, Key: []byte("k"), Value: []byte(strings.Repeat("no avro ", 100))})
	f.send(insert(2, "b", "y"))
	l := w.start()
	eventually(t, func() string {
		if st := l.Status(); st.Ready || st.Retries < 2 || !strings.Contains(st.LastError, "dead letter for "+ordersTopic+" partition 0 offset 2") {
			return fmt.Sprintf("not visible: %+v", st)
		}
		return ""
	})
	if e := w.db.entry(w.topic, 0); e.Next > 2 {
		t.Errorf("the ledger passed the record: %d", e.Next)
	}
	limit := "1000000"
	if _, err := kadm.NewClient(w.client).AlterTopicConfigs(context.Background(), []kadm.AlterConfig{{Name: "max.message.bytes", Value: &limit}}, "warehouse.dlq"); err != nil {
		t.Fatal(err)
	}
	w.holds("public.orders", "id=1 note=a big=x", "id=2 note=b big=y")
	w.deadLetters(1)
}

// kgo keeps the answer for as long as the client lives.
func TestADeadLetterIsWrittenThoughTheClientWasRefusedAProducerID(t *testing.T) {
	w := newWorld(t, ordersTopic)
	var refused atomic.Int32
	w.cluster.ControlKey(kmsg.InitProducerID.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
		w.cluster.KeepControl()
		if r.(*kmsg.InitProducerIDRequest).TransactionalID != nil || refused.Add(1) > 2 {
			return nil, nil, false
		}
		resp := r.ResponseKind().(*kmsg.InitProducerIDResponse)
		resp.ErrorCode = kerr.InvalidProducerEpoch.Code
		return resp, nil, true
	})
	f := w.feed(orders(900)).describe()
	w.commit(kgo.TryCommit, &kgo.Record{Topic: ordersTopic, Key: []byte("k"), Value: []byte("no avro")})
	l := w.start()
	eventually(t, func() string {
		if st := l.Status(); st.Retries == 0 || !strings.Contains(st.LastError, "INVALID_PRODUCER_EPOCH") {
			return fmt.Sprintf("not visible: %+v", st)
		}
		return ""
	})
	w.deadLetters(1)
	f.send(insert(1, "a", "x"))
	w.holds("public.orders", "id=1 note=a big=x")
}

func TestUnreadableRecordsBecomeDeadLetters(t *testing.T) {
	w := newWorld(t, ordersTopic)
	f := w.feed(orders(900)).describe()
	good := f.records(insert(1, "a", "x"), insert(2, "b", "y"), insert(3, "c", "z"))
	truncated := *good[1]
	truncated.Value = truncated.Value[:len(truncated.Value)-3]
	foreign := &kgo.Record{Topic: ordersTopic, Value: []byte("no avro")}
	other := w.feed(&schemas.Table{System: "postgresql", Database: "shop", Schema: "public", Name: "products", Version: 900, Columns: orders(900).Columns})
	wrong := other.records(insert(7, "p", "q"))[0]
	wrong.Topic = ordersTopic
	w.commit(kgo.TryCommit, good[0], foreign, &truncated, wrong, good[2])
	w.start()
	// The record of another table's schema has a later version than the last good one: left out as a repeat.
	letters := w.deadLetters(3)
	for i, want := range []string{"wire format", "byte", "not made for topic"} {
		if got := headerOf(letters[i], headerMessage); !strings.Contains(got, want) || headerOf(letters[i], headerStage) != "VALUE_CONVERTER" {
			t.Errorf("letter %d: %s %s", i, headerOf(letters[i], headerStage), got)
		}
	}
	f.send(insert(4, "d", "z"))
	w.holds("public.orders", "id=1 note=a big=x", "id=4 note=d big=z")
}

func TestDeadLettersSwitchedOffStopAtTheRecord(t *testing.T) {
	w := newWorld(t, ordersTopic)
	w.commit(kgo.TryCommit, &kgo.Record{Topic: ordersTopic, Value: []byte("no avro")})
	err := w.start(func(o *Options) { o.DeadLetters.Stop = true }).fails(20 * time.Second)
	if failure.Classify(err) != failure.Config || !strings.Contains(err.Error(), ordersTopic+" partition 0 offset 0") {
		t.Fatalf("got %v", err)
	}
}

func TestAnUnknownSchemaIDIsAskedForAgain(t *testing.T) {
	w := newWorld(t, ordersTopic, "shop.public.other")
	f := w.feed(orders(900)).describe()
	o := w.feed(&schemas.Table{System: "postgresql", Database: "shop", Schema: "public", Name: "other", Version: 900, Columns: orders(900).Columns}).describe()
	w.registry.hide(f.valueID, true)
	l := w.start()
	f.send(insert(1, "a", "x"))
	o.send(insert(5, "o", "p"))
	w.holds("public.other", "id=5 note=o big=p") // others go on
	eventually(t, func() string {
		st := l.Status()
		if st.Ready || st.State != Retrying {
			return "waiting for the registry is not visible"
		}
		for _, p := range st.Partitions {
			if p.Topic == ordersTopic && strings.Contains(p.Waits, "schema") {
				return ""
			}
		}
		return "the partition does not say what it waits for"
	})
	w.registry.hide(f.valueID, false)
	w.holds("public.orders", "id=1 note=a big=x")
	o.send(insert(6, "o", "p"))
	f.send(insert(2, "b", "x"))
	w.holds("public.orders", "id=1 note=a big=x", "id=2 note=b big=x")
	eventually(t, func() string {
		if st := l.Status(); !st.Ready || st.DeadLetters != 0 {
			return fmt.Sprintf("after the registry knew the id: %+v", st)
		}
		return ""
	})
}

func TestARegistryThatGivesAnIDToAnotherSchemaMakesItsRecordsWait(t *testing.T) {
	for _, other := range []*schemas.Table{
		{System: "postgresql", Database: "shop", Schema: "public", Name: "other", Version: 900, Columns: orders(900).Columns},
		schemas.MessageTable("postgresql", "shop", schemas.Type{Kind: schemas.Bytes}), // whose own records are passed over
		schemas.TransactionTable("postgresql", "shop"),
	} {
		t.Run(other.String(), func(t *testing.T) {
			w := newWorld(t, ordersTopic)
			f := w.feed(orders(900)).describe()
			right := w.registry.swap(f.valueID, w.feed(other).encoder.ValueSchema())
			l := w.start()
			f.send(insert(1, "a", "x"))
			eventually(t, func() string {
				for _, p := range l.Status().Partitions {
					if strings.Contains(p.Waits, "has given the id of schema") {
						return ""
					}
				}
				return "no partition waits for the registry"
			})
			w.registry.swap(f.valueID, right)
			w.holds("public.orders", "id=1 note=a big=x")
			if n := l.Status().DeadLetters; n != 0 {
				t.Errorf("%d dead letters", n)
			}
		})
	}
}

// A restored registry that lost the newest version of the table gives its id to the next one.
func TestAnIDThatMeansAnotherVersionOfTheTableMakesItsRecordsWait(t *testing.T) {
	column := func(i int, change func(*schemas.Column)) *schemas.Table {
		table := orders(901)
		change(&table.Columns[i])
		return table
	}
	others := map[string]*schemas.Table{
		"renamed":   column(1, func(c *schemas.Column) { c.Name = "remark" }),
		"dropped":   orders(901, orders(901).Columns[:2]...),
		"added":     orders(901, append(orders(901).Columns, schemas.Column{ID: 4, Name: "more", Type: schemas.Type{Kind: schemas.String}, Nullable: true})...),
		"retyped":   column(1, func(c *schemas.Column) { c.Type.Kind = schemas.Bytes }),
		"nullable":  column(0, func(c *schemas.Column) { c.Key, c.Nullable = 0, true }),
		"reordered": orders(901, orders(901).Columns[0], orders(901).Columns[2], orders(901).Columns[1]),
	}
	for _, m := range []schemas.Mapping{{}, {Types: schemas.TypesAvro}, {Shape: schemas.ShapeRow}, {Types: schemas.TypesAvro, Shape: schemas.ShapeRow}} {
		for how, other := range others {
			t.Run(fmt.Sprint(how, m.Types, m.Shape), func(t *testing.T) {
				w := newWorld(t, ordersTopic)
				m.Prefix = w.prefix
				f := w.feedAs(orders(900), m).describe()
				right := w.registry.swap(f.valueID, w.feedAs(other, m).encoder.ValueSchema())
				l := w.start()
				f.send(insert(1, "a", "x"))
				eventually(t, func() string {
					for _, p := range l.Status().Partitions {
						if strings.Contains(p.Waits, "does not describe table public.orders at version 900") {
							return ""
						}
					}
					return fmt.Sprintf("no partition waits for the registry; rows %q, dead letters %d", w.db.Lines("public.orders"), l.Status().DeadLetters)
				})
				w.registry.swap(f.valueID, right)
				w.holds("public.orders", "id=1 note=a big=x")
			})
		}
	}
}

func TestATableThatIsDescribedLateIsWaitedFor(t *testing.T) {
	w := newWorld(t, ordersTopic)
	f := w.feed(orders(900))
	l := w.start()
	f.send(insert(1, "a", "x"))
	eventually(t, func() string {
		if st := l.Status(); st.Ready {
			return "not waiting"
		}
		return ""
	})
	f.describe()
	w.holds("public.orders", "id=1 note=a big=x")
}

func TestLagReachesZeroOverAbortedTransactions(t *testing.T) {
	lagOverAborts(t, newWorld(t, ordersTopic))
}

func lagOverAborts(t *testing.T, w *world) {
	f := w.feed(orders(900)).describe()
	f.send(insert(1, "a", "x"))
	l := w.start()
	w.holds("public.orders", "id=1 note=a big=x")
	w.commit(kgo.TryAbort, f.records(insert(2, "never", "x"), insert(3, "never", "x"))...)
	eventually(t, func() string {
		if e := w.db.entry(w.topic, 0); e.Next != 5 {
			return fmt.Sprintf("the ledger stands at %d, want 5", e.Next)
		}
		if st := l.Status(); st.Lag != 0 || st.Partitions[0].End != 5 {
			return fmt.Sprintf("lag %d", st.Lag)
		}
		return ""
	})
	eventually(t, func() string {
		offsets, err := kadm.NewClient(w.client).FetchOffsets(context.Background(), w.internal+"."+w.name)
		if o, _ := offsets.Lookup(w.topic, 0); err != nil || o.At != 5 || o.Metadata != mark {
			return fmt.Sprintf("group offset %d %q %v", o.At, o.Metadata, err)
		}
		return ""
	})
	w.holds("public.orders", "id=1 note=a big=x")
}

func TestRepeatsAreLeftOut(t *testing.T) {
	w := newWorld(t, ordersTopic)
	f := w.feed(keyless(900)).describe()
	records := f.records(insert(1, "a", "x"), insert(2, "b", "y"))
	w.commit(kgo.TryCommit, records...)
	l := w.start()
	a, b := `{"big":"x","id":"1","note":"a"}`, `{"big":"y","id":"2","note":"b"}`
	w.holds("public.orders", a, b)
	again := func() {
		for _, r := range records {
			c := kgo.Record{Topic: r.Topic, Key: r.Key, Value: r.Value, Headers: r.Headers}
			w.commit(kgo.TryCommit, &c)
		}
	}
	again()
	if err := l.stop(); err != nil {
		t.Fatal(err)
	}
	again()
	l = w.start()
	f.send(insert(3, "c", "z"))
	w.holds("public.orders", a, b, `{"big":"z","id":"3","note":"c"}`)
	if l.Status().Repeats == 0 {
		t.Error("repeats are not counted")
	}
}

func TestARenamedColumnKeepsItsValues(t *testing.T) {
	renamed := orders(2000)
	renamed.Columns[1].Name = "remark"
	renamed.Columns = append(renamed.Columns, schemas.Column{ID: 4, Name: "extra", Type: schemas.Type{Kind: schemas.Int32}, SourceType: "integer", Nullable: true})
	for _, restart := range []bool{false, true} {
		t.Run(fmt.Sprintf("restart=%t", restart), func(t *testing.T) {
			w := newWorld(t, ordersTopic)
			old := w.feed(orders(900)).describe()
			old.send(insert(1, "a", "x"), insert(2, "b", "y"))
			l := w.start()
			w.holds("public.orders", "id=1 note=a big=x", "id=2 note=b big=y")
			if restart {
				if err := l.stop(); err != nil {
					t.Fatal(err)
				}
			}
			f := w.feed(renamed)
			w.lsn = 2000
			note := "a"
			if !restart { // else the first record after the restart has the new name already
				note = "late"
				old.send(update(1, "late", "x"))
			}
			records := f.records(update(2, "c", "unchanged", 5))
			f.describe()
			w.commit(kgo.TryCommit, records...)
			if restart {
				w.start()
			}
			w.holds("public.orders", "id=1 remark="+note+" big=x extra=NULL", "id=2 remark=c big=y extra=5")
			// A record of the older version that comes late is mapped onto the newer.
			old.send(update(1, "later", "z"))
			w.holds("public.orders", "id=1 remark=later big=z extra=NULL", "id=2 remark=c big=y extra=5")
			if got := w.db.Evolved(); got[len(got)-1] != "public.orders: id,note,big -> id,remark,big,extra" {
				t.Errorf("evolutions: %q", got)
			}
		})
	}
}

func TestARowFromBeforeAnAddedColumnHasItsDefault(t *testing.T) {
	w := newWorld(t)
	if err := w.cluster.CreateTopic(ordersTopic, 2, nil); err != nil {
		t.Fatal(err)
	}
	added := orders(2000)
	add := func(id int32, name string, kind schemas.Kind, otherwise string) {
		added.Columns = append(added.Columns, schemas.Column{ID: id, Name: name, Type: schemas.Type{Kind: kind}, Nullable: true, Default: otherwise})
	}
	add(4, "state", schemas.String, "'it''s new'::text")
	add(5, "amount", schemas.Decimal, "1.50")
	add(6, "until", schemas.Interval, "'infinity'::interval")
	add(7, "made", schemas.TimestampTZ, "now()")
	old, f := w.feed(orders(900)).describe(), w.feed(added).describe()
	late := old.records(insert(1, "a", "x"))
	w.lsn = 2000
	f.partition = 1
	f.send(insert(2, "b", "x", "open", nil, nil, nil))
	w.start()
	w.holds("public.orders", "id=2 note=b big=x state=open amount=NULL until=NULL made=NULL")
	w.commit(kgo.TryCommit, late...)
	w.holds("public.orders", "id=1 note=a big=x state=it's new amount=1.50 until=infinity made=NULL",
		"id=2 note=b big=x state=open amount=NULL until=NULL made=NULL")
}

func TestAForeignTopicNeedsNoHeaders(t *testing.T) {
	w := newWorld(t, ordersTopic)
	f := w.feed(orders(900))
	f.foreign = true
	f.send(insert(1, "a", "x"), insert(2, "b", "y"), update(1, "c", "x"), remove(2, nil, nil))
	w.start()
	w.holds("public.orders", "id=1 note=c big=x")
	wider := orders(901)
	wider.Columns = append(wider.Columns, schemas.Column{ID: 4, Name: "extra", Type: schemas.Type{Kind: schemas.Int32}, SourceType: "integer", Nullable: true})
	f = w.feed(wider)
	f.foreign = true
	f.send(insert(3, "d", "z", 9))
	w.holds("public.orders", "id=1 note=c big=x extra=NULL", "id=3 note=d big=z extra=9")
}

func TestAForeignTruncateDoesNotTakeTheKeyAway(t *testing.T) {
	for _, tt := range []struct {
		name string
		// before the truncate comes a row; registered says that the registry tells the key.
		before, registered bool
		evolutions         int
	}{
		{"met first", false, true, 1},
		{"met first, and the registry holds the key under another name", false, false, 2},
		{"in a new version of the table", true, false, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, ordersTopic)
			f := w.feed(orders(900))
			f.foreign = true
			if tt.before {
				f.send(insert(9, "old", "x"))
				w.start()
				w.holds("public.orders", "id=9 note=old big=x")
				f = w.feed(wider(901))
				f.foreign = true
			}
			if !tt.registered {
				delete(w.registry.latest, ordersTopic+"-key")
			}
			row := func(note string) []any {
				if tt.before {
					return []any{1, note, "x", 5}
				}
				return []any{1, note, "x"}
			}
			f.send(truncate())
			if !tt.before {
				w.start()
			}
			f.send(insert(row("a")...))
			f.send(update(row("b")...))
			want := "id=1 note=b big=x"
			if tt.before {
				want += " extra=5"
			}
			w.holds("public.orders", want)
			if got := w.db.Evolved(); len(got) != tt.evolutions {
				t.Errorf("%d evolutions, want %d: %q", len(got), tt.evolutions, got)
			}
		})
	}
}

func TestAForeignTopicWithoutKeysIsAppended(t *testing.T) {
	w := newWorld(t, ordersTopic)
	f := w.feed(keyless(900))
	f.foreign = true
	f.send(truncate(), insert(1, "a", "x"), insert(1, "a", "x"))
	w.start()
	line := `{"big":"x","id":"1","note":"a"}`
	w.holds("public.orders", line, line)
}

func TestPartitionsAreHandedOverWithoutLossOrRepeat(t *testing.T) {
	w := newWorld(t)
	if err := w.cluster.CreateTopic(ordersTopic, 4, nil); err != nil {
		t.Fatal(err)
	}
	handOver(t, w)
}

func handOver(t *testing.T, w *world) {
	f := w.feed(keyless(900)).describe()
	w.db.setFault(func(_ int, _ *sink.Batch, apply func() error) error {
		time.Sleep(2 * time.Millisecond)
		return apply()
	})
	first := w.start(func(o *Options) { o.Batch.Rows = 7 })
	var want []string
	send := func(rounds int) {
		for range rounds {
			for p := range int32(4) {
				f.partition = p
				n := len(want)
				f.send(insert(n, "a", "x"))
				want = append(want, fmt.Sprintf(`{"big":"x","id":"%d","note":"a"}`, n))
			}
		}
	}
	send(20)
	second := w.start(func(o *Options) { o.Batch.Rows = 5 })
	eventually(t, func() string {
		if len(second.Status().Partitions) != 2 || len(first.Status().Partitions) != 2 {
			return "the partitions are not shared"
		}
		return ""
	})
	send(20)
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	send(20)
	slices.Sort(want)
	w.holds("public.orders", want...)
}

func TestAFencedMemberDropsWhatItHasAndBeginsAgain(t *testing.T) {
	fencedMember(t, newWorld(t, ordersTopic))
}

func fencedMember(t *testing.T, w *world) {
	f := w.feed(keyless(900)).describe()
	f.send(insert(1, "a", "x"))
	w.start()
	a := `{"big":"x","id":"1","note":"a"}`
	w.holds("public.orders", a)
	// Another member claims, writes what comes next, and dies.
	w.db.SetLedger(func(ledger map[model.TopicPartition]sink.Entry) {
		tp := model.TopicPartition{Topic: w.topic}
		e := ledger[tp]
		e.Fence += 10
		e.Next = 3
		ledger[tp] = e
	})
	f.send(insert(2, "b", "y")) // offset 2, which the other member has written
	f.send(insert(3, "c", "z"))
	w.holds("public.orders", a, `{"big":"z","id":"3","note":"c"}`)
}

func TestATruncateWaitsForAllPartitions(t *testing.T) {
	w := newWorld(t)
	if err := w.cluster.CreateTopic(ordersTopic, 2, nil); err != nil {
		t.Fatal(err)
	}
	f := w.feed(orders(900)).describe()
	f.partitions = 2
	on := func(p int32, changes ...schemas.Change) []*kgo.Record {
		f.partition = p
		return f.records(changes...)
	}
	before0, before1 := on(0, insert(1, "old", "x")), on(1, insert(2, "old", "x"))
	gone := f.records(truncate())
	after0, after1 := on(0, insert(3, "new", "x")), on(1, insert(4, "new", "x"))
	l := w.start()
	// Partition 0 comes to the truncate and beyond it while partition 1 has not brought its old row yet.
	w.commit(kgo.TryCommit, slices.Concat(before0, gone[:1], after0)...)
	w.holds("public.orders", "id=1 note=old big=x")
	eventually(t, func() string {
		if st := l.Status(); st.Ready || len(st.Partitions) != 2 || !strings.Contains(st.Partitions[0].Waits, "waits for partition 1") {
			return fmt.Sprintf("the wait is not visible: %+v", st)
		}
		return ""
	})
	w.commit(kgo.TryCommit, slices.Concat(before1, gone[1:], after1)...)
	w.holds("public.orders", "id=3 note=new big=x", "id=4 note=new big=x")
	f.send(insert(5, "more", "x"))
	w.holds("public.orders", "id=3 note=new big=x", "id=4 note=new big=x", "id=5 note=more big=x")
	if st := l.Status(); !st.Ready {
		t.Errorf("%+v", st)
	}
}

func TestTheTruncatesOfATopicAreWrittenTogetherOrNotAtAll(t *testing.T) {
	w := newWorld(t)
	if err := w.cluster.CreateTopic(ordersTopic, 2, nil); err != nil {
		t.Fatal(err)
	}
	f := w.feed(orders(900)).describe()
	f.partitions = 2
	for p := range int32(2) {
		f.partition = p
		f.send(insert(1+int(p), "old", "x"))
	}
	f.send(truncate())
	for p := range int32(2) {
		f.partition = p
		f.send(insert(3+int(p), "new", "x"))
	}
	var l *running
	torn := false
	started := make(chan struct{})
	w.db.setFault(func(_ int, b *sink.Batch, apply func() error) error {
		<-started
		if len(b.Tables) == 0 || !b.Tables[0].Truncate {
			return apply()
		}
		if len(b.Moves) != 2 {
			t.Errorf("a truncate is written for %d partitions", len(b.Moves))
		}
		if torn {
			return apply()
		}
		torn = true
		l.mu.Lock()
		s := l.current
		l.mu.Unlock()
		s.disown(map[string][]int32{ordersTopic: {0}}) // as at a hand-over while the target is away
		return errLost
	})
	l = w.start()
	close(started)
	w.holds("public.orders", "id=3 note=new big=x", "id=4 note=new big=x")
	if !torn {
		t.Error("no truncate was written")
	}
}

func TestATruncateMeetsPartitionsThatHavePassedIt(t *testing.T) {
	at := func(v uint64) schemas.Version { return schemas.Version{High: v} }
	waits := func(v uint64) *schemas.Version { version := at(v); return &version }
	for _, tt := range []struct {
		name            string
		q               *partition
		arrived, failed bool
		torn            bool // where p was given away with the truncates under way, and has come back
	}{
		{"in front of it", &partition{seen: at(19)}, false, false, false},
		{"in front of an earlier one", &partition{seen: at(5), truncate: waits(10)}, false, false, false},
		{"at it", &partition{seen: at(19), truncate: waits(20)}, true, false, false},
		{"has passed it, and nothing more", &partition{seen: at(20)}, true, false, false},
		{"has nothing in front of a later one", &partition{seen: at(19), truncate: waits(30)}, true, false, false},
		{"had rows behind it from the beginning", &partition{seen: at(22), from: at(21)}, false, true, false},
		{"had rows behind it and is in front of a later one", &partition{seen: at(22), from: at(21), truncate: waits(30)}, false, true, false},
		{"has read on, and perhaps not written", &partition{seen: at(21), from: at(19)}, false, true, true},
	} {
		for _, again := range []bool{false, true} {
			p := &partition{truncate: waits(20), again: again}
			arrived, err := tt.q.arrived(p)
			if arrived != tt.arrived || (err != nil) != tt.failed || errors.Is(err, errTorn) != (tt.torn && again) {
				t.Errorf("%s, again=%t: %t, %v", tt.name, again, arrived, err)
			}
		}
	}
}

// TestATruncateThatOnePartitionNoLongerHasIsAGap is about retention that took it from one partition and not from the other, or
// a partition that was added later: to read again from the ledger would meet the same for ever.
func TestATruncateThatOnePartitionNoLongerHasIsAGap(t *testing.T) {
	w := newWorld(t)
	if err := w.cluster.CreateTopic(ordersTopic, 2, nil); err != nil {
		t.Fatal(err)
	}
	f := w.feed(orders(900)).describe()
	f.partitions = 2
	f.partition = 1
	gone := f.records(truncate())
	behind := f.records(insert(1, "new", "x"))
	w.commit(kgo.TryCommit, slices.Concat(gone[:1], behind)...)
	if err := w.start().fails(20 * time.Second); failure.Classify(err) != failure.Gap || !strings.Contains(err.Error(), "stands behind it already") {
		t.Errorf("got %v, want a gap", err)
	}
}

// TestAPartitionThatComesBackIsKnownToHaveBeenThere is about what tells a truncate that was torn apart from a gap.
func TestAPartitionThatComesBackIsKnownToHaveBeenThere(t *testing.T) {
	w := newWorld(t, ordersTopic)
	l := w.start()
	stays := func(again bool) {
		t.Helper()
		eventually(t, func() string {
			parts := l.partitionsNow()
			if len(parts) != 1 || parts[0].again != again {
				return fmt.Sprintf("%d partitions, want one with again=%t", len(parts), again)
			}
			return ""
		})
	}
	stays(false)
	l.mu.Lock()
	s := l.current
	l.mu.Unlock()
	s.lose(t.Context(), nil, map[string][]int32{ordersTopic: {0}})
	if _, err := s.assign(t.Context(), map[string]map[int32]kgo.Offset{ordersTopic: {0: kgo.NewOffset()}}); err != nil {
		t.Fatal(err)
	}
	stays(true)
}

func TestConflictsWaitForTheRowsThatFreeThem(t *testing.T) {
	w := newWorld(t)
	if err := w.cluster.CreateTopic(ordersTopic, 2, nil); err != nil {
		t.Fatal(err)
	}
	f := w.feed(orders(900)).describe()
	f.send(insert(1, "taken", "x"))
	w.start()
	w.holds("public.orders", "id=1 note=taken big=x")
	unique := func(_ int, b *sink.Batch, apply func() error) error {
		notes := map[string]string{} // by id
		w.db.Look(func(v model.View) {
			for _, row := range v.Table("public.orders").Rows {
				notes[row.Values["id"]] = row.Values["note"]
			}
		})
		for i := range b.Tables {
			for _, r := range b.Tables[i].Rows {
				notes[strconv.FormatInt(r.Values[0].Int(), 10)] = string(r.Values[1].Bytes())
			}
		}
		if kept := slices.Compact(slices.Sorted(maps.Values(notes))); len(kept) < len(notes) {
			return failure.As(failure.Conflict, errors.New("note is not unique"), "")
		}
		return apply()
	}
	w.db.setFault(unique)
	f.partition = 1
	f.send(insert(2, "taken", "y"))
	time.Sleep(100 * time.Millisecond)
	f.partition = 0
	f.send(update(1, "free", "x"))
	w.holds("public.orders", "id=1 note=free big=x", "id=2 note=taken big=y")
}

func TestAStopWritesWhatIsDecoded(t *testing.T) {
	w := newWorld(t, ordersTopic)
	f := w.feed(orders(900)).describe()
	l := w.start(func(o *Options) { o.Batch = Limits{Bytes: 1 << 20, Rows: 1000, Age: time.Hour} })
	f.send(insert(1, "a", "x"))
	eventually(t, func() string {
		if st := l.Status(); len(st.Partitions) != 1 || st.Partitions[0].End < 2 {
			return "not read"
		}
		return ""
	})
	time.Sleep(50 * time.Millisecond)
	if err := l.stop(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"id=1 note=a big=x"}, w.db.Lines("public.orders")); diff != "" {
		t.Error(diff)
	}
}

func TestAStopDoesNotWaitForATargetThatIsDown(t *testing.T) {
	w := newWorld(t, ordersTopic)
	f := w.feed(orders(900)).describe()
	w.db.setFault(func(int, *sink.Batch, func() error) error { return errors.New("target is down") })
	l := w.start()
	f.send(insert(1, "a", "x"))
	eventually(t, func() string {
		if st := l.Status(); st.State != Retrying || st.Ready {
			return "the trouble is not visible"
		}
		return ""
	})
	began := time.Now()
	if err := l.stop(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the stop took %s", took)
	}
}

func TestTheGroupsOffsetsDecideWithoutALedger(t *testing.T) {
	w := newWorld(t, ordersTopic)
	f := w.feed(orders(900)).describe()
	f.send(insert(1, "a", "x"))
	plain := func(o *Options) {
		o.Open = func(context.Context, sink.Env) (sink.Sink, error) { return plainSink{w.db.open()}, nil }
	}
	l := w.start(plain)
	w.holds("public.orders", "id=1 note=a big=x")
	if err := l.stop(); err != nil {
		t.Fatal(err)
	}
	offsets, err := kadm.NewClient(w.client).FetchOffsets(context.Background(), w.internal+"."+w.name)
	if o, _ := offsets.Lookup(w.topic, 0); err != nil || o.At < 1 || o.Metadata == mark {
		t.Fatalf("group offset %d %q %v", o.At, o.Metadata, err)
	}
	emptied := &sink.Batch{Tables: []sink.TableBatch{{Table: &sink.Table{Schema: "public", Name: "orders"}, Truncate: true}}}
	if err := w.db.Apply(emptied); err != nil {
		t.Fatal(err)
	}
	f.send(insert(2, "b", "y"))
	w.start(plain)
	w.holds("public.orders", "id=2 note=b big=y")
}

// plainSink hides that the model is a ledger.
type plainSink struct{ s *memorySink }

func (p plainSink) Write(ctx context.Context, b *sink.Batch) error {
	moves := b.Moves
	b.Moves = nil
	defer func() { b.Moves = moves }()
	return p.s.Write(ctx, b)
}
func (p plainSink) Close() error { return nil }
func (p plainSink) Evolve(ctx context.Context, prev, t *sink.Table) error {
	return p.s.Evolve(ctx, prev, t)
}

func TestKafkaThatIsAwayIsVisibleAndWaitedFor(t *testing.T) {
	w := newWorld(t, ordersTopic)
	w.feed(orders(900)).describe().send(insert(1, "a", "x"))
	var away atomic.Bool
	away.Store(true)
	dial := func(ctx context.Context, network, host string) (net.Conn, error) {
		if away.Load() {
			return nil, errors.New("nobody at home")
		}
		return new(net.Dialer).DialContext(ctx, network, host)
	}
	l := w.start(func(o *Options) { o.Kafka = append(o.Kafka[:2:2], kgo.Dialer(dial)) })
	eventually(t, func() string {
		if st := l.Status(); st.Ready || !strings.Contains(st.LastError, "nobody at home") {
			return fmt.Sprintf("not visible: %+v", st)
		}
		return ""
	})
	away.Store(false)
	w.holds("public.orders", "id=1 note=a big=x")
}

func TestRefusedCredentialsAtTheStartAreAConfigurationError(t *testing.T) {
	leavesNothing(t)
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.EnableSASL(), kfake.Superuser("PLAIN", "admin", "right"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	// As real brokers answer; the model only hangs up.
	cluster.ControlKey(int16(kmsg.SASLAuthenticate), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		resp := req.ResponseKind().(*kmsg.SASLAuthenticateResponse)
		resp.ErrorCode = kerr.SaslAuthenticationFailed.Code
		return resp, nil, true
	})
	w := &world{name: "warehouse", prefix: testPrefix, internal: "syncline"}
	w.connect(t, cluster.ListenAddrs()...)
	w.kafka = append(w.kafka, kgo.SASL(plain.Auth{User: "admin", Pass: "wrong-secret"}.AsMechanism()))
	err = w.start().fails(20 * time.Second)
	if failure.Classify(err) != failure.Config || strings.Contains(err.Error(), "wrong-secret") {
		t.Fatalf("got %v", err)
	}
}

func TestLagIsKnownBeforeTheFirstRecord(t *testing.T) {
	w := newWorld(t, ordersTopic)
	l := w.start()
	eventually(t, func() string {
		if st := l.Status(); len(st.Partitions) != 1 || st.Partitions[0].Lag != 0 {
			return fmt.Sprintf("%+v", st)
		}
		return ""
	})
}

func TestASchemaTextBelongsToItsTopic(t *testing.T) {
	for _, tt := range []struct {
		topic, text string
		ok          bool
	}{
		{"shop.public.orders", `{"type":"record","name":"Envelope","namespace":"shop.public.orders"}`, true},
		{"1shop.public.or-ders", `{"type":"record","name":"Envelope","namespace":"_1shop.public.or_ders"}`, true},
		{"shop.public.orders", `{"type":"record","name":"shop.public.orders.Envelope"}`, true},
		{"shop.public.orders", `{"type":"record","name":"Envelope","namespace":"shop.public.products"}`, false},
		{"shop.public.orders", `{"type":"record","name":"Envelope"}`, false},
		{"shop.public.orders.quarantine", `{"type":"record","name":"Envelope","namespace":"shop.public.orders"}`, true},
		{"shop.public.orders", `"string"`, false},
	} {
		if err := namedFor(tt.topic, tt.text); (err == nil) != tt.ok {
			t.Errorf("%s for %s: %v", tt.text, tt.topic, err)
		}
	}
}

func TestABadHeaderMakesARecordUnreadable(t *testing.T) {
	for _, h := range []kgo.RecordHeader{{Key: schemas.HeaderVersion, Value: []byte("short")}, {Key: schemas.HeaderTable, Value: binary.BigEndian.AppendUint32(nil, 1)}} {
		if _, err := stampOf(&kgo.Record{Headers: []kgo.RecordHeader{h}}); err == nil {
			t.Errorf("%s is taken", h.Key)
		}
	}
}

// The client leaves a partition alone whose offset it may not fetch, for as long as it is a member of the group.
func TestAPartitionThatCannotBeginIsTriedAgain(t *testing.T) {
	w := newWorld(t, ordersTopic)
	w.cluster.ControlKey(kmsg.OffsetFetch.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
		resp := r.ResponseKind().(*kmsg.OffsetFetchResponse)
		for _, g := range r.(*kmsg.OffsetFetchRequest).Groups {
			group := kmsg.NewOffsetFetchResponseGroup()
			group.Group = g.Group
			for _, t := range g.Topics {
				topic := kmsg.NewOffsetFetchResponseGroupTopic()
				topic.Topic, topic.TopicID = t.Topic, t.TopicID
				for _, n := range t.Partitions {
					p := kmsg.NewOffsetFetchResponseGroupTopicPartition()
					p.Partition, p.ErrorCode = n, kerr.TopicAuthorizationFailed.Code
					topic.Partitions = append(topic.Partitions, p)
				}
				group.Topics = append(group.Topics, topic)
			}
			resp.Groups = append(resp.Groups, group)
		}
		return resp, nil, true // once: the permission comes back
	})
	w.feed(orders(900)).describe().send(insert(1, "a", "x"))
	w.start()
	w.holds("public.orders", "id=1 note=a big=x")
}
