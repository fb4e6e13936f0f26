package schemas

import "fmt"

// Mapping says how tables become topics, and rows become Avro. The zero value of everything but Prefix is Debezium's.
type Mapping struct {
	// Prefix is the first part of every topic's name and of every record's namespace.
	Prefix string
	// Types says which Avro types the columns have.
	Types Types
	// Shape says what the value of a record is.
	Shape Shape
	// Placeholder is written for a value that the source did not send; "" is [Placeholder].
	Placeholder string
}

func (m Mapping) placeholder() string {
	if m.Placeholder == "" {
		return Placeholder
	}
	return m.Placeholder
}

// Types is a set of Avro types for columns.
type Types string

// The sets of types. The zero value is TypesDebezium.
const (
	// TypesDebezium are Debezium's: most of what Avro has no type for is a number or a string whose meaning stands in
	// the property connect.name. See debezium.go.
	TypesDebezium Types = "debezium"
	// TypesAvro are Avro's own logical types, without any property of Connect's. See standard.go.
	TypesAvro Types = "avro"
)

// Shape is what the value of a record is.
type Shape string

// The shapes. The zero value is ShapeEnvelope.
const (
	// ShapeEnvelope is Debezium's: before, after, source and operation.
	ShapeEnvelope Shape = "envelope"
	// ShapeRow is the new row alone; operation and source stand in headers ([HeaderOp], [HeaderSource]). See rowshape.go.
	ShapeRow Shape = "row"
)

// Validate reports a value that does not exist.
func (m Mapping) Validate() error {
	switch m.Types {
	case "", TypesDebezium, TypesAvro:
	default:
		return fmt.Errorf("types: %q is neither %s nor %s", m.Types, TypesDebezium, TypesAvro)
	}
	switch m.Shape {
	case "", ShapeEnvelope, ShapeRow:
	default:
		return fmt.Errorf("shape: %q is neither %s nor %s", m.Shape, ShapeEnvelope, ShapeRow)
	}
	return nil
}
