package postgres

import (
	"strings"
	"testing"

	"github.com/syncline-io/syncline/framework/sink"
	"github.com/syncline-io/syncline/integration/engines"
	"github.com/syncline-io/syncline/schemas"
)

// The real PostGIS and pgvector at both sides: values go over the wire, as from a topic, into columns of their types, and into
// text where the target has no such extension.

const geometries = `create extension if not exists postgis schema public; create schema source;
create table source.places (pk int primary key, g public.geometry, p public.geometry(Point,4326), z public.geometry(PointZ,4326) not null, ga public.geometry[], gg public.geography, gp public.geography(Point,4326), gga public.geography[], bx public.box2d, bx3 public.box3d);
set search_path = public;
insert into source.places values
	(1, 'LINESTRING(0 0,1 1)', 'SRID=4326;POINT(1 2)', 'SRID=4326;POINT Z (1 2 3)', array['POINT(1 2)'::geometry, 'SRID=4326;POINT(3 4)'], 'POINT(5 6)', 'POINT(7 8)', array['POINT(9 10)'::geography, null], 'BOX(1 2,3 4)', 'BOX3D(1 2 3,4 5 6)'),
	(2, 'GEOMETRYCOLLECTION EMPTY', 'SRID=4326;POINT EMPTY', 'SRID=4326;POINT Z (1 2 3)', '{}', 'GEOMETRYCOLLECTION(POINT(1 2),LINESTRING(0 0,1 1))', null, null, null, null),
	(3, 'SRID=4326;MULTIPOLYGON(((0 0,4 0,4 4,0 4,0 0),(1 1,2 1,2 2,1 2,1 1)),((5 5,6 5,6 6,5 5)))', null, 'SRID=4326;POINT Z (-0 1e-300 1e300)', null, null, null, null, null, null);
set search_path = pg_catalog`

const vectors = `create extension if not exists vector schema public; create schema source; set search_path = public;
create table source.places (pk int primary key, v vector(3), u vector not null, h halfvec(3), s sparsevec(5), sn sparsevec not null, va vector[], ha halfvec[], sa sparsevec[]);
insert into source.places values
	(1, '[1,2.5,-3]', '[0.1,1e-10,3.4e38]', '[1,2.5,65504]', '{1:1,3:2.5,5:-3}/5', '{1:0.1}/1', array['[1,2]'::vector, '[3]'], array['[1,2]'::halfvec], array['{1:1}/2'::sparsevec, '{}/3']),
	(2, null, '[0,-0,16777217]', null, null, '{}/3', '{}', null, null), (3, null, '[1]', null, '{2:3.4028235e+38}/5', '{1:1,16000:2}/16000', null, null, null);
set search_path = pg_catalog`

func TestTheTypesOfPostGISArrive(t *testing.T) {
	f := sinkFixtureAt(t, engines.DatabaseWithPostGIS(t))
	f.exec(geometries)
	f.arrives("integer public.geometry public.geometry(Point,4326) public.geometry(PointZ,4326) public.geometry[] public.geography public.geography(Point,4326) public.geography[] public.box2d public.box3d")
}

func TestTheTypesOfPgvectorArrive(t *testing.T) {
	f := sinkFixtureAt(t, engines.NewPostgresWithVector(t).URL(""))
	f.exec(vectors)
	f.arrives("integer public.vector(3) public.vector public.halfvec(3) public.sparsevec(5) public.sparsevec public.vector[] public.halfvec[] public.sparsevec[]")
}

// arrives writes source.places into a target that has the types, in small and in bulk, and into one that has not.
func (f *sinkFixture) arrives(types string) {
	f.t.Helper()
	table, rows := f.source("source", "places", 1)
	rows = f.travel(table, rows)
	f.evolve(table)
	if got := f.typesOf("places"); got != types {
		f.t.Errorf("types %s\nwant  %s", got, types)
	}
	f.write(table, rows...)
	f.same("places")
	f.write(table, repeatRows(rows)...)
	f.exec("delete from target.places where pk >= 1000")
	f.same("places")

	bare := newSinkFixture(f.t)
	bare.evolve(table)
	if got := bare.typesOf("places"); strings.Contains(got, "public.") {
		f.t.Errorf("types %s without the extension", got)
	}
	bare.write(table, rows...)
	for i := range table.Columns {
		c := `"` + table.Columns[i].Name + `"`
		text := c + "::text"
		if strings.HasSuffix(table.Columns[i].SourceType, "[]") {
			text = c + "::text[]::text"
		}
		bare.want("select "+c+"::text from target.places order by pk", f.text("select "+text+" from source.places order by pk"))
	}
}

// travel sends rows through a topic's records, but for values that would be in headers.
func (f *sinkFixture) travel(table *sink.Table, rows []sink.Row) []sink.Row {
	f.t.Helper()
	encoder, err := schemas.NewEncoder(table.Source, schemas.Mapping{Prefix: "x"})
	if err != nil {
		f.t.Fatal(err)
	}
	decoder, err := schemas.NewDecoder(encoder.ValueSchema(), table.Source)
	if err != nil {
		f.t.Fatal(err)
	}
	arena, out := &schemas.Arena{}, []sink.Row(nil)
	for _, r := range rows {
		wire, err := encoder.AppendValue(nil, &schemas.Change{Table: table.Source, Op: schemas.Create, After: r.Values}, 0)
		if err != nil {
			f.t.Fatal(err)
		}
		if beside := encoder.Beside(); len(beside.RawAfter) > 0 {
			f.t.Errorf("%s is beside the record", beside.RawAfter[0].Text)
		}
		var c schemas.Change
		if err := decoder.Decode(wire[5:], &c, arena); err != nil {
			f.t.Fatal(err)
		}
		r.Values = c.After
		out = append(out, r)
	}
	return out
}
