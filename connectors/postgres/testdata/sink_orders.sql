create table "target"."orders" (
	"id" bigint not null,
	"total" integer,
	"note" text,
	"doc" jsonb,
	primary key ("id")
);

create temporary table pg_temp.syncline_stage_1 (
	op int2 not null,
	c1 int8,
	c2 int4,
	c3 text,
	c4 jsonb
) on commit delete rows;

copy pg_temp.syncline_stage_1 from stdin (format binary);

copy "target"."orders" ("id", "total", "note", "doc") from stdin (format binary);

insert into "target"."orders" as t ("id", "total", "note", "doc")
select s.c1, s.c2, s.c3, s.c4
from pg_temp.syncline_stage_1 s
where s.op in (0, 2)
on conflict ("id") do update set "total" = excluded."total", "note" = excluded."note", "doc" = excluded."doc";

delete from "target"."orders" t
using pg_temp.syncline_stage_1 s
where s.op = 1 and t."id" = s.c1;

update "target"."orders" t
set "total" = s.c2, "doc" = s.c4
from pg_temp.syncline_stage_1 s
where s.op = 3 and t."id" = s.c1;

select concat_ws(', ', s.c1::text)
from pg_temp.syncline_stage_1 s
where s.op = 3 and not exists (select from "target"."orders" t where t."id" = s.c1)
limit 1;

insert into "target"."orders" ("id", "total", "note", "doc") values ($1, $2, $3, $4)
on conflict ("id") do update set "total" = excluded."total", "note" = excluded."note", "doc" = excluded."doc";

delete from "target"."orders" where "id" = $1;

update "target"."orders" set "total" = $1 where "id" = $2;
