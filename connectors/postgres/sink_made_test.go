package postgres

import (
	"strings"
	"testing"

	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/sink"
	"github.com/syncline-io/syncline/schemas"
)

// typesOf are the types of the target's columns.
func (f *sinkFixture) typesOf(table string) string {
	f.t.Helper()
	return strings.ReplaceAll(f.text("select format_type(atttypid, atttypmod) from pg_attribute where attrelid = 'target."+table+
		"'::regclass and attnum > 0 order by attnum"), "\n", " ")
}

// same compares all rows of a table at both sides, as text.
func (f *sinkFixture) same(table string) {
	f.t.Helper()
	f.want("select t::text from target."+table+" t order by t::text", f.text("select t::text from source."+table+" t order by t::text"))
}

// fakeVector makes a type like that of pgvector: with modifiers, read from its text and from nothing else.
const fakeVector = `create type public.vector;
create function public.vin(cstring, oid, int4) returns public.vector language internal immutable strict as 'varcharin';
create function public.vout(public.vector) returns cstring language internal immutable strict as 'textout';
create type public.vector (input = public.vin, output = public.vout, internallength = variable, typmod_in = varchartypmodin, typmod_out = varchartypmodout, storage = extended);
alter extension hstore add type public.vector`

func TestTypesOfExtensionsAreUsedWhereTheTargetHasThem(t *testing.T) {
	f := newSinkFixture(t)
	f.exec("create schema source; create schema ext; create extension hstore schema public; create extension citext schema ext; create extension ltree schema public; create extension isn schema public")
	f.exec(fakeVector)
	f.exec(`create domain source.tagged as public.hstore;
create table source.things (k ext.citext primary key, h public.hstore, ha public.hstore[], l public.ltree, la public.ltree[], i public.isbn, v public.vector(20), d source.tagged);
insert into source.things values ('Ab', '"a"=>"1", "b"=>NULL', '{"\"x\"=>\"1\"",NULL}', 'Top.Sub', '{A.B,C}', '0-393-04002-X', '[1,2.5,3]', 'q=>"r s"'), ('null', null, null, null, null, null, null, null)`)
	table, rows := f.source("source", "things", 1)
	f.evolve(table)
	if got, want := f.typesOf("things"), "ext.citext public.hstore public.hstore[] public.ltree public.ltree[] public.isbn public.vector(20) public.hstore"; got != want {
		t.Errorf("types %s\nwant  %s", got, want)
	}
	f.write(table, rows...)
	f.same("things")
	f.write(table, repeatTexts(rows)...)
	f.write(table, repeatTexts(rows)...)
	f.want("select count(*) from target.things", "122")
	f.exec("delete from target.things where k::text like 'k%'")
	f.same("things")
	f.write(table, row(sink.Delete, "Ab", nil, nil, nil, nil, nil, nil, nil))
	f.want("select k from target.things", "null")
	// The source forgets the length: the column follows.
	f.exec("alter table source.things alter v type public.vector")
	table, _ = f.source("source", "things", 2)
	f.evolve(table)
	if got := f.typesOf("things"); !strings.Contains(got, " public.vector ") {
		t.Errorf("types %s", got)
	}
}

// repeatTexts adds copies under other keys, which are texts, until the batch is written in bulk.
func repeatTexts(rows []sink.Row) []sink.Row {
	all := append([]sink.Row(nil), rows...)
	for n := 0; len(all) < 3*sinkBulkRows+2; n++ {
		r := rows[0]
		r.Values = append(r.Values[:0:0], r.Values...)
		r.Values[0] = value("k" + strings.Repeat("x", n))
		all = append(all, r)
	}
	return all
}

func TestKeysOfExtensionsAreCompared(t *testing.T) {
	f := newSinkFixture(t)
	f.exec("create schema source; create extension hstore schema public; create table source.tagged (k public.hstore primary key, v int); insert into source.tagged values ('a=>1', 1), ('b=>2', 2)")
	table, rows := f.source("source", "tagged", 1)
	f.evolve(table)
	f.write(table, rows...)
	f.write(table, row(sink.Delete, `"a"=>"1"`, nil))
	f.want("select * from target.tagged", `"b"=>"2"|2`)
	var many []sink.Row
	for range 2 * sinkBulkRows {
		many = append(many, row(sink.Delete, `"b"=>"2"`, nil))
	}
	f.write(table, many...)
	f.want("select * from target.tagged", "")
}

func TestTypesOfExtensionsAreTextWhereTheTargetLacksThem(t *testing.T) {
	f := newSinkFixture(t)
	text := schemas.Type{Kind: schemas.String, Form: schemas.FormHstore}
	source := &schemas.Table{System: "postgresql", Schema: "source", Name: "things", ID: 7, Version: 1, Columns: []schemas.Column{
		{ID: 1, Name: "id", Type: schemas.Type{Kind: schemas.Int32}, SourceType: "integer", Key: 1},
		{ID: 2, Name: "h", Type: text, SourceType: "public.hstore", Nullable: true},
		{ID: 3, Name: "ha", Type: schemas.Type{Kind: schemas.Array, Elem: &text}, SourceType: "public.hstore[]", Nullable: true},
		{ID: 4, Name: "g", Type: schemas.Type{Kind: schemas.String, Form: schemas.FormGeometry}, SourceType: "public.geometry(Point,4326)", Nullable: true},
	}}
	f.evolve(targetOf(source))
	if got := f.typesOf("things"); got != "integer text text[] text" {
		t.Errorf("types %s", got)
	}
	// An extension that comes later changes no column: that is for its owner to do.
	f.exec("create extension hstore schema public")
	f.evolve(targetOf(source))
	if got := f.typesOf("things"); got != "integer text text[] text" {
		t.Errorf("types %s after the extension was created", got)
	}
	f.exec("alter table target.things alter h type public.hstore using h::public.hstore")
	f.evolve(targetOf(source))
	f.write(targetOf(source), row(sink.Upsert, 1, `"a"=>"1"`, nil, nil))
	f.want("select h operator(public.->) 'a' from target.things", "1")
}

const compositeSource = `create schema source; create extension citext schema public;
create type source.mood as enum ('sad', 'ok');
create domain source.price as numeric(10,2) check (value >= 0); create domain source.price2 as source.price; create domain source.tags as text[];
create type source.addr as (street text, "Zip Code" int, p source.price, m source.mood, ci public.citext);
create type source.person as (name varchar(20), home source.addr, since date[]);
create domain source.home as source.addr;
create table source.people (id int primary key, a source.addr, aa source.addr[], p source.person, d source.home, pr source.price2, pa source.price[], ta source.tags[]);
insert into source.people values
	(1, row('x, "y" \ (z)', 5, 1.50, 'ok', 'Ci'), array[row('a', 1, null, null, null), null, row(null, null, null, null, null)]::source.addr[],
		row('n', row('s', null, 2, 'sad', 'c'), '{2020-01-01,infinity}'), row('d', 1, 1, 'ok', ''), 1.5, '{1.50,NULL}', array['{a,b}', '{c}']::source.tags[]),
	(2, null, null, null, null, null, null, null), (3, row(null, null, null, null, null), '{}', row(null, null, null), null, 0, '{}', '{}')`

func TestCompositeTypesAreMade(t *testing.T) {
	f := newSinkFixture(t)
	f.exec(compositeSource)
	table, rows := f.source("source", "people", 1)
	f.evolve(table)
	if got, want := f.typesOf("people"), "integer target.addr target.addr[] target.person target.addr numeric(10,2) numeric(10,2)[] text"; got != want {
		t.Errorf("types %s\nwant  %s", got, want)
	}
	f.want("select string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' order by attnum) from pg_attribute where attrelid = 'target.addr'::regclass",
		`street text, Zip Code integer, p numeric(10,2), m text, ci public.citext`)
	f.want("select string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' order by attnum) from pg_attribute where attrelid = 'target.person'::regclass",
		`name character varying(20), home text, since date[]`)
	f.write(table, rows...)
	f.same("people")
	f.write(table, repeatRows(rows)...)
	f.exec("delete from target.people where id >= 1000")
	f.same("people")
	f.want(`select (a)."Zip Code", (aa[1]).street, (p).name from target.people where id = 1`, "5|a|n")
}

func TestACompositeTypeFollowsItsSource(t *testing.T) {
	f := newSinkFixture(t)
	f.exec("create schema source; create type source.addr as (street text, zip int); create table source.people (id int primary key, a source.addr, aa source.addr[]); insert into source.people values (1, row('s', 1), array[row('t', 2)::source.addr])")
	table, rows := f.source("source", "people", 1)
	f.evolve(table)
	f.write(table, rows...)

	f.exec("alter type source.addr add attribute country text; insert into source.people values (2, row('u', 3, 'no'), array[row('v', 4, 'se')::source.addr])")
	// A row that comes before the sink has heard of the attribute is refused, not cut.
	_, rows = f.source("source", "people", 2)
	wantError(t, f.tryWrite(table, rows[1]), failure.Refused, "attributes", "id=2", "text")
	table, rows = f.source("source", "people", 2)
	f.evolve(table)
	f.write(table, rows[1])
	f.same("people")
	f.want("select (a).country, (aa[1]).country from target.people where id = 2", "no|se")

	// A row of before the change, which comes late, is completed.
	late := row(sink.Upsert, 3, "(w,5)", `{"(\"x, \\\\ \"\"y\"\" (z)\",1)",NULL,"(,)"}`)
	f.write(table, late)
	f.want("select a, aa[1].street, aa from target.people where id = 3", `(w,5,)|x, \ "y" (z)|{"(\"x, \\\\ \"\"y\"\" (z)\",1,)",NULL,"(,,)"}`)
	f.write(table, repeatRows([]sink.Row{late})...)
	f.want("select count(*) from target.people where a::text = '(w,5,)'", "120")
	f.exec("delete from target.people where id >= 3")

	// What another version of the source's table wanted stays.
	old := *table.Source
	old.Version = 1
	f.evolve(targetOf(&old))
	f.same("people")

	f.exec("alter type source.addr drop attribute zip; insert into source.people values (4, row('only', 'x'), null)")
	table, rows = f.source("source", "people", 3)
	f.evolve(table)
	if got := f.typesOf("people"); got != "integer text text" {
		t.Errorf("types %s after an attribute was dropped", got)
	}
	f.write(table, rows...)
	f.same("people")
}

func TestArraysOfCompositeValuesAreCompleted(t *testing.T) {
	for text, want := range map[string]string{
		"{(a),NULL,()}": `{"(a,)",NULL,"(,)"}`, `[2:2]={"(a,\")\")"}`: `[2:2]={"(a,\")\",)"}`, `{{(a)},{"(\"b c\")"}}`: `{{"(a,)"},{"(\"b c\",)"}}`,
		"{NULL}": "{NULL}", "{}": "{}", "{(": "{(", `{"(a)\`: `{"(a)\`, "": "",
	} {
		if got := string(appendCompleted(nil, []byte(text), 1)); got != want {
			t.Errorf("%s becomes %s, want %s", text, got, want)
		}
	}
}

func TestAnAttributeThatAnotherMemberAddsIsSeen(t *testing.T) {
	f := newSinkFixture(t)
	f.exec("create schema source; create type source.addr as (street text, zip int); create table source.people (id int primary key, a source.addr); insert into source.people values (1, row('s', 1))")
	table, rows := f.source("source", "people", 1)
	f.evolve(table)
	f.write(table, rows...)
	f.exec("alter type target.addr add attribute country text")
	f.write(table, row(sink.Upsert, 2, "(late,2)"))
	f.want("select * from target.people order by id", "1|(s,1,)\n2|(late,2,)")
}

func TestACompositeTypeOfSomebodyElseIsNotTaken(t *testing.T) {
	f := newSinkFixture(t)
	f.exec(compositeSource)
	f.exec("create schema target; create type target.addr as (x int); create type target.person as enum ('a')")
	table, rows := f.source("source", "people", 1)
	f.evolve(table)
	if got, want := f.typesOf("people"), "integer text text text text numeric(10,2) numeric(10,2)[] text"; got != want {
		t.Errorf("types %s\nwant  %s", got, want)
	}
	f.write(table, rows...)
	f.same("people")
}

func TestRowsOfTablesAreTextInAColumn(t *testing.T) {
	f := newSinkFixture(t)
	f.exec(`create schema source; create table source.address (street text primary key, zip int); create domain source.home as source.address;
create table source.customer (id int primary key, home source.address, more source.address[], d source.home);
insert into source.address values ('s', 1); insert into source.customer values (1, row('s', 1), array[row('t', null)::source.address], row('u', 2))`)
	for _, name := range []string{"customer", "address"} {
		table, rows := f.source("source", name, 1)
		f.evolve(table)
		f.write(table, rows...)
		f.same(name)
	}
	if got := f.typesOf("customer"); got != "integer text text text" {
		t.Errorf("types %s", got)
	}

	// A record of a source that took the type of the rows for one of its own, where the table is there already.
	table, _ := f.source("source", "customer", 2)
	table.Name = "another"
	table.Columns[1].Types = []schemas.UserType{{Name: "source.address", Attributes: []schemas.Attribute{{Name: "street", Type: "text"}, {Name: "zip", Type: "integer"}}}}
	f.evolve(table)
	if got := f.typesOf("another"); got != "integer text text text" {
		t.Errorf("types %s", got)
	}
}

func TestCompositeTypesOfOneNameAreNotMixed(t *testing.T) {
	f := newSinkFixture(t)
	f.exec(`create schema source; create schema a; create schema b;
create type a.addr as (street text, zip text); create type b.addr as (lat float8, lon float8, alt float8);
create type a.people as (name text); create type a.mood as (x int); create type b.mood as enum ('sad');
create table source.people (id int primary key, x a.addr, y b.addr, own a.people, m a.mood, e b.mood);
insert into source.people values (1, row('s', 1), row(1, 2, 3), row('me'), row(1), 'sad')`)
	table, rows := f.source("source", "people", 1)
	f.evolve(table)
	if got, want := f.typesOf("people"), "integer target.addr text text text target.mood"; got != want {
		t.Errorf("types %s\nwant  %s", got, want)
	}
	f.want("select count(*) from pg_attribute where attrelid = 'target.addr'::regclass", "2")
	f.write(table, rows...)
	f.same("people")
}

// TestAColumnThatWasMadeAsTextStaysText is about targets that older versions have made.
func TestAColumnThatWasMadeAsTextStaysText(t *testing.T) {
	f := newSinkFixture(t)
	f.exec(compositeSource)
	f.exec("create schema target; create table target.people (id int primary key, a text, aa text, p text, d text, pr text, pa text, ta text)")
	table, rows := f.source("source", "people", 1)
	table.Columns[5].Type = schemas.Type{Kind: schemas.String} // pr is a number, which is not what this is about
	f.evolve(table)
	if got := f.typesOf("people"); got != "integer text text text text text text text" {
		t.Errorf("types %s", got)
	}
	for i := range rows {
		rows[i].Values[5] = schemas.Null()
	}
	f.exec("update source.people set pr = null")
	f.write(table, rows...)
	f.same("people")
}

func TestAttributesAreCountedInTheText(t *testing.T) {
	for text, want := range map[string]int{
		"(a,b)": 2, "()": 1, "(,)": 2, `("x, ""y"" (z)",12345)`: 2, `("a\"",,"\\")`: 3, "(a)": 1, "": 0,
		`{"(a,1)",NULL}`: 2, `{NULL,"(\"x, \"\"y\"\" (z)\",12345,)"}`: 3, "{}": 0, "{NULL}": 0, "{(a),(b)}": 1, `[2:2]={"(,)"}`: 2,
		`{"(\"a\\\\\"\"b\",c)"}`: 2,
	} {
		if got := countAttributes([]byte(text)); got != want {
			t.Errorf("%s has %d attributes, want %d", text, got, want)
		}
	}
}

func wantError(t *testing.T, err error, class failure.Class, parts ...string) {
	t.Helper()
	if failure.Classify(err) != class {
		t.Fatalf("error of class %v, want %v: %v", failure.Classify(err), class, err)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in the error: %v", part, err)
		}
	}
}

// TestTheNameOfATypeIsNoStatement: whoever may make a schema at the source chooses what stands in the text of a type.
func TestTheNameOfATypeIsNoStatement(t *testing.T) {
	f := newSinkFixture(t)
	f.exec(`create schema source; create extension hstore schema public; create table source.things (id int primary key)`)
	table, _ := f.source("source", "things", 1)
	f.evolve(table)
	const schema = `"x.hstore(1); create table target.pwned (); --"`
	f.exec("create schema " + schema + "; create type " + schema + ".r as range (subtype = int4); alter table source.things add r " + schema + ".r")
	table, _ = f.source("source", "things", 2)
	f.evolve(table)
	if got := f.typesOf("things"); got != "integer text" {
		t.Errorf("types %s", got)
	}
	f.want("select to_regclass('target.pwned') is null", "t")

	// What a program may write to the tables topic.
	for _, text := range []string{
		"interval day; drop table things; --", "numeric(1; drop table things; --)", "public.geometry(1); drop table things; --)",
		"public.geometry(Point,'x')", "varchar(1/**/)",
	} {
		if typ, ok := parseSinkType(text); ok {
			t.Errorf("%s is a type: %s", text, typ)
		}
		if typ, ok := parseExtensionType(text); ok {
			t.Errorf("%s is a type of an extension: %s", text, typ)
		}
	}
	for text, want := range map[string]string{
		"interval day to second(3)": "interval day to second(3)", "numeric(3,-3)": "numeric(3,-3)", "interval(0)": "interval(0)",
	} {
		if typ, ok := parseSinkType(text); !ok || typ.String() != want {
			t.Errorf("%s is read as %s", text, typ)
		}
	}
	if typ, ok := parseExtensionType(`"odd (one".geometry(PointZ,4326)[]`); !ok || typ.name != "geometry" || typ.mods != "PointZ,4326" || !typ.array {
		t.Errorf("a quoted schema is read as %+v", typ)
	}
}
