package types

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/syncline-io/syncline/integration/engines"
)

// asText are the columns of testdata/types.sql with values that DuckDB's types do not hold: NaN in a DECIMAL; arrays with
// several dimensions, or with bounds of their own.
const asText = "types.t_num.*, types.t_arr.i, types.t_arr.t, types.t_arr.i2"

// withExtensions makes a database that has the extensions of testdata/types.sql. The targets of the handling modes have none,
// so that their columns are text.
func withExtensions(t *testing.T) (url string) {
	t.Helper()
	url = engines.Database(t)
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context()) //nolint:errcheck // nothing is lost with it
	for _, name := range []string{"hstore", "citext", "ltree", "isn"} {
		if _, err := conn.Exec(t.Context(), "create extension "+name); err != nil {
			t.Fatal(err)
		}
	}
	return url
}
