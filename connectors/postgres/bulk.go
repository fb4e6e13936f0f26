package postgres

import (
	"bufio"
	"context"
	"io"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"
)

// bulkRead is how much a bulk session reads at once, when that much has arrived: pgconn's own buffer takes 8 KB, some
// thirty rows, and every read wakes the server.
const bulkRead = 256 << 10

// bulk opens a session that COPY reads through.
func (s *server) bulk(ctx context.Context) (*pgx.Conn, error) {
	c := s.config.Copy()
	c.BuildFrontend = func(r io.Reader, w io.Writer) *pgproto3.Frontend {
		return pgproto3.NewFrontend(bufio.NewReaderSize(r, bulkRead), w)
	}
	conn, err := pgx.ConnectConfig(ctx, c)
	if err != nil {
		return nil, s.connectError(err)
	}
	return conn, nil
}
