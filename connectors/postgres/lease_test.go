package postgres

import (
	"testing"

	"github.com/syncline-io/syncline/framework/source"
)

func TestProgressTellsOfTheStreamOnlyWhenItHasBegun(t *testing.T) {
	var got source.Progress
	s := &pgSource{env: source.Env{Progress: func(p source.Progress) { got = p }}}
	if s.tellProgress(5); got.Phase != "" || got.LogBehind != -1 {
		t.Errorf("before the slot is there: %+v", got)
	}
	s.progress.read.Store(3)
	if s.tellProgress(5); got.Phase != "stream" || got.LogBehind != 2 {
		t.Errorf("while streaming: %+v", got)
	}
	s.progress.snapshot.Store(true)
	if s.tellProgress(5); got.Phase != "snapshot" {
		t.Errorf("while reading tables: %+v", got)
	}
}
