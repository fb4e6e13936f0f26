create table "target"."log" (
	"n" numeric,
	"j" json,
	"p" point
);

create temporary table pg_temp.syncline_stage_1 (
	op int2 not null,
	c1 numeric,
	c2 json,
	c3 text
) on commit delete rows;

copy pg_temp.syncline_stage_1 from stdin (format binary);

copy "target"."log" ("n", "j", "p") from stdin (format binary);

insert into "target"."log" as t ("n", "j", "p")
select s.c1, s.c2, s.c3::point
from pg_temp.syncline_stage_1 s
where s.op in (0, 2);

insert into "target"."log" ("n", "j", "p") values ($1, $2, $3);

delete from "target"."log" where ctid = (select t.ctid from "target"."log" t where row(t."n", t."j", t."p")::record operator(pg_catalog.*=) row($1::numeric, $2::json, $3::point)::record limit 1);
