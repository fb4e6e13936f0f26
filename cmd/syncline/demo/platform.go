package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"

	"github.com/syncline-io/syncline/framework/embedded"
	"github.com/syncline-io/syncline/framework/localpg"
)

// platform is the servers that the demo needs.
type platform struct {
	postgres         *localpg.Server // nil when the user gave one
	broker           *embedded.Server
	shopURL, copyURL string
}

// The databases of the demo.
const (
	shopDatabase = "syncline_demo_shop"
	copyDatabase = "syncline_demo_copy"
)

func startPlatform(ctx context.Context, o Options) (p *platform, err error) {
	p = &platform{}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.Close())
		}
	}()
	base := o.PostgresURL
	if base == "" {
		start := time.Now()
		p.postgres, err = localpg.Start(ctx, localpg.Options{Dir: filepath.Join(o.Dir, "postgres"), Fsync: true})
		if err != nil {
			return nil, hint(err, "install PostgreSQL, as root: apt-get install postgresql; or name a server with --postgres-url")
		}
		base = p.postgres.URL("")
		fmt.Fprintf(o.Out, "postgres   started in %.1f s, port %d\n", time.Since(start).Seconds(), p.postgres.Port())
	}
	if p.shopURL, err = withDatabase(base, shopDatabase); err != nil {
		return nil, err
	}
	if p.copyURL, err = withDatabase(base, copyDatabase); err != nil {
		return nil, err
	}
	for _, db := range []string{shopDatabase, copyDatabase} {
		if err := localpg.CreateDatabase(ctx, base, db); err != nil {
			return nil, err
		}
	}
	log := zap.NewNop()
	if p.broker, err = embedded.Start(ctx, embedded.Config{Dir: filepath.Join(o.Dir, "broker"), Log: log}); err != nil {
		return nil, fmt.Errorf("embedded broker: %w", err)
	}
	fmt.Fprintf(o.Out, "kafka      embedded at %s, registry at %s\n", p.broker.Brokers()[0], p.broker.RegistryURL())
	return p, nil
}

func withDatabase(base, name string) (string, error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme == "" {
		return "", hint(errors.New("--postgres-url is no URL"), "write postgres://user@host/database")
	}
	u.Path = "/" + name
	return u.String(), nil
}

// Close stops what startPlatform started, the broker first.
func (p *platform) Close() error {
	var err error
	if p.broker != nil {
		err = p.broker.Close()
	}
	if p.postgres != nil {
		p.postgres.Stop()
	}
	return err
}

func (p *platform) openShop(ctx context.Context, out io.Writer) error {
	c, err := pgx.Connect(ctx, p.shopURL)
	if err != nil {
		return fmt.Errorf("connect to the shop: %w", err)
	}
	defer c.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing is lost with this connection
	start := time.Now()
	made, err := makeShop(ctx, c)
	if err != nil {
		return err
	}
	if made {
		fmt.Fprintf(out, "shop       %d rows in %d tables made in %.1f s\n", shopRows, len(shopTables), time.Since(start).Seconds())
	} else {
		fmt.Fprintln(out, "shop       is there from a run that did not end; going on with it")
	}
	return nil
}

// breakCopy changes one value in the copy.
func (p *platform) breakCopy(ctx context.Context, out io.Writer) error {
	c, err := pgx.Connect(ctx, p.copyURL)
	if err != nil {
		return fmt.Errorf("connect to the copy: %w", err)
	}
	defer c.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing is lost with this connection
	var id int64
	err = c.QueryRow(ctx, "UPDATE public.customers SET email = 'broken@example.com' WHERE id = (SELECT min(id) FROM public.customers) RETURNING id").Scan(&id)
	if err != nil {
		return fmt.Errorf("break the copy: %w", err)
	}
	fmt.Fprintf(out, "break      public.customers id=%d of the copy has another email now\n", id)
	return nil
}

// invite says what to try while everything stays up.
func (p *platform) invite(out io.Writer, f files) {
	broker, registry := p.broker.Brokers()[0], p.broker.RegistryURL()
	fmt.Fprintf(out, `
Everything stays up; Ctrl-C ends it. Try, in another terminal:

  psql %q                      # the shop: change something
  psql %q                      # the copy: see it arrive
  kcat -b %s -L                                            # the topics
  kcat -b %s -t shop.public.customers -C -o -5 -e -s value=avro -r %s
  curl %s/subjects                                          # the schemas
`, p.shopURL, p.copyURL, broker, broker, registry, registry)
	if f.DuckDB != "" {
		fmt.Fprintf(out, "  duckdb %s  # after Ctrl-C: SELECT tier, count(*) FROM shop.customers GROUP BY 1\n", f.DuckDBFile)
	}
	fmt.Fprintf(out, "  The configurations are %s and its neighbours.\n", f.Source)
}
