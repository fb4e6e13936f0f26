-- create

CREATE TABLE "warehouse"."shop"."or""ders" (
  "id" BIGINT,
  "part" VARCHAR,
  "total" DECIMAL(10,2),
  "any" VARCHAR,
  "at" TIMESTAMP WITH TIME ZONE,
  "doc" JSON,
  "tags" VARCHAR[],
  "every" INTERVAL
)

-- change

ALTER TABLE "warehouse"."shop"."or""ders" RENAME COLUMN "total" TO "total__moving_3"

ALTER TABLE "warehouse"."shop"."or""ders" RENAME COLUMN "any" TO "any__moving_4"

ALTER TABLE "warehouse"."shop"."or""ders" RENAME COLUMN "at" TO "at__dropped_5"

ALTER TABLE "warehouse"."shop"."or""ders" RENAME COLUMN "part" TO "piece"

ALTER TABLE "warehouse"."shop"."or""ders" RENAME COLUMN "total__moving_3" TO "any"

ALTER TABLE "warehouse"."shop"."or""ders" RENAME COLUMN "any__moving_4" TO "total"

ALTER TABLE "warehouse"."shop"."or""ders" ALTER COLUMN "any" SET DATA TYPE DECIMAL(14,4)

ALTER TABLE "warehouse"."shop"."or""ders" ADD COLUMN "at" DOUBLE DEFAULT CAST('0.5' AS DOUBLE)

ALTER TABLE "warehouse"."shop"."or""ders" ALTER COLUMN "at" DROP DEFAULT

-- stage

CREATE TEMP TABLE syncline_stage (ord BIGINT, gone BOOLEAN, keep0 UBIGINT, c0 BIGINT, c1 VARCHAR, c2 DECIMAL(10,2), c3 VARCHAR, c4 TIMESTAMP WITH TIME ZONE, c5 JSON, c6 VARCHAR[], c7 INTERVAL)

-- with key

TRUNCATE "warehouse"."shop"."or""ders"

DELETE FROM "warehouse"."shop"."or""ders" t USING syncline_stage s WHERE t."id" = s.c0 AND t."part" IS NOT DISTINCT FROM s.c1

INSERT INTO "warehouse"."shop"."or""ders" ("id", "part", "total", "any", "at", "doc", "tags", "every") SELECT s.c0, s.c1, s.c2, s.c3, s.c4, s.c5, s.c6, s.c7 FROM syncline_stage s WHERE NOT s.gone

SELECT CAST(s.c0 AS VARCHAR), CAST(s.c1 AS VARCHAR) FROM syncline_stage s WHERE (s.keep0 <> 0) AND NOT EXISTS (SELECT 1 FROM "warehouse"."shop"."or""ders" t WHERE t."id" = s.c0 AND t."part" IS NOT DISTINCT FROM s.c1) LIMIT 1

CREATE TEMP TABLE syncline_whole AS SELECT s.ord, t.rowid IS NOT NULL AS found, s.c0, s.c1, CASE WHEN s.keep0 & 4 <> 0 THEN t."total" ELSE s.c2 END AS c2, s.c3, s.c4, CASE WHEN s.keep0 & 32 <> 0 THEN t."doc" ELSE s.c5 END AS c5, s.c6, s.c7 FROM syncline_stage s LEFT JOIN "warehouse"."shop"."or""ders" t ON t."id" = s.c0 AND t."part" IS NOT DISTINCT FROM s.c1 WHERE NOT s.gone

INSERT INTO "warehouse"."shop"."or""ders" ("id", "part", "total", "any", "at", "doc", "tags", "every") SELECT w.c0, w.c1, w.c2, w.c3, w.c4, w.c5, w.c6, w.c7 FROM syncline_whole w WHERE w.found

INSERT INTO "warehouse"."shop"."or""ders" ("id", "part", "total", "any", "at", "doc", "tags", "every") SELECT w.c0, w.c1, w.c2, w.c3, w.c4, w.c5, w.c6, w.c7 FROM syncline_whole w WHERE NOT w.found

-- without key

CREATE TEMP TABLE syncline_net AS WITH s AS (SELECT ord, CASE WHEN gone THEN -1 ELSE 1 END AS delta, CAST(c0 AS BIGINT) AS c0, CAST(c1 AS VARCHAR) AS c1, CAST(c2 AS DECIMAL(10,2)) AS c2, CAST(c3 AS VARCHAR) AS c3, CAST(c4 AS TIMESTAMP WITH TIME ZONE) AS c4, CAST(c5 AS JSON) AS c5, CAST(c6 AS VARCHAR[]) AS c6, CAST(c7 AS INTERVAL) AS c7 FROM syncline_stage), run AS (SELECT *, sum(delta) OVER (PARTITION BY c0, c1, c2, c3, c4, c5, c6, CAST(c7 AS VARCHAR) ORDER BY ord) AS balance FROM s) SELECT first(c0) AS c0, first(c1) AS c1, first(c2) AS c2, first(c3) AS c3, first(c4) AS c4, first(c5) AS c5, first(c6) AS c6, first(c7) AS c7, CAST(sum(delta) AS BIGINT) AS net, CAST(greatest(0, -min(balance)) AS BIGINT) AS needed FROM run GROUP BY c0, c1, c2, c3, c4, c5, c6, CAST(c7 AS VARCHAR)

SELECT CAST(row(first(n.c0), first(n.c1), first(n.c2), first(n.c3), first(n.c4), first(n.c5), first(n.c6), first(n.c7)) AS VARCHAR) FROM syncline_net n LEFT JOIN "warehouse"."shop"."or""ders" t ON t."id" IS NOT DISTINCT FROM n.c0 AND t."part" IS NOT DISTINCT FROM n.c1 AND t."total" IS NOT DISTINCT FROM n.c2 AND t."any" IS NOT DISTINCT FROM n.c3 AND t."at" IS NOT DISTINCT FROM n.c4 AND t."doc" IS NOT DISTINCT FROM n.c5 AND t."tags" IS NOT DISTINCT FROM n.c6 AND CAST(t."every" AS VARCHAR) IS NOT DISTINCT FROM CAST(n.c7 AS VARCHAR) WHERE n.needed > 0 GROUP BY n.rowid HAVING count(t.rowid) < first(n.needed) LIMIT 1

DELETE FROM "warehouse"."shop"."or""ders" WHERE rowid IN (SELECT id FROM (SELECT t.rowid AS id, n.net AS net, row_number() OVER (PARTITION BY n.rowid) AS k FROM "warehouse"."shop"."or""ders" t JOIN syncline_net n ON t."id" IS NOT DISTINCT FROM n.c0 AND t."part" IS NOT DISTINCT FROM n.c1 AND t."total" IS NOT DISTINCT FROM n.c2 AND t."any" IS NOT DISTINCT FROM n.c3 AND t."at" IS NOT DISTINCT FROM n.c4 AND t."doc" IS NOT DISTINCT FROM n.c5 AND t."tags" IS NOT DISTINCT FROM n.c6 AND CAST(t."every" AS VARCHAR) IS NOT DISTINCT FROM CAST(n.c7 AS VARCHAR) WHERE n.net < 0) WHERE k <= -net)

INSERT INTO "warehouse"."shop"."or""ders" ("id", "part", "total", "any", "at", "doc", "tags", "every") SELECT n.c0, n.c1, n.c2, n.c3, n.c4, n.c5, n.c6, n.c7 FROM (SELECT *, unnest(range(net)) FROM syncline_net WHERE net > 0) n
