-- Every type and every kind of change that a reader of PostgreSQL's log meets, for types_test.go.
--
-- psql -X -v ON_ERROR_STOP=1 -f types.sql, on PostgreSQL 14 or newer with wal_level = logical, max_prepared_transactions > 0 and
-- the contrib modules hstore, citext, ltree and isn. PG-nnn names a case: cases_test.go says what must become of it. What it
-- does is the same every time: no now(), no random().
--
-- The line "@@PART" cuts the file in two: a reader whose catalog is of today sees the first part before the second alters it.
\set QUIET on
\if :{?big_rows} \else \set big_rows 20000 \endif
SELECT current_setting('server_version_num')::int >= 150000 AS is15 \gset
SET client_min_messages = warning;
SET TIME ZONE 'UTC'; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres';
SET bytea_output = 'hex'; SET lc_monetary = 'C'; SET extra_float_digits = 1;

DROP SCHEMA IF EXISTS types CASCADE; DROP SCHEMA IF EXISTS "We""ird . Sch-ema" CASCADE;
CREATE SCHEMA types; SET search_path = types, public;
CREATE EXTENSION IF NOT EXISTS hstore SCHEMA public;
CREATE EXTENSION IF NOT EXISTS citext SCHEMA public;
CREATE EXTENSION IF NOT EXISTS ltree  SCHEMA public;
CREATE EXTENSION IF NOT EXISTS isn    SCHEMA public;
DROP PUBLICATION IF EXISTS types_pub;
CREATE PUBLICATION types_pub FOR ALL TABLES WITH (publish = 'insert,update,delete,truncate', publish_via_partition_root = false);

-- ---------------------------------------------------------------- 1 scalars
-- PG-101 integers, booleans, oid, serials
CREATE TABLE t_int (pk serial PRIMARY KEY, si smallint, i integer, bi bigint, b boolean, o oid,
                    ss smallserial, bs bigserial, x8 xid, c8 cid, tid tid, lsn pg_lsn, rc regclass);
INSERT INTO t_int VALUES
 (1, 0, 0, 0, true, 0, 1, 1, '0', '0', '(0,1)', '0/0', 'pg_class'),
 (2, 32767, 2147483647, 9223372036854775807, false, 4294967295, 32767, 9223372036854775807, '4294967295', '4294967295', '(4294967295,65535)', 'FFFFFFFF/FFFFFFFF', 'pg_type'),
 (3, -32768, -2147483648, -9223372036854775808, NULL, 4000000000, -1, -1, NULL, NULL, NULL, '16/B374D848', NULL),
 (4, NULL, NULL, NULL, NULL, NULL, 0, 0, NULL, NULL, NULL, NULL, NULL);
-- PG-102 floats: specials, shortest round trip, subnormals, negative zero
CREATE TABLE t_float (pk int PRIMARY KEY, r real, d double precision);
INSERT INTO t_float VALUES (1, 3.3, 4.44), (2, 'NaN', 'NaN'), (3, 'Infinity', 'Infinity'), (4, '-Infinity', '-Infinity'),
 (5, '-0', '-0'), (6, '1.17549435e-38', '2.2250738585072014e-308'), (7, '1e-45', '4.9406564584124654e-324'),
 (8, '3.4028235e38', '1.7976931348623157e308'), (9, 16777217, 9007199254740993), (10, 0.1, 0.1), (11, NULL, NULL);
-- PG-103 numeric: fixed, zero-scale, unconstrained, NaN, huge and tiny
CREATE TABLE t_num (pk int PRIMARY KEY, d32 numeric(3,2), d4 numeric(4), dv numeric, nn numeric(3,2) NOT NULL,
                    big numeric(1000,500), n38 numeric(38,9), n7638 numeric(76,38));
INSERT INTO t_num VALUES
 (1, 1.1, 10.11, 10.1111, 3.30, 0, 0, 0),
 (2, 1, 10, 22, 0, 1, 1, 1),
 (3, 'NaN', 'NaN', 'NaN', 1, 'NaN', 'NaN', 'NaN'),
 (4, -9.99, -9999, '-0.000000000000000000000000000001', 9.99, repeat('9',500)::numeric, 99999999999999999999999999999.999999999, 0),
 (5, 0.00, 0, '1e131071', 0, '1e-500', -99999999999999999999999999999.999999999, 0),
 (6, 0.01, 1, '1e-16383', 0, 0, 0.000000001, 0),
 (7, NULL, NULL, '100', 0, NULL, NULL, repeat('9',38)::numeric),
 (8, NULL, NULL, '100.00', 0, NULL, NULL, NULL),
 (9, NULL, NULL, '1.10', 0, NULL, NULL, NULL);
-- PG-104 numeric infinity (PG14+): only unconstrained columns accept it
INSERT INTO t_num (pk, dv, nn) VALUES (20, 'Infinity', 0), (21, '-Infinity', 0);
-- PG-105 numeric with negative scale / scale above precision (PG15+)
\if :is15
CREATE TABLE t_num15 (pk int PRIMARY KEY, neg numeric(3,-3), tiny numeric(3,5));
INSERT INTO t_num15 VALUES (1, 123456, 0.00123), (2, -999499, -0.00999), (3, 499, 0);
\endif
-- PG-106 money
CREATE TABLE t_money (pk int PRIMARY KEY, m money, ma money[]);
INSERT INTO t_money VALUES (1, '1234.11', '{1.10,NULL,-2}'), (2, '-1234.11', '{}'), (3, '0', NULL), (4, NULL, NULL),
 (5, '92233720368547758.07', NULL), (6, '-92233720368547758.08', NULL);

-- PG-107 character types; char(n) padding; empty string; multi-byte; control characters
CREATE TABLE t_str (pk int PRIMARY KEY, c1 "char", ch char(10), vc varchar(10), t text, ct citext, nm name, bp bpchar);
INSERT INTO t_str VALUES
 (1, 'a', 'cdef', 'žš', 'some text', 'Hello World', 'a_name', 'ab   '),
 (2, '', '', '', '', '', '', ''),
 (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
 (4, 'z', '产品', '🙂é', E'tab\tnl\ncr\rquote\'bs\\ del\x7f esc\x1b', 'MiXeD', repeat('n',63), '产'),
 (5, NULL, '  lead', 'trail   ', E'e\u0301 vs \u00e9; RTL \u200f\u05d0; BOM \ufeff; noncharacter \ufffe', NULL, NULL, NULL),
 (6, NULL, 'NULL', 'null', '\N', 'nULL', NULL, NULL);
-- PG-108 bytea
CREATE TABLE t_bytea (pk int PRIMARY KEY, b bytea, bn bytea NOT NULL, ba bytea[]);
INSERT INTO t_bytea VALUES (1, '\x010203', '\x', ARRAY['\x000102'::bytea, NULL, '\x']), (2, NULL, '\x00', NULL),
 (3, '\xdeadbeef5c78', '\xff00ff', '{}'), (4, decode(repeat('00ff',3000),'hex'), '\x5c', NULL);
-- PG-109 bit and bit varying
CREATE TABLE t_bit (pk int PRIMARY KEY, b1 bit, b2 bit(2), b7 bit(7), b8 bit(8), b64 bit(64), v1 varbit(1), v24 varbit(24), vu varbit, ba bit(3)[]);
INSERT INTO t_bit VALUES
 (1, B'0', B'11', B'1000000', B'00000001', B'1000000000000000000000000000000000000000000000000000000000000000', B'1', B'000000110000001000000001', B'101', ARRAY[B'101',B'010']),
 (2, B'1', B'00', B'0000001', B'10000000', (B'1')::bit(64), B'', B'00', B'', NULL),
 (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, B'111011010001000110000001000000001', NULL);

-- ---------------------------------------------------------------- 2 temporal
-- PG-110 date
CREATE TABLE t_date (pk int PRIMARY KEY, d date);
INSERT INTO t_date VALUES (1,'2016-11-04'),(2,'1970-01-01'),(3,'1969-12-31'),(4,'0001-01-01'),(5,'0001-12-31 BC'),(6,'4713-11-24 BC'),
 (7,'5874897-12-31'),(8,'1582-10-04'),(9,'1582-10-15'),(10,'infinity'),(11,'-infinity'),(12,NULL),(13,'2000-02-29'),(14,'9999-12-31');
-- PG-111 timestamp without zone
CREATE TABLE t_ts (pk int PRIMARY KEY, ts timestamp, ts0 timestamp(0), ts3 timestamp(3), ts6 timestamp(6));
INSERT INTO t_ts SELECT n, v::timestamp, v::timestamp, v::timestamp, v::timestamp FROM (VALUES
 (1,'2016-11-04 13:51:30.123456'),(2,'1936-10-25 22:10:12.608'),(3,'1970-01-01 00:00:00'),(4,'1969-12-31 23:59:59.999999'),
 (5,'21016-11-04 13:51:30.123456'),(6,'294246-12-31 23:59:58.999'),(7,'0044-03-15 12:00:00 BC'),(8,'4713-11-24 00:00:00 BC'),
 (9,'infinity'),(10,'-infinity'),(11,NULL),(12,'2016-11-04 13:51:30.9996'),(13,'9999-12-31 23:59:59.999999'),(14,'2018-06-20 15:13:16.945104')) v(n,v);
-- PG-112 timestamp with zone: written under three session zones, always one instant
CREATE TABLE t_tz (pk int PRIMARY KEY, tz timestamptz, tz3 timestamptz(3));
SET TIME ZONE 'America/New_York';
INSERT INTO t_tz VALUES (1,'2016-11-04 13:51:30.123456+02:00','2016-11-04 13:51:30.123456+02:00'),(2,'2021-03-14 02:30:00','2021-11-07 01:30:00');
SET TIME ZONE 'Asia/Kathmandu';
INSERT INTO t_tz VALUES (3,'1900-01-01 00:00:00','0001-01-01 00:00:00 BC'),(4,'21016-11-04 13:51:30.123456+07:00','9999-12-31 23:59:59.999+00');
SET TIME ZONE 'UTC';
INSERT INTO t_tz VALUES (5,'infinity','-infinity'),(6,NULL,NULL),(7,'294246-12-31 23:59:59.999999+00','4713-11-24 00:00:00+00 BC'),(8,'1883-11-18 12:03:57-04:56:02','2016-11-04 00:00:00+15:59');
-- PG-113 time / timetz including 24:00
CREATE TABLE t_time (pk int PRIMARY KEY, t time, t0 time(0), t3 time(3), tz timetz, tz3 timetz(3));
INSERT INTO t_time VALUES (1,'13:51:30.123456','13:51:30.5','13:51:30.1236','13:51:30.123789+02:00','13:51:30.123+02'),
 (2,'00:00','00:00','00:00','00:00+00','00:00-15:59'),(3,'24:00:00','24:00:00','24:00:00','24:00:00+00','24:00:00+05:30'),
 (4,'23:59:59.999999','23:59:59.6','23:59:59.9996','23:59:59.999999-11','00:00:00+15:59:59'),(5,NULL,NULL,NULL,NULL,NULL);
-- PG-114 interval
CREATE TABLE t_iv (pk int PRIMARY KEY, iv interval, iym interval year to month, ids interval day to second(3));
INSERT INTO t_iv VALUES (1,'1 year 2 months 3 days 4 hours 5 minutes 6.78 seconds','1 year 2 months','3 days 04:05:06.789'),
 (2,'0','0','0'),(3,'-1 year -2 months +3 days -04:05:06.000001','-14 months','-1 day -00:00:00.001'),
 (4,'178000000 years','0','0'),(5,'-178000000 years','0','0'),(6,'1 mon -1 day','0','1 day -1 second'),(7,'100000:00:00','0','0'),(8,NULL,NULL,NULL);

-- ---------------------------------------------------------------- 3 structured
-- PG-120 json / jsonb: json keeps text, jsonb normalises; NULL versus 'null'
CREATE TABLE t_json (pk int PRIMARY KEY, j json, jb jsonb);
INSERT INTO t_json VALUES
 (1, '{"b":1,  "a":2, "a":3}', '{"b":1,  "a":2, "a":3}'), (2, 'null', 'null'), (3, NULL, NULL), (4, '"s"', '"s"'), (5, '[]', '{}'),
 (6, '1e400', '1e400'), (7, '12345678901234567890.123456789', '12345678901234567890.123456789'),
 (8, '{"u":"\u00e9\ud83d\ude42","z":"\u0000"}', '{"u":"\u00e9\ud83d\ude42"}'), (9, '  [1 , 2 ]  ', '  [1 , 2 ]  '), (10, 'true', '-0'), (11, '1.10', '1.10');
-- PG-121 xml, uuid
CREATE TABLE t_xml (pk int PRIMARY KEY, x xml, u uuid);
INSERT INTO t_xml VALUES (1, '<foo>bar</foo><foo>bar</foo>', 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'), (2, '<?xml version="1.0"?><a b="&lt;">é</a>', '00000000-0000-0000-0000-000000000000'), (3, NULL, NULL);
-- PG-122 hstore
CREATE TABLE t_hs (pk int PRIMARY KEY, h hstore, ha hstore[]);
INSERT INTO t_hs VALUES (1,'key=>val',NULL),(2,'"k 1"=>"v=>\"1\"", k2=>NULL, ""=>""',ARRAY['a=>1'::hstore,NULL]),(3,'',NULL),(4,NULL,NULL),(5,'k=>"NULL"',NULL);
-- PG-123 ltree, isbn, tsvector, tsquery, cube-free "unknown" types
CREATE TABLE t_ext (pk int PRIMARY KEY, lt ltree, lta ltree[], isbn isbn, tv tsvector, tq tsquery);
INSERT INTO t_ext VALUES (1,'Top.Collections.Pictures','{Ship.Frigate,Ship.Destroyer}','978-0-393-04002-9','a fat cat','fat <-> cat'),(2,'','{}',NULL,'','' ),
 (3,NULL,NULL,NULL,$$'direct':6A 'it''s':1,3B$$,'!(a & b:*) | c');
-- PG-124 network types: host address prints without netmask
CREATE TABLE t_net (pk int PRIMARY KEY, i inet, c cidr, m macaddr, m8 macaddr8);
INSERT INTO t_net VALUES (1,'192.168.2.0/12','192.168.100.128/25','08:00:2b:01:02:03','08:00:2b:01:02:03:04:05'),(2,'10.0.0.1/32','10.0.0.1/32','08002b:010203','08:00:2b:01:02:03'),
 (3,'::1','2001:db8::/32','ff-ff-ff-ff-ff-ff','ffff.ffff.ffff.ffff'),(4,'::ffff:1.2.3.4/128','0.0.0.0/0',NULL,NULL),(5,NULL,NULL,NULL,NULL);
-- PG-125 built-in geometry
CREATE TABLE t_geo (pk int PRIMARY KEY, p point, l line, s lseg, b box, pa path, po path, pg polygon, c circle);
INSERT INTO t_geo VALUES (1,'(1,1)','{1,-1,0}','[(0,0),(1,1)]','(1,1),(0,0)','((0,0),(1,1),(2,0))','[(0,0),(1,1)]','((0,0),(1,1),(2,0))','<(1.5,-2.5),3>'),
 (2,'(NaN,Infinity)','{0,1,-1e-300}','[(1,1),(1,1)]','(0,0),(0,0)','((0,0))','[(0,0)]','((0,0))','<(0,0),0>'),(3,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL),(4,'(-0,0.1)',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
-- PG-126 ranges: discrete ranges canonicalise to [ ), empty, unbounded, infinity bound
CREATE TABLE t_rng (pk int PRIMARY KEY, i4 int4range, i8 int8range, n numrange, ts tsrange, tz tstzrange, d daterange);
INSERT INTO t_rng VALUES (1,'[1,5]','(10,20)','[5.3,6.3)','[2019-03-31 15:30:00, infinity)','[2017-06-05 11:29:12.549426+00,)','[2019-03-31,2019-04-29]'),
 (2,'empty','empty','empty','empty','empty','empty'),(3,'(,)','(,5]','(,)','(,)','(-infinity,infinity]','[2019-03-31,infinity)'),(4,NULL,NULL,'[1.0,1.00]',NULL,NULL,NULL);
-- PG-127 multiranges (PG14+)
CREATE TABLE t_mrng (pk int PRIMARY KEY, m4 int4multirange, mn nummultirange, mts tstzmultirange, md datemultirange);
INSERT INTO t_mrng VALUES (1,'{[1,3),[5,7]}','{[1.5,2.5]}','{}','{[2020-01-01,2020-01-05),[2020-01-03,2020-02-01)}'),(2,'{}',NULL,NULL,'{}');
-- PG-128 enum; label with comma, quote, case, unicode; add label mid-stream in section 8
CREATE TYPE mood AS ENUM ('sad','ok','happy');
CREATE TYPE "Odd Enum" AS ENUM ('a,b','it''s','','UPPER','é','1st');
CREATE TABLE t_enum (pk int PRIMARY KEY, m mood DEFAULT 'ok', ma mood[], w "Odd Enum");
INSERT INTO t_enum VALUES (1,'sad','{sad,NULL,happy}','a,b'),(2,DEFAULT,'{}','it''s'),(3,NULL,NULL,''),(4,'happy',NULL,'é');
-- PG-129 domains: over scalar, over domain, over array, with check and not null
CREATE DOMAIN d_price AS numeric(10,2) CHECK (VALUE >= 0);
CREATE DOMAIN d_price2 AS d_price; CREATE DOMAIN d_tags AS text[] CHECK (cardinality(VALUE) < 10); CREATE DOMAIN d_vc AS varchar(5) NOT NULL; CREATE DOMAIN d_bit AS bit(3);
CREATE TABLE t_dom (pk int PRIMARY KEY, p d_price, p2 d_price2, tg d_tags, v d_vc, b d_bit, pa d_price[]);
INSERT INTO t_dom VALUES (1, 12.3, 45.67, '{a,"b c",NULL}', 'hello', B'101', '{1.5,NULL}'), (2, NULL, NULL, NULL, '', NULL, NULL);
-- PG-130 composite, array of composite, nested composite
CREATE TYPE addr AS (street text, zip int); CREATE TYPE person AS (name text, home addr, tags text[]);
CREATE TABLE t_comp (pk int PRIMARY KEY, a addr, aa addr[], p person);
INSERT INTO t_comp VALUES (1, ROW('x, "y" (z)', 12345), ARRAY[ROW('a',1)::addr, NULL, ROW(NULL,NULL)::addr], ROW('n', ROW('s',NULL), '{t1,"t 2"}')), (2, NULL, NULL, NULL), (3, ROW(NULL,NULL), '{}', ROW('', NULL, NULL));
-- PG-131 arrays: nulls, empty, nested dims, custom lower bounds, quoting
CREATE TABLE t_arr (pk int PRIMARY KEY, i int[], bi bigint[], t text[], ch char(5)[], vc varchar(10)[], n numeric(10,2)[], nv numeric[3], d date[], ts timestamptz[], b boolean[], f real[], u uuid[], j jsonb[], r int4range[], inet inet[], it interval[], i2 int[][]);
INSERT INTO t_arr VALUES
 (1,'{1,2,3}','{1550166368505037572}','{one,"two words","with,comma","with\"quote","back\\slash","NULL",NULL,""}','{ab,NULL}','{vc}','{1.2,NULL,3.45}','{1.1,2.22,3.333}','{2016-11-04,infinity}','{2020-04-01 00:01:02+00}','{t,f,NULL}','{NaN,Infinity,1.5}','{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}',ARRAY['{"a":"b,c"}'::jsonb,'null'],'{"[1,6)",empty}','{192.168.2.0/12}','{"1 mon -1 days"}','{{1,2},{3,NULL}}'),
 (2,'{}','{}','{}','{}','{}','{}','{}','{}','{}','{}','{}','{}','{}','{}','{}','{}','{}'),
 (3,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL),
 (4,'[0:2]={7,8,9}','{NULL}','{{a,b},{c,d}}',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'[-1:0][5:6]={{1,2},{3,4}}'),
 (5,'{{{1},{2}},{{3},{4}}}',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
-- PG-132 defaults, identity, generated
CREATE TABLE t_def (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id2 int GENERATED BY DEFAULT AS IDENTITY (START 100 INCREMENT 10),
  a int NOT NULL DEFAULT 7, b text DEFAULT 'x''y', c timestamptz DEFAULT '2020-01-01 00:00:00+00', d numeric(6,2) DEFAULT 1.5, e jsonb DEFAULT '{"k":[]}', f uuid DEFAULT gen_random_uuid(),
  g int GENERATED ALWAYS AS (a * 2) STORED, h mood DEFAULT 'ok', i int[] DEFAULT '{1,2}', j interval DEFAULT '1 day', k bytea DEFAULT '\x00ff', l text DEFAULT NULL);
INSERT INTO t_def (a, f) VALUES (1, NULL), (DEFAULT, '00000000-0000-0000-0000-000000000001');
INSERT INTO t_def (id, a, f) OVERRIDING SYSTEM VALUE VALUES (1000, 3, NULL);
UPDATE t_def SET a = 50 WHERE id = 1;

-- ---------------------------------------------------------------- 4 names
-- PG-140 schema, table, column names that need quoting
CREATE SCHEMA "We""ird . Sch-ema";
CREATE TABLE "We""ird . Sch-ema"."Ta""ble . X" ("Pk Id" int PRIMARY KEY, "col""q . uote" text, "a\b" text, "$dollar" int, "sp ace" int);
INSERT INTO "We""ird . Sch-ema"."Ta""ble . X" VALUES (1, 'some text', 'bs', 1, 2);
-- PG-141 reserved words, case-only differences, digits first, unicode, 63-byte names
CREATE TABLE "select" ("from" int PRIMARY KEY, "where" text, "order" int, "user" text, "1st" int, "naïve" int, "列" int, "a-b" int, "a.b" int, "a_b" int);
INSERT INTO "select" VALUES (1, 'w', 2, 'u', 3, 4, 5, 6, 7, 8);
UPDATE "select" SET "列" = 50 WHERE "from" = 1;
CREATE TABLE "CaseTable" (id int PRIMARY KEY, v text); CREATE TABLE casetable (id int PRIMARY KEY, v text);
INSERT INTO "CaseTable" VALUES (1,'upper'); INSERT INTO casetable VALUES (1,'lower');
CREATE TABLE "CaseCol" (id int PRIMARY KEY, "val" int, "VAL" int); INSERT INTO "CaseCol" VALUES (1, 1, 2);
CREATE TABLE tbl_with_a_name_that_is_exactly_sixty_three_bytes_long_abcdefgh (id int PRIMARY KEY, col_with_a_name_that_is_exactly_sixty_three_bytes_long_abcdefgh int);
INSERT INTO tbl_with_a_name_that_is_exactly_sixty_three_bytes_long_abcdefgh VALUES (1, 1);
-- PG-142 columns that collide with envelope / metadata names
CREATE TABLE t_meta_names (id int PRIMARY KEY, before int, after int, op text, source text, ts_ms bigint, __deleted text, "_PEERDB_IS_DELETED" bool);
INSERT INTO t_meta_names VALUES (1, 1, 2, 'c', 's', 3, 'true', false);

-- ---------------------------------------------------------------- 5 keys and replica identity
-- PG-150 zero columns
CREATE TABLE t_nocol (); INSERT INTO t_nocol DEFAULT VALUES; INSERT INTO t_nocol DEFAULT VALUES;
-- PG-151 no primary key, identity default: insert flows, update/delete is refused by the server
CREATE TABLE t_nopk (id int, v text); INSERT INTO t_nopk VALUES (1,'a'),(1,'a'),(NULL,NULL);
DO $$ BEGIN UPDATE types.t_nopk SET v='b'; RAISE EXCEPTION 'expected refusal'; EXCEPTION WHEN object_not_in_prerequisite_state THEN NULL; END $$;
-- PG-152 replica identity full without key: duplicate rows
CREATE TABLE t_full (id int, v text, n numeric); ALTER TABLE t_full REPLICA IDENTITY FULL;
INSERT INTO t_full VALUES (1,'a',1.0),(1,'a',1.0),(2,NULL,NULL); UPDATE t_full SET v='b' WHERE id=2; UPDATE t_full SET v='c' WHERE id=1; DELETE FROM t_full WHERE id=1;
-- PG-153 replica identity using index (not the primary key)
CREATE TABLE t_ridx (id int PRIMARY KEY, code text NOT NULL, v text); CREATE UNIQUE INDEX t_ridx_code ON t_ridx(code); ALTER TABLE t_ridx REPLICA IDENTITY USING INDEX t_ridx_code;
INSERT INTO t_ridx VALUES (1,'A','x'),(2,'B','y'); UPDATE t_ridx SET v='x2' WHERE id=1; UPDATE t_ridx SET id=10 WHERE id=1; UPDATE t_ridx SET code='A2' WHERE id=10; DELETE FROM t_ridx WHERE id=2;
-- PG-154 replica identity nothing with primary key
CREATE TABLE t_rnone (id int PRIMARY KEY, v text); ALTER TABLE t_rnone REPLICA IDENTITY NOTHING; INSERT INTO t_rnone VALUES (1,'a');
DO $$ BEGIN UPDATE types.t_rnone SET v='b'; RAISE EXCEPTION 'expected refusal'; EXCEPTION WHEN object_not_in_prerequisite_state THEN NULL; END $$;
-- PG-155 composite key in an order that differs from column order; key types that are hard to encode
CREATE TABLE t_ckey (v text, b text, a int, ts timestamptz, u uuid, PRIMARY KEY (a, b, ts, u));
INSERT INTO t_ckey VALUES ('v1','bé',1,'2020-01-01 00:00:00.000001+00','a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'); UPDATE t_ckey SET v='v2'; UPDATE t_ckey SET b='b2'; DELETE FROM t_ckey;
-- PG-156 primary key update: single, swap of two keys in one statement, chain shift, and no-op key update
CREATE TABLE t_pkupd (id int PRIMARY KEY DEFERRABLE INITIALLY IMMEDIATE, v text);
ALTER TABLE t_pkupd REPLICA IDENTITY FULL;
INSERT INTO t_pkupd VALUES (1,'one'),(2,'two'),(3,'three');
UPDATE t_pkupd SET id=100 WHERE id=1;
UPDATE t_pkupd SET id = CASE id WHEN 2 THEN 3 ELSE 2 END WHERE id IN (2,3);
UPDATE t_pkupd SET id = id + 1 WHERE id IN (2,3);
UPDATE t_pkupd SET id = id; UPDATE t_pkupd SET v = v;
-- PG-157 same, default identity
CREATE TABLE t_pkupd2 (id int PRIMARY KEY, v text); INSERT INTO t_pkupd2 VALUES (1,'one'),(2,'two'); UPDATE t_pkupd2 SET id=3 WHERE id=1; UPDATE t_pkupd2 SET id=4, v='both' WHERE id=2; DELETE FROM t_pkupd2 WHERE id=3;
-- PG-158 insert, update, delete, re-insert of one key inside one transaction; upsert; merge
CREATE TABLE t_churn (id int PRIMARY KEY, v int);
BEGIN; INSERT INTO t_churn VALUES (1,1); UPDATE t_churn SET v=2 WHERE id=1; DELETE FROM t_churn WHERE id=1; INSERT INTO t_churn VALUES (1,3); COMMIT;
INSERT INTO t_churn VALUES (1,9),(2,9) ON CONFLICT (id) DO UPDATE SET v=EXCLUDED.v+1; INSERT INTO t_churn VALUES (1,0) ON CONFLICT DO NOTHING;
\if :is15
MERGE INTO t_churn t USING (VALUES (1,50),(3,60)) s(id,v) ON t.id=s.id WHEN MATCHED THEN UPDATE SET v=s.v WHEN NOT MATCHED THEN INSERT VALUES (s.id,s.v);
\endif

-- ---------------------------------------------------------------- 6 TOAST
-- PG-160 unchanged TOASTed values, default identity: omitted from the update ("u" marker)
CREATE TABLE t_toast (id int PRIMARY KEY, small int, big text, bigj jsonb, biga text[], bigb bytea);
ALTER TABLE t_toast ALTER big SET STORAGE EXTERNAL, ALTER bigj SET STORAGE EXTERNAL, ALTER biga SET STORAGE EXTERNAL, ALTER bigb SET STORAGE EXTERNAL;
INSERT INTO t_toast VALUES (1, 1, repeat('abcdefghij',2000), jsonb_build_object('k',repeat('0123456789',2000)), ARRAY[repeat('a',9000),repeat('b',9000)], decode(repeat('0badcafe',4000),'hex'));
UPDATE t_toast SET small=2 WHERE id=1;
UPDATE t_toast SET big=repeat('zyx',4000) WHERE id=1;
UPDATE t_toast SET big=NULL WHERE id=1;
UPDATE t_toast SET id=2 WHERE id=1;
DELETE FROM t_toast WHERE id=2;
-- PG-161 same under replica identity full: old image carries the values
CREATE TABLE t_toastf (LIKE t_toast INCLUDING ALL); ALTER TABLE t_toastf REPLICA IDENTITY FULL;
INSERT INTO t_toastf VALUES (1, 1, repeat('abcdefghij',2000), jsonb_build_object('k',repeat('0123456789',2000)), ARRAY[repeat('a',9000)], NULL);
UPDATE t_toastf SET small=2 WHERE id=1; UPDATE t_toastf SET id=2; DELETE FROM t_toastf;
-- PG-162 TOASTed column inside the replica identity index
CREATE TABLE t_toastk (k text PRIMARY KEY, v int); ALTER TABLE t_toastk ALTER k SET STORAGE EXTERNAL; INSERT INTO t_toastk VALUES (repeat('q',2500),1); UPDATE t_toastk SET v=2; DELETE FROM t_toastk;
-- PG-163 insert and update of a TOASTed row in the same transaction; then rollback to savepoint of another
BEGIN; INSERT INTO t_toast VALUES (5,1,repeat('m',20000),NULL,NULL,NULL); UPDATE t_toast SET small=9 WHERE id=5; SAVEPOINT s; UPDATE t_toast SET big=repeat('n',20000) WHERE id=5; ROLLBACK TO s; COMMIT;

-- ---------------------------------------------------------------- 7 table kinds
-- PG-170 partitioned: root and leaves, row movement, attach/detach, leaf with another column order
CREATE TABLE t_part (id int, region text, v text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE t_part_eu PARTITION OF t_part FOR VALUES IN ('eu');
CREATE TABLE t_part_us (v text, region text NOT NULL, id int NOT NULL, PRIMARY KEY (id, region)); ALTER TABLE t_part ATTACH PARTITION t_part_us FOR VALUES IN ('us');
CREATE TABLE t_part_def PARTITION OF t_part DEFAULT PARTITION BY RANGE (id); CREATE TABLE t_part_def_1 PARTITION OF t_part_def FOR VALUES FROM (0) TO (1000);
INSERT INTO t_part VALUES (1,'eu','a'),(2,'us','b'),(3,'apac','c'); UPDATE t_part SET region='us' WHERE id=1; UPDATE t_part SET v='b2' WHERE id=2; DELETE FROM t_part WHERE id=3;
ALTER TABLE t_part DETACH PARTITION t_part_us; INSERT INTO t_part_us (id,region,v) VALUES (9,'us','detached'); INSERT INTO t_part VALUES (10,'us','goes to default');
-- PG-171 inheritance (not partitioning)
CREATE TABLE t_parent (id int PRIMARY KEY, v text); CREATE TABLE t_child (extra int) INHERITS (t_parent); ALTER TABLE t_child ADD PRIMARY KEY (id);
INSERT INTO t_parent VALUES (1,'p'); INSERT INTO t_child VALUES (2,'c',5); UPDATE t_parent SET v=v||'!' ; DELETE FROM t_parent WHERE id=2;
-- PG-172 tables whose changes never appear: unlogged, temporary, materialised view, sequence, foreign, system
CREATE UNLOGGED TABLE t_unlogged (id int PRIMARY KEY); INSERT INTO t_unlogged VALUES (1); CREATE TEMP TABLE t_temp (id int PRIMARY KEY); INSERT INTO t_temp VALUES (1);
CREATE MATERIALIZED VIEW mv AS SELECT * FROM t_int; REFRESH MATERIALIZED VIEW mv; CREATE SEQUENCE sq; SELECT nextval('sq') \gset
-- PG-173 truncate: one, several, cascade, restart identity, in a transaction with later inserts, on a partitioned root
CREATE TABLE t_tr1 (id int PRIMARY KEY); CREATE TABLE t_tr2 (id int PRIMARY KEY, r int REFERENCES t_tr1); INSERT INTO t_tr1 VALUES (1),(2); INSERT INTO t_tr2 VALUES (1,1);
TRUNCATE t_tr2; INSERT INTO t_tr2 VALUES (2,2); TRUNCATE t_tr1, t_tr2 RESTART IDENTITY; INSERT INTO t_tr1 VALUES (3); TRUNCATE t_tr1 CASCADE;
BEGIN; INSERT INTO t_tr1 VALUES (4); TRUNCATE t_tr1 CASCADE; INSERT INTO t_tr1 VALUES (5); COMMIT; TRUNCATE t_part;
-- PG-174 triggers, rules and FK cascades produce ordinary row events
CREATE TABLE t_fkp (id int PRIMARY KEY); CREATE TABLE t_fkc (id int PRIMARY KEY, p int REFERENCES t_fkp ON DELETE CASCADE ON UPDATE CASCADE); INSERT INTO t_fkp VALUES (1); INSERT INTO t_fkc VALUES (1,1),(2,1); UPDATE t_fkp SET id=2; DELETE FROM t_fkp;
-- PG-175 COPY, CREATE TABLE AS, INSERT SELECT, table rewrite
CREATE TABLE t_ctas AS SELECT g id, 'v'||g v FROM generate_series(1,3) g; ALTER TABLE t_ctas ADD PRIMARY KEY (id);
COPY t_ctas FROM STDIN;
4	four
5	\N
\.
-- PG-176 wide table: 300 columns
SELECT 'CREATE TABLE t_wide (id int PRIMARY KEY, '||string_agg(format('c%s int',g),',')||')' FROM generate_series(1,300) g \gexec
INSERT INTO t_wide (id,c1,c300) VALUES (1,1,300);

-- @@PART
-- PG-133 arrays of shapes; those of boxes have another delimiter than all others
CREATE TABLE t_shapes (pk int PRIMARY KEY, b box[], pa path[], po polygon[], n bit(3)[] NOT NULL, last int NOT NULL);
INSERT INTO t_shapes VALUES (1,'{(1,1),(0,0);(3.5,-1),(2,-7)}','{"((0,0),(1,1))","[(0,0),(2,2)]"}','{"((0,0),(1,1),(2,0))"}','{101,010}',7),
 (2,'{}','{}','{}','{}',8),(3,NULL,NULL,NULL,'{}',9),(4,'{(1,1),(0,0);NULL}','{NULL}','{NULL}','{NULL}',10);
DELETE FROM t_shapes WHERE pk = 3;
-- ---------------------------------------------------------------- 8 DDL mid-stream
-- PG-180 add (null, constant default = no rewrite), drop, rename, alter type (with rewrite), set/drop not null, set default
CREATE TABLE t_ddl (id int PRIMARY KEY, a int, b text); INSERT INTO t_ddl VALUES (1,1,'b1');
ALTER TABLE t_ddl ADD c text; INSERT INTO t_ddl VALUES (2,2,'b2','c2');
ALTER TABLE t_ddl ADD d int NOT NULL DEFAULT 5; INSERT INTO t_ddl (id,a) VALUES (3,3); UPDATE t_ddl SET a=11 WHERE id=1;
ALTER TABLE t_ddl DROP b; INSERT INTO t_ddl (id,a,c) VALUES (4,4,'c4');
ALTER TABLE t_ddl RENAME a TO a2; INSERT INTO t_ddl (id,a2) VALUES (5,5);
ALTER TABLE t_ddl ALTER a2 TYPE bigint; INSERT INTO t_ddl (id,a2) VALUES (6,6000000000);
ALTER TABLE t_ddl ALTER c TYPE varchar(20); INSERT INTO t_ddl (id,c) VALUES (7,'vc');
ALTER TABLE t_ddl ALTER a2 TYPE text USING a2::text; INSERT INTO t_ddl (id,a2) VALUES (8,'now text');
ALTER TABLE t_ddl ADD b int; INSERT INTO t_ddl (id,b) VALUES (9,9);
ALTER TABLE t_ddl DROP d, ADD d date; INSERT INTO t_ddl (id,d) VALUES (10,'2020-01-01');
UPDATE t_ddl SET c = coalesce(c, 'filled') WHERE id = 1; DELETE FROM t_ddl WHERE c IS NULL; ALTER TABLE t_ddl ALTER c SET NOT NULL; INSERT INTO t_ddl (id,c) VALUES (11,'nn'); ALTER TABLE t_ddl ALTER c DROP NOT NULL; INSERT INTO t_ddl (id,c) VALUES (12,NULL);
-- PG-181 DDL inside a transaction between two DML statements; DDL rolled back
BEGIN; INSERT INTO t_ddl (id,c) VALUES (20,'before'); ALTER TABLE t_ddl ADD e int DEFAULT 1; INSERT INTO t_ddl (id,c,e) VALUES (21,'after',2); COMMIT;
BEGIN; ALTER TABLE t_ddl ADD f int; INSERT INTO t_ddl (id,f) VALUES (22,1); ROLLBACK; INSERT INTO t_ddl (id) VALUES (23);
-- PG-182 swap of two column names; drop then re-add with another type in one transaction
CREATE TABLE t_swap (id int PRIMARY KEY, x int, y text); INSERT INTO t_swap VALUES (1,1,'y'); BEGIN; ALTER TABLE t_swap RENAME x TO tmp; ALTER TABLE t_swap RENAME y TO x; ALTER TABLE t_swap RENAME tmp TO y; COMMIT; INSERT INTO t_swap VALUES (2,2,'was y');
BEGIN; ALTER TABLE t_swap DROP x; ALTER TABLE t_swap ADD x double precision; INSERT INTO t_swap VALUES (3,3,3.5); COMMIT;
-- PG-183 drop and recreate under one name (new relation oid), other shape and key
CREATE TABLE t_again (id int PRIMARY KEY, v text); INSERT INTO t_again VALUES (1,'old'); DROP TABLE t_again; CREATE TABLE t_again (k text PRIMARY KEY, id bigint); INSERT INTO t_again VALUES ('new',1);
-- PG-184 rename table, move schema, rename back
CREATE TABLE t_ren (id int PRIMARY KEY); INSERT INTO t_ren VALUES (1); ALTER TABLE t_ren RENAME TO t_ren2; INSERT INTO t_ren2 VALUES (2); CREATE SCHEMA o2; ALTER TABLE t_ren2 SET SCHEMA o2; INSERT INTO o2.t_ren2 VALUES (3);
DROP SCHEMA o2 CASCADE;
-- PG-185 primary key changed: dropped, replaced by another column, widened
CREATE TABLE t_chpk (id int PRIMARY KEY, code text NOT NULL, v int); INSERT INTO t_chpk VALUES (1,'a',1); ALTER TABLE t_chpk DROP CONSTRAINT t_chpk_pkey, ADD PRIMARY KEY (code); UPDATE t_chpk SET v=2; ALTER TABLE t_chpk DROP CONSTRAINT t_chpk_pkey, ADD PRIMARY KEY (code,id); UPDATE t_chpk SET v=3; ALTER TABLE t_chpk DROP CONSTRAINT t_chpk_pkey; INSERT INTO t_chpk VALUES (2,'b',4);
-- PG-186 enum label added and used, renamed label, type renamed
ALTER TYPE mood ADD VALUE 'glad' BEFORE 'happy'; INSERT INTO t_enum (pk,m) VALUES (50,'glad'); ALTER TYPE mood RENAME VALUE 'sad' TO 'blue'; INSERT INTO t_enum (pk,m) VALUES (51,'blue');
-- PG-187 table rewrites that must not produce row events: VACUUM FULL, CLUSTER, ALTER TYPE, SET LOGGED
CREATE TABLE t_rw (id int PRIMARY KEY, v int); INSERT INTO t_rw SELECT g,g FROM generate_series(1,10) g; VACUUM FULL t_rw; CLUSTER t_rw USING t_rw_pkey; ALTER TABLE t_rw ALTER v TYPE bigint; INSERT INTO t_rw VALUES (11,11);
-- PG-188 replica identity changed mid-stream
CREATE TABLE t_richg (id int PRIMARY KEY, v text); INSERT INTO t_richg VALUES (1,'a'); UPDATE t_richg SET v='b'; ALTER TABLE t_richg REPLICA IDENTITY FULL; UPDATE t_richg SET v='c'; ALTER TABLE t_richg REPLICA IDENTITY DEFAULT; DELETE FROM t_richg;
-- PG-189 composite type altered while in use
ALTER TYPE addr ADD ATTRIBUTE country text; INSERT INTO t_comp (pk,a) VALUES (10, ROW('s',1,'no'));

-- ---------------------------------------------------------------- 9 transactions
-- PG-190 savepoints: kept, rolled back, nested; exception block; empty transaction
CREATE TABLE t_sp (id int PRIMARY KEY, v text);
BEGIN; INSERT INTO t_sp VALUES (1,'keep'); SAVEPOINT a; INSERT INTO t_sp VALUES (2,'drop'); ROLLBACK TO a; INSERT INTO t_sp VALUES (2,'keep'); SAVEPOINT b; SAVEPOINT c; INSERT INTO t_sp VALUES (3,'keep'); RELEASE b; COMMIT;
BEGIN; INSERT INTO t_sp VALUES (90,'never'); ROLLBACK; BEGIN; COMMIT;
DO $$ BEGIN INSERT INTO types.t_sp VALUES (4,'keep'); BEGIN INSERT INTO types.t_sp VALUES (5,'drop'); RAISE EXCEPTION 'x'; EXCEPTION WHEN OTHERS THEN INSERT INTO types.t_sp VALUES (6,'keep'); END; END $$;
-- PG-191 two-phase commit, committed and rolled back
BEGIN; INSERT INTO t_sp VALUES (10,'2pc'); PREPARE TRANSACTION 'types-2pc-1'; COMMIT PREPARED 'types-2pc-1';
BEGIN; INSERT INTO t_sp VALUES (11,'2pc never'); PREPARE TRANSACTION 'types-2pc-2'; INSERT INTO t_sp VALUES (12,'between'); ROLLBACK PREPARED 'types-2pc-2';
-- PG-192 logical messages: transactional, non-transactional, inside a rolled back transaction, empty, binary, long prefix
SELECT count(pg_logical_emit_message(true, 'types', 'tx message')) FROM (SELECT 1) s \gset
BEGIN; INSERT INTO t_sp VALUES (20,'m1'); SELECT count(pg_logical_emit_message(true,'types','in tx')) FROM (SELECT 1) s \gset
SELECT count(pg_logical_emit_message(false,'types','not tx')) FROM (SELECT 1) s \gset
INSERT INTO t_sp VALUES (21,'m2'); COMMIT;
BEGIN; SELECT count(pg_logical_emit_message(true,'types','lost')) FROM (SELECT 1) s \gset
SELECT count(pg_logical_emit_message(false,'types','survives rollback')) FROM (SELECT 1) s \gset
ROLLBACK; SELECT count(pg_logical_emit_message(false,'','')) FROM (SELECT 1) s \gset
SELECT count(pg_logical_emit_message(true,'bin','\x00ff10'::bytea)) FROM (SELECT 1) s \gset
-- PG-193 large transaction (streams when over logical_decoding_work_mem), with subtransactions; and a large one rolled back
CREATE TABLE t_big (id int PRIMARY KEY, v text);
BEGIN; INSERT INTO t_big SELECT g, repeat('x',100) FROM generate_series(1, :big_rows) g; SAVEPOINT s1; UPDATE t_big SET v='y' WHERE id % 2 = 0; ROLLBACK TO s1; DELETE FROM t_big WHERE id > :big_rows - 10; COMMIT;
BEGIN; INSERT INTO t_big SELECT g+1000000, repeat('z',100) FROM generate_series(1, :big_rows) g; ROLLBACK;
-- PG-194 many subtransactions (> 64 spills the cached sub-xid array)
DO $$ BEGIN FOR i IN 1..100 LOOP BEGIN INSERT INTO types.t_sp VALUES (1000+i,'sub'); EXCEPTION WHEN OTHERS THEN NULL; END; END LOOP; END $$;
-- PG-195 one large value (16 MiB) and one 40 MiB row; set with -v big_value=0 to skip
\if :{?big_value} \else \set big_value 1 \endif
\if :big_value
INSERT INTO t_big VALUES (-1, repeat('0123456789abcdef', 1048576));
\endif
-- PG-196 foreign origin: what a two-way writer does; reader with origin=none (PG16+) or own filter must skip it
SELECT CASE WHEN EXISTS (SELECT 1 FROM pg_replication_origin WHERE roname='types_peer') THEN 0 ELSE pg_replication_origin_create('types_peer') END AS ro \gset
SELECT count(*) FROM (SELECT pg_replication_origin_session_setup('types_peer')) s \gset
BEGIN; SELECT count(*) FROM (SELECT pg_replication_origin_xact_setup('0/ABCDEF', '2020-01-01 00:00:00+00')) s \gset
INSERT INTO t_sp VALUES (30,'from peer'); COMMIT;
SELECT count(*) FROM (SELECT pg_replication_origin_session_reset()) s \gset
INSERT INTO t_sp VALUES (31,'local');
-- PG-197 publication shape (PG15+): column list and row filter; row moving in and out of the filter
\if :is15
CREATE TABLE t_filter (id int PRIMARY KEY, keep bool NOT NULL, secret text); ALTER TABLE t_filter REPLICA IDENTITY FULL;
DROP PUBLICATION IF EXISTS types_pub_f; CREATE PUBLICATION types_pub_f FOR TABLE t_filter WHERE (keep);
INSERT INTO t_filter VALUES (1,true,'s'),(2,false,'s'); UPDATE t_filter SET keep=false WHERE id=1; UPDATE t_filter SET keep=true WHERE id=2; DELETE FROM t_filter;
\endif
-- a message that ends the second part
SELECT count(pg_logical_emit_message(true, 'types', '@@END')) FROM (SELECT 1) s \gset
