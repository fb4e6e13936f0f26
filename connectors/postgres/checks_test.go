package postgres

import (
	"strings"
	"testing"

	"github.com/syncline-io/syncline/framework/failure"
)

func TestTablesThatWouldShareATopicAreRefusedAtTheStart(t *testing.T) {
	d := newDatabase(t)
	d.exec(`create table "a b" (id int primary key); create table a_b (id int primary key); create table "A_b" (id int primary key);
		create table "a.b" (id int primary key)`)
	cfg := d.config()
	_, err := newSource(t.Context(), cfg, d.env())
	if err == nil || failure.Classify(err) != failure.Config || !strings.Contains(err.Error(), "public.a b and public.a_b have the same topic") {
		t.Errorf("got %v", err)
	}
	cfg.ExcludeTables = []string{"public.a b"}
	src, err := newSource(t.Context(), cfg, d.env())
	if err != nil {
		t.Fatal(err)
	}
	if err := src.Close(); err != nil {
		t.Error(err)
	}
}
