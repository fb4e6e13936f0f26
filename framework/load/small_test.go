package load

import (
	"testing"
	"time"

	"github.com/syncline-io/syncline/schemas"
)

// TestABatchThatHeldALargeValueIsUsedAgain has one row after the other fill a batch of the least size that a file may ask for. The
// batch keeps memory for the next rows, and would be full of that alone.
func TestABatchThatHeldALargeValueIsUsedAgain(t *testing.T) {
	w := newWorld(t, ordersTopic)
	columns := append(orders(900).Columns[:1:1], schemas.Column{
		ID: 2, Name: "many", Type: schemas.Type{Kind: schemas.Array, Elem: &schemas.Type{Kind: schemas.Int64}}, SourceType: "bigint[]", Nullable: true,
	})
	f := w.feed(orders(900, columns...)).describe()
	for id := range 8 {
		c := insert(id)
		c.After = append(c.After, schemas.ArrayValue(make([]schemas.Value, 3000)))
		f.send(c)
	}
	w.start(func(o *Options) { o.Batch = Limits{Bytes: 64 << 10, Rows: 1000, Age: time.Millisecond} })
	eventually(t, func() string {
		if n := len(w.db.Lines("public.orders")); n != 8 {
			return "not all of the rows came"
		}
		return ""
	})
}
