package postgres

import (
	"context"
	"fmt"

	"github.com/syncline-io/syncline/schemas"
)

// describeSource returns the tables that cfg chooses as they are now, by name and without a version: what the source
// would publish if a change came.
func describeSource(ctx context.Context, cfg SourceConfig) ([]*schemas.Table, error) {
	server, err := newServer(cfg.URL, "syncline schema")
	if err != nil {
		return nil, err
	}
	conn, err := server.session(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close(context.Background()) //nolint:errcheck // it was only read from
	chosen, err := chooseTables(ctx, conn, cfg)
	if err != nil {
		return nil, err
	}
	c := &catalog{conn: conn, database: conn.Config().Database, hide: cfg.ExcludeColumns, modes: cfg.modes()}
	var tables []*schemas.Table
	for _, name := range chosen {
		relation, err := c.relation(ctx, name.oid)
		if err != nil {
			return nil, err
		}
		if relation == nil {
			continue // dropped since it was listed
		}
		layout, err := c.layout(ctx, relation, relation.sent())
		if err != nil {
			return nil, fmt.Errorf("table %s: %w", relation, err)
		}
		tables = append(tables, layout.table)
	}
	return tables, nil
}
