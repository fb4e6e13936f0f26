// Package evolution holds docs/schema-evolution.md to what happens: which changes of a table each compatibility level of
// a registry takes. The changes are made in PostgreSQL, the schemas are those that the source would register, and the
// verdicts are asked of our own check and of a registry.
//
// Files: changes.go lists the changes; table.go judges them and writes the page's table.
package evolution

// change is what somebody does to a table that is published already.
type change struct {
	title string
	// statements are run one after the other; every one but the last has been accepted before.
	statements []string
}

// setup makes the table that every change begins with.
const setup = `
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TABLE item (
	id int PRIMARY KEY,
	name text NOT NULL,
	note text,
	counted int NOT NULL DEFAULT 0,
	qty int NOT NULL,
	ratio real,
	amount numeric(10,2),
	code varchar(20),
	doc text,
	made timestamp(3),
	due date,
	feeling mood NOT NULL
)`

// teardown undoes it.
const teardown = `DROP TABLE IF EXISTS item; DROP TABLE IF EXISTS thing; DROP TYPE mood`

var changes = []change{
	{"add a column that can be null", []string{"ADD COLUMN extra text"}},
	{"add a column that can be null, with a default", []string{"ADD COLUMN extra int DEFAULT 7"}},
	{"add a NOT NULL column with a constant default", []string{"ADD COLUMN extra int NOT NULL DEFAULT 0"}},
	{"add a NOT NULL column whose default is computed", []string{"ADD COLUMN extra timestamptz NOT NULL DEFAULT now()"}},
	{"add a NOT NULL column without a default (to an empty table)", []string{"ADD COLUMN extra int NOT NULL"}},
	{"drop a column that can be null", []string{"DROP COLUMN note"}},
	{"drop a NOT NULL column with a constant default", []string{"DROP COLUMN counted"}},
	{"drop a NOT NULL column without a default", []string{"DROP COLUMN name"}},
	{"rename a column that can be null", []string{"RENAME note TO remark"}},
	{"rename a NOT NULL column", []string{"RENAME name TO label"}},
	{"take NOT NULL away", []string{"ALTER name DROP NOT NULL"}},
	{"add NOT NULL", []string{"ALTER note SET NOT NULL"}},
	{"add NOT NULL and a constant default", []string{"ALTER note SET NOT NULL, ALTER note SET DEFAULT ''"}},
	{"give a NOT NULL column a default", []string{"ALTER qty SET DEFAULT 1"}},
	{"change a default", []string{"ALTER counted SET DEFAULT 1"}},
	{"take a default away", []string{"ALTER counted DROP DEFAULT"}},
	{"int to bigint", []string{"ALTER qty TYPE bigint"}},
	{"int to bigint, in the key", []string{"ALTER id TYPE bigint"}},
	{"bigint back to int", []string{"ALTER qty TYPE bigint", "ALTER qty TYPE int"}},
	{"int to numeric", []string{"ALTER qty TYPE numeric(12,2)"}},
	{"int to text", []string{"ALTER qty TYPE text"}},
	{"real to double precision", []string{"ALTER ratio TYPE double precision"}},
	{"numeric: more digits", []string{"ALTER amount TYPE numeric(14,2)"}},
	{"numeric: another scale", []string{"ALTER amount TYPE numeric(14,4)"}},
	{"numeric: no limits any more", []string{"ALTER amount TYPE numeric"}},
	{"varchar: longer", []string{"ALTER code TYPE varchar(40)"}},
	{"varchar to text", []string{"ALTER code TYPE text"}},
	{"text to jsonb", []string{"ALTER doc TYPE jsonb USING doc::jsonb"}},
	{"text to int", []string{"ALTER doc TYPE int USING doc::int"}},
	{"text to bytea", []string{"ALTER doc TYPE bytea USING doc::bytea"}},
	{"text to text[]", []string{"ALTER doc TYPE text[] USING ARRAY[doc]"}},
	{"timestamp: from milliseconds to microseconds", []string{"ALTER made TYPE timestamp(6)"}},
	{"timestamp to timestamptz", []string{"ALTER made TYPE timestamptz(3)"}},
	{"date to timestamp", []string{"ALTER due TYPE timestamp"}},
	{"add a label to an enum", []string{"TYPE mood ADD VALUE 'happy'"}},
	{"rename an enum's label", []string{"TYPE mood RENAME VALUE 'ok' TO 'fine'"}},
	{"enum to text", []string{"ALTER feeling TYPE text"}},
	{"put a column into the key", []string{"DROP CONSTRAINT item_pkey, ADD PRIMARY KEY (id, qty)"}},
	{"another key", []string{"DROP CONSTRAINT item_pkey, ADD PRIMARY KEY (name)"}},
	{"take the key away", []string{"DROP CONSTRAINT item_pkey"}},
	{"replica identity full", []string{"REPLICA IDENTITY FULL"}},
	{"rename the table", []string{"RENAME TO thing"}},
	{"add a column, drop it, add it with another type", []string{"ADD COLUMN extra text", "DROP COLUMN extra", "ADD COLUMN extra int"}},
	{"drop a NOT NULL column and add it again so that it can be null", []string{"DROP COLUMN name", "ADD COLUMN name text"}},
}
