package run

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/load"
	"github.com/syncline-io/syncline/framework/verify"
	"github.com/syncline-io/syncline/schemas"
)

// side is one side of a comparison, opened.
type side struct {
	reader verify.Reader
	// A source's.
	lister verify.Lister
	prefix string
	// A sink's.
	topics []string
	naming load.Naming
}

// Verify compares the tables that the source's file chooses, as far as the sink consumes their topics, with the sink's
// target; it compares again for as long as wait while they differ. Differences are in the result; an error says that
// the comparison could not be made.
func Verify(ctx context.Context, known []Connector, sourceFile, sinkFile string, wait time.Duration) (*verify.Result, error) {
	from, err := openSide(ctx, known, sourceFile)
	if err != nil {
		return nil, err
	}
	defer from.reader.Close() //nolint:errcheck // it was only read from
	to, err := openSide(ctx, known, sinkFile)
	if err != nil {
		return nil, err
	}
	defer to.reader.Close() //nolint:errcheck // it was only read from
	if from.lister == nil || to.lister != nil {
		return nil, failure.As(failure.Config, fmt.Errorf("%s and %s are not a source and a sink", sourceFile, sinkFile),
			"name the source's file first, then the sink's")
	}
	pairs, err := pair(ctx, from, to)
	if err != nil {
		return nil, err
	}
	return verify.Run(ctx, verify.Options{Source: from.reader, Target: to.reader, Pairs: pairs, Wait: wait})
}

func openSide(ctx context.Context, known []Connector, file string) (*side, error) {
	d, c, err := choose(known, file)
	if err != nil {
		return nil, err
	}
	s, err := c.compare(ctx, d, Platform{Brokers: []string{"unused:0"}, RegistryURL: "http://unused"})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return s, nil
}

// pair names each table of the source whose topic the sink consumes at both sides.
func pair(ctx context.Context, from, to *side) ([]verify.Pair, error) {
	names, err := from.lister.Tables(ctx)
	if err != nil {
		return nil, err
	}
	var pairs []verify.Pair
	for _, n := range names {
		topic := schemas.TopicName(from.prefix, n.Schema, n.Table)
		if !load.Consumes(to.topics, topic) {
			continue
		}
		schema, table, key := to.naming.Names(topic, &schemas.Table{Schema: n.Schema, Name: n.Table})
		pairs = append(pairs, verify.Pair{Source: n, Target: verify.Name{Schema: schema, Table: table}, Key: key})
	}
	if len(pairs) == 0 {
		return nil, failure.As(failure.Config, errors.New("the sink consumes none of the source's topics"),
			fmt.Sprintf("the source's topics begin with %q; the sink's topics are %v", from.prefix, to.topics))
	}
	return pairs, nil
}
