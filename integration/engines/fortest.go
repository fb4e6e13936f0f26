package engines

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/syncline-io/syncline/framework/child"
	"github.com/syncline-io/syncline/framework/localpg"
)

// PostgresForTest returns the URL of the database postgres of a PostgreSQL server that all tests share, as superuser. A test
// that makes anything there uses [Database] instead.
func PostgresForTest(t testing.TB) string { t.Helper(); return postgresKind.forTest(t) }

// KafkaForTest returns the bootstrap address of a Kafka broker that all tests share. Names of topics, groups and
// transactional ids begin with [Unique]. Topics are not created by use.
func KafkaForTest(t testing.TB) string { t.Helper(); return kafkaKind.forTest(t) }

// RegistryForTest returns the base URL of the Confluent API of a schema registry that all tests share; its compatibility
// is BACKWARD. Names of subjects begin with [Unique].
func RegistryForTest(t testing.TB) string { t.Helper(); return registryKind.forTest(t) }

func (k Kind) forTest(t testing.TB) string {
	t.Helper()
	address, err := k.shared()
	require(t, err)
	return address
}

// NewPostgres starts a PostgreSQL server for this test alone and stops it with the test. An empty Dir is a temporary one.
func NewPostgres(t testing.TB, opt PostgresOptions) *Postgres {
	t.Helper()
	opt.Dir = folderOr(t, opt.Dir)
	p, err := StartPostgres(t.Context(), opt)
	require(t, err)
	t.Cleanup(p.Stop)
	return p
}

// NewKafka starts a broker for this test alone and stops it with the test. An empty Dir is a temporary one.
func NewKafka(t testing.TB, opt KafkaOptions) *Kafka {
	t.Helper()
	opt.Dir = folderOr(t, opt.Dir)
	k, err := StartKafka(t.Context(), opt)
	require(t, err)
	t.Cleanup(k.Stop)
	return k
}

// NewKafkaBehindProxy starts a broker for this test alone whose clients stay behind the proxy when they begin at the
// proxy's address; Kafka.Address goes around it.
func NewKafkaBehindProxy(t testing.TB, opt KafkaOptions) (*Kafka, *Proxy) {
	t.Helper()
	port, err := child.FreePort()
	require(t, err)
	opt.Proxied = loopback(port)
	k := NewKafka(t, opt)
	return k, newProxy(t, opt.Proxied, k.ProxiedUpstream())
}

// NewRegistry starts a schema registry for this test alone and stops it with the test. An empty Dir is a temporary one.
func NewRegistry(t testing.TB, opt RegistryOptions) *Registry {
	t.Helper()
	opt.Dir = folderOr(t, opt.Dir)
	r, err := StartRegistry(t.Context(), opt)
	require(t, err)
	t.Cleanup(r.Stop)
	return r
}

// require ends the test on an error: as skipped when the machine lacks the programs of an engine, unless this is CI.
func require(t testing.TB, err error) {
	t.Helper()
	switch {
	case err == nil:
	case errors.Is(err, ErrMissing) && os.Getenv("CI") != "true":
		t.Skipf("%v; `make deps` installs what the tests need", err)
	default:
		t.Fatal(err)
	}
}

func folderOr(t testing.TB, dir string) string {
	t.Helper()
	if dir != "" {
		return dir
	}
	dir, err := TemporaryFolder()
	require(t, err)
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Logf("remove the engine's folder: %v", err)
		}
	})
	return filepath.Join(dir, "engine")
}

// Database makes an empty database on the server of PostgresForTest and returns its URL. With the test it is dropped, and so
// are its replication slots, which would hold the log of the whole server.
func Database(t testing.TB) string {
	t.Helper()
	server := PostgresForTest(t)
	name := Unique(t)
	require(t, localpg.CreateDatabase(t.Context(), server, name))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := dropDatabase(ctx, server, name); err != nil {
			t.Logf("drop database %s: %v", name, err)
		}
	})
	u, err := url.Parse(server)
	require(t, err)
	u.Path = "/" + name
	return u.String()
}

// dropDatabase ends all sessions, then drops slots and database. A session that is being ended holds its slot a moment longer.
func dropDatabase(ctx context.Context, server, name string) error {
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	const endSessions = `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1`
	if _, err := conn.Exec(ctx, endSessions, name); err != nil {
		return err
	}
	const dropSlots = `SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = $1 AND NOT active`
	if _, err := conn.Exec(ctx, dropSlots, name); err != nil {
		return err
	}
	_, err = conn.Exec(ctx, "DROP DATABASE IF EXISTS "+pgx.Identifier{name}.Sanitize()+" WITH (FORCE)")
	return err
}

// Unique returns a name that no other test and no other run has, with the test's name in it: at most 40 bytes of a-z, 0-9 and
// underscore, beginning with a letter; fit for a database, a slot, a topic prefix, a consumer group.
func Unique(t testing.TB) string {
	var b [4]byte
	rand.Read(b[:])
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		default:
			return '_'
		}
	}, strings.TrimPrefix(t.Name(), "Test"))
	return "t_" + name[:min(len(name), 29)] + "_" + hex.EncodeToString(b[:])
}

// DatabaseWithPostGIS is [Database] on a server that has the extension postgis: on one without it the test is skipped, or fails
// where everything must be there.
func DatabaseWithPostGIS(t testing.TB) string {
	t.Helper()
	address := Database(t)
	conn, err := pgx.Connect(t.Context(), address)
	require(t, err)
	defer conn.Close(context.Background()) //nolint:errcheck // nothing is lost with it
	var known bool
	err = conn.QueryRow(t.Context(), "SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'postgis')").Scan(&known)
	require(t, err)
	if !known {
		require(t, fmt.Errorf("needs PostGIS: %w", ErrMissing))
	}
	return address
}
