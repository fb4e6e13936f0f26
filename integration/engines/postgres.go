package engines

import (
	"context"
	"errors"
	"fmt"

	"github.com/syncline-io/syncline/framework/localpg"
)

// Postgres is a PostgreSQL server; its package documents what it is and how it lives.
type Postgres = localpg.Server

// PostgresOptions say what PostgreSQL server to run. Only Dir is required.
type PostgresOptions = localpg.Options

// StartPostgres starts a PostgreSQL server with the data that its folder holds. As root the server runs as another user, who
// must be able to enter the parents of the folder. ctx bounds the start and not the server's life.
func StartPostgres(ctx context.Context, opt PostgresOptions) (*Postgres, error) {
	s, err := localpg.Start(ctx, opt)
	if errors.Is(err, localpg.ErrNotInstalled) {
		return nil, fmt.Errorf("needs PostgreSQL: %w: %w", ErrMissing, err)
	}
	return s, err
}
