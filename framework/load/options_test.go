package load

import (
	"context"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/syncline-io/syncline/framework/sink"
)

func TestAPatternSaysOnceThatItLeavesQuarantineTopicsOut(t *testing.T) {
	for _, tt := range []struct {
		topics []string
		want   int
	}{
		{[]string{"shop.*", "/eu\\..*/"}, 1},
		{[]string{"shop.public.orders"}, 0},
		{[]string{"shop.*", "*.quarantine"}, 0},
	} {
		core, logs := observer.New(zap.InfoLevel)
		_, err := New(Options{
			Name: "warehouse", Topics: tt.topics, Registry: &registryModel{}, Log: zap.New(core),
			Open: func(context.Context, sink.Env) (sink.Sink, error) { return nil, nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := logs.FilterMessageSnippet(".quarantine").Len(); got != tt.want {
			t.Errorf("%q: %d lines, want %d", tt.topics, got, tt.want)
		}
	}
}
