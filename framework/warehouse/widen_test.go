package warehouse_test

import (
	"testing"

	"github.com/syncline-io/syncline/framework/warehouse"
	"github.com/syncline-io/syncline/schemas"
)

func kind(k schemas.Kind) schemas.Type { return schemas.Type{Kind: k} }

func decimal(precision, scale int) schemas.Type {
	return schemas.Type{Kind: schemas.Decimal, Precision: precision, Scale: scale}
}

func text(length int) schemas.Type { return schemas.Type{Kind: schemas.String, Length: length} }

func enum(labels ...string) schemas.Type { return schemas.Type{Kind: schemas.Enum, Labels: labels} }

func array(elem schemas.Type) schemas.Type { return schemas.Type{Kind: schemas.Array, Elem: &elem} }

func stamp(precision int) schemas.Type {
	return schemas.Type{Kind: schemas.TimestampTZ, Precision: precision}
}

func TestJoinHoldsTheValuesOfBothTypes(t *testing.T) {
	conflict := schemas.Type{}
	for _, c := range []struct {
		name             string
		have, want, join schemas.Type
		change           warehouse.Change
	}{
		{"equal", kind(schemas.Bool), kind(schemas.Bool), kind(schemas.Bool), warehouse.Same},
		{"int grows", kind(schemas.Int16), kind(schemas.Int64), kind(schemas.Int64), warehouse.Widen},
		{"int that is wide enough", kind(schemas.Int64), kind(schemas.Int32), kind(schemas.Int64), warehouse.Same},
		{"float grows", kind(schemas.Float32), kind(schemas.Float64), kind(schemas.Float64), warehouse.Widen},
		{"int32 does not fit into a float32", kind(schemas.Float32), kind(schemas.Int32), kind(schemas.Float64), warehouse.Widen},
		{"int64 fits into no float", kind(schemas.Float64), kind(schemas.Int64), conflict, warehouse.Conflict},
		{"int into unconstrained decimal", decimal(0, 0), kind(schemas.Int64), decimal(0, 0), warehouse.Same},
		{"int64 becomes a decimal", kind(schemas.Int64), decimal(10, 2), decimal(21, 2), warehouse.Widen},
		{"decimal precision grows", decimal(10, 2), decimal(12, 2), decimal(12, 2), warehouse.Widen},
		{"decimal scale grows and keeps the whole digits", decimal(10, 2), decimal(10, 4), decimal(12, 4), warehouse.Widen},
		{"decimal that is wide enough", decimal(12, 4), decimal(10, 2), decimal(12, 4), warehouse.Same},
		{"decimal becomes unconstrained", decimal(10, 2), decimal(0, 0), decimal(0, 0), warehouse.Widen},
		{"string grows", text(10), text(20), text(20), warehouse.Widen},
		{"string becomes unbounded", text(10), text(0), text(0), warehouse.Widen},
		{"unbounded holds a bounded string", text(0), text(10), text(0), warehouse.Same},
		{"a label in a text", text(0), enum("a"), text(0), warehouse.Same},
		{"a label longer than the text", text(1), enum("a", "longer"), text(6), warehouse.Widen},
		{"enum gains a label", enum("a", "c"), enum("a", "b", "c"), enum("a", "c", "b"), warehouse.Widen},
		{"enum has the labels", enum("a", "b"), enum("b"), enum("a", "b"), warehouse.Same},
		{"uuid becomes text", kind(schemas.UUID), text(0), text(0), warehouse.Widen},
		{"time precision grows", stamp(3), stamp(6), stamp(6), warehouse.Widen},
		{"array element grows", array(kind(schemas.Int32)), array(kind(schemas.Int64)), array(kind(schemas.Int64)), warehouse.Widen},
		{"array of another thing", array(kind(schemas.Int32)), array(kind(schemas.Bool)), conflict, warehouse.Conflict},
		{"zone or not is another moment", kind(schemas.Timestamp), kind(schemas.TimestampTZ), conflict, warehouse.Conflict},
		{"a number is no text", text(0), kind(schemas.Int32), conflict, warehouse.Conflict},
		{"a date is no timestamp", kind(schemas.Timestamp), kind(schemas.Date), conflict, warehouse.Conflict},
		{"an array is no element", kind(schemas.Int32), array(kind(schemas.Int32)), conflict, warehouse.Conflict},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := warehouse.Fit(c.have, c.want); got != c.change {
				t.Errorf("Fit(%v, %v) = %v, want %v", c.have, c.want, got, c.change)
			}
			got, ok := warehouse.Join(c.have, c.want)
			if ok != (c.change != warehouse.Conflict) || ok && !got.Equal(c.join) {
				t.Errorf("Join(%v, %v) = %v, %v, want %v", c.have, c.want, got, ok, c.join)
			}
			if again := warehouse.Fit(got, c.want); ok && again != warehouse.Same {
				t.Errorf("the joined type %v does not hold %v: %v", got, c.want, again)
			}
		})
	}
}

func TestQuotingKeepsWhatIsInside(t *testing.T) {
	if got, want := warehouse.QuoteTable("a b", `x"y`), `"a b"."x""y"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := warehouse.QuoteText(`it's \n`), `'it''s \n'`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
