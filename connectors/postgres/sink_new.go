package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/syncline-io/syncline/framework/crash"
	"github.com/syncline-io/syncline/framework/sink"
)

// newRows decides whether rows that should be new are copied straight into the table, without staging and merge: a third of
// the work. One row that is there already makes the whole COPY fail and the merge do it again, so a table in which that
// happens is left alone for some batches, twice as many each time.
type newRows struct {
	// possible says that COPY can do it: every column takes the values as they are sent, and a unique index on the key, which
	// the merge would insist on, refuses what is there.
	possible bool
	pause    int // batches left to leave out
	failures int // in a row
}

// newRowsPauseMax bounds the pause, in batches, as a power of two.
const newRowsPauseMax = 10

func (n *newRows) worthATry() bool {
	if n.pause > 0 {
		n.pause--
		return false
	}
	return n.possible
}

func (n *newRows) failed() {
	n.failures++
	n.pause = 1 << min(n.failures, newRowsPauseMax)
}

// addNew copies rows that should be new into the table. It reports false when the server refused some row, for whatever
// reason: the transaction is then as before, and the merge finds out which one, and whether it matters.
func (w *sinkWriter) addNew(ctx context.Context, rows []sink.Row) (bool, error) {
	if err := w.session.exec(ctx, "savepoint new_rows"); err != nil {
		return false, err
	}
	err := w.copy(ctx, w.plan.copyTarget(), rows, nil)
	crash.Point("postgres-sink.new-rows-copied")
	if err == nil {
		w.plan.new.failures = 0
		return true, w.session.exec(ctx, "release savepoint new_rows")
	}
	if _, refused := errors.AsType[*pgconn.PgError](err); !refused {
		return false, err
	}
	w.plan.new.failed()
	return false, w.session.exec(ctx, "rollback to savepoint new_rows; release savepoint new_rows")
}
