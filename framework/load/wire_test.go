package load

import (
	"errors"
	"flag"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/syncline-io/syncline/integration/wiredoc"
)

var updatePage = flag.Bool("update", false, "write the dump into docs/wire.md")

func TestTheDumpOfASinksDeadLetterIsTrue(t *testing.T) {
	w := &writer{session: &session{Loader: &Loader{opts: Options{Name: "shop-copy"}}}}
	origin := &kgo.Record{Topic: "shop.public.orders", Partition: 0, Offset: 4711, Key: []byte("k"), Value: []byte("v")}
	letter := w.deadLetter(origin, stagePut, errors.New("row of table public.orders: value too long for type character varying(10)"))
	if letter.Topic != "shop-copy.dlq" || string(letter.Key) != "k" || string(letter.Value) != "v" {
		t.Errorf("got topic %s, key %s, value %s", letter.Topic, letter.Key, letter.Value)
	}
	wiredoc.Open(t, "../../docs/wire.md", *updatePage).Shows("sink-dead-letter", wiredoc.Headers(letter))
}
