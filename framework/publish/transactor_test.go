package publish

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestATransactionEndsWhenTheClientKnowsItsTopics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tr transactor
		for _, topic := range []string{"", "b", "a", "b"} {
			tr.meet(topic)
		}
		var asked []string
		late := func(topic string) bool {
			asked = append(asked, topic)
			return len(asked) > 2
		}
		if err := tr.settle(t.Context(), late); err != nil || !slices.Equal(asked, []string{"b", "b", "b", "a"}) {
			t.Errorf("asked about %q, want b until it is stored, and then a: %v", asked, err)
		}
		tr.meet("a")
		if err := tr.settle(t.Context(), func(string) bool { panic("a topic is asked about again") }); err != nil {
			t.Error(err)
		}
		tr.meet("c")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := tr.settle(ctx, func(string) bool { return false }); err == nil {
			t.Error("no error at the end of the context")
		}
	})
}
