-- What testdata/types.sql leaves out: the types that Debezium knows by include.unknown.datatypes alone, arrays of every type,
-- domains over every kind of type, and defaults of every type, on columns that may be null and on those that may not.
SET client_min_messages = warning;
SET TIME ZONE 'UTC'; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres'; SET bytea_output = 'hex'; SET lc_monetary = 'C';
CREATE SCHEMA more; SET search_path = more, public;
CREATE EXTENSION IF NOT EXISTS hstore SCHEMA public;
CREATE EXTENSION IF NOT EXISTS citext SCHEMA public;
CREATE EXTENSION IF NOT EXISTS ltree SCHEMA public;
CREATE EXTENSION IF NOT EXISTS isn SCHEMA public;
CREATE EXTENSION IF NOT EXISTS cube SCHEMA public;
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TYPE addr AS (street text, zip int);
CREATE TYPE person AS (name text, home addr);
CREATE DOMAIN d_price AS numeric(10,2);
CREATE DOMAIN d_price2 AS d_price;
CREATE DOMAIN d_num AS numeric;
CREATE DOMAIN d_tags AS text[];
CREATE DOMAIN d_mood AS mood;
CREATE DOMAIN d_addr AS addr;
CREATE DOMAIN d_int AS int;
CREATE DOMAIN d_int_def AS int DEFAULT 5;
CREATE DOMAIN d_text AS text;
CREATE DOMAIN d_vc AS varchar(7);
CREATE DOMAIN d_bit AS bit(3);
CREATE DOMAIN d_ts3 AS timestamp(3);
CREATE DOMAIN d_ts AS timestamp;
CREATE DOMAIN d_tz AS timestamptz(2);
CREATE DOMAIN d_time AS time(3);
CREATE DOMAIN d_json AS jsonb;
CREATE DOMAIN d_uuid AS uuid;
CREATE DOMAIN d_hs AS hstore;
CREATE DOMAIN d_money AS money;
CREATE DOMAIN d_nn AS int NOT NULL;
CREATE TYPE floatrange2 AS RANGE (subtype = float8);

-- What include.unknown.datatypes is about.
CREATE TABLE t_unknown (pk int PRIMARY KEY, x xid, x8 xid8, c cid, t tid, l pg_lsn, rc regclass, rt regtype, rn regnamespace, rp regprocedure, tq tsquery, jp jsonpath,
  snap pg_snapshot, iv int2vector, ov oidvector, acl aclitem, cu cube, lq lquery, lt ltxtquery, ean ean13, issn issn, a addr, p person, da d_addr, m4 int4multirange, mn nummultirange, mt tstzmultirange, fr floatrange2);
INSERT INTO t_unknown VALUES
 (1, '7', '70000000000', '3', '(1,2)', '16/B374D848', 'pg_class', 'integer', 'pg_catalog', 'abs(integer)', 'fat <-> cat', '$.a[*] ? (@ > 1)',
  '10:20:10,14', '1 2', '1 2', 'postgres=r/postgres', '(1,2),(3,4)', 'Top.*', 'Europe & Russia*@', '9780393040029', '1436-4522', ROW('x, "y"', 1), ROW('n', ROW('s', 2)), ROW('d', 3), '{[1,3),[5,8)}', '{[1.5,2.5]}', '{}', '[1.5,2.5]'),
 (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
CREATE TABLE t_unknown_nn (pk int PRIMARY KEY, l pg_lsn NOT NULL, tq tsquery NOT NULL, a addr NOT NULL, m4 int4multirange NOT NULL, aa addr[] NOT NULL, ld pg_lsn NOT NULL DEFAULT '1/2', ln pg_lsn DEFAULT '1/2');
INSERT INTO t_unknown_nn VALUES (1, '0/1', 'a', ROW('a', 1), '{[1,3)}', ARRAY[ROW('b', 2)::addr], '3/4', NULL);
-- Arrays that Debezium leaves out, whatever the option says, and those that it writes with it.
CREATE TABLE t_unknown_arr (pk int PRIMARY KEY, ma money[], na name[], ia interval[], va varbit(5)[], va0 varbit[], xa xml[], po point[], rcur refcursor[], aa addr[], pa person[], da d_price[], dta d_tags[], dma d_mood[], dia d_int[], daa d_addr[],
  xi xid[], x8 xid8[], la pg_lsn[], tia tid[], rca regclass[], tqa tsquery[], jpa jsonpath[], mr int4multirange[], fr floatrange2[], cu cube[], lqa lquery[], ca "char"[], eana ean13[]);
INSERT INTO t_unknown_arr VALUES
 (1, '{1.10,NULL,-2}', '{a,NULL,"b c"}', '{1 mon,NULL}', '{101,NULL}', '{1,0}', '{<a/>,NULL}', '{"(1,2)"}', '{c}', ARRAY[ROW('a', 1)::addr, ROW('x, "y"', NULL)::addr], ARRAY[ROW('n', ROW('s', 2))::person], '{1.50,2}', NULL, '{sad,ok}', '{1,2}', NULL,
  '{1,2}', '{7}', '{0/1,16/B374D848}', '{"(1,2)"}', '{pg_class}', '{"fat & cat",a}', '{"$.a"}', '{"{[1,3)}","{}"}', '{"[1.5,2.5]"}', '{"(1,2)"}', '{Top.*}', '{a,b}', '{9780393040029}'),
 (2, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}'),
 (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
CREATE TABLE t_unknown_arr_null (pk int PRIMARY KEY, aa addr[], da d_price[], la pg_lsn[], tqa tsquery[], mr int4multirange[], dma d_mood[]);
INSERT INTO t_unknown_arr_null VALUES (1, ARRAY[ROW('a', 1)::addr, NULL], '{1.50,NULL}', '{0/1,NULL}', '{a,NULL}', '{"{[1,3)}",NULL}', '{sad,NULL}'), (2, ARRAY[[ROW('a', 1)::addr], [ROW('b', 2)::addr]], '{{1.50},{2}}', '{{0/1},{0/2}}', '[0:1]={a,b}', NULL, NULL);

-- Arrays of the types that Debezium knows.
CREATE TABLE t_arrays (pk int PRIMARY KEY, b bool[], i2 int2[], i4 int4[], i8 int8[], o oid[], f4 float4[], f8 float8[], n numeric[], n62 numeric(6,2)[], ch char(3)[], bp bpchar[], vc varchar(5)[], tx text[], ct citext[], by bytea[],
  d date[], ti time[], ti3 time(3)[], tz timetz[], ts timestamp[], ts3 timestamp(3)[], tsz timestamptz[], tsz3 timestamptz(3)[], u uuid[], j json[], jb jsonb[], ine inet[], ci cidr[], m macaddr[], m8 macaddr8[],
  r4 int4range[], r8 int8range[], rn numrange[], rts tsrange[], rtz tstzrange[], rd daterange[], h hstore[], lt ltree[], e mood[], tv tsvector[], isb isbn[], ls lseg[], bo box[], pa path[], pg polygon[], ci2 circle[], li line[], b3 bit(3)[], b1 bit[]);
INSERT INTO t_arrays VALUES
 (1, '{t,f}', '{1,-2}', '{1,-2}', '{1,-9000000000}', '{4000000000}', '{1.5,NaN}', '{1.5,-Infinity,-0}', '{1.50,22,NaN}', '{1.5,2}', '{a,bc}', '{"a  ",b}', '{v,""}', '{a,"b c","NULL",""}', '{C,c}', ARRAY['\x00ff'::bytea, '\x'],
  '{2020-01-02,1969-12-31}', '{12:34:56.789012,24:00}', '{12:34:56.789}', '{12:34:56+02,00:00-15:59}', '{"2020-01-02 03:04:05.678901"}', '{"2020-01-02 03:04:05.678"}', '{"2020-01-02 03:04:05.6+02"}', '{"2020-01-02 03:04:05.678+00"}',
  '{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}', ARRAY['{"a": 1}'::json, '[1,2]'], ARRAY['{"a": 1}'::jsonb, 'null'], '{10.0.0.1,192.168.0.0/16}', '{10.0.0.0/8}', '{08:00:2b:01:02:03}', '{08:00:2b:01:02:03:04:05}',
  '{"[1,5)"}', '{"[1,5)"}', '{"[1.0,2.5)",empty}', '{"[2020-01-01,2020-01-02)"}', '{"[2020-01-01 00:00:00+00,)"}', '{"[2020-01-01,2020-01-05)"}', ARRAY['a=>1'::hstore, 'b=>NULL'], '{Top.A,Top.B}', '{sad,happy}', ARRAY['a b'::tsvector], '{978-0-393-04002-9}',
  ARRAY['[(0,0),(1,1)]'::lseg], ARRAY['(1,1),(0,0)'::box, '(2,2),(1,1)'], ARRAY['[(0,0),(1,1)]'::path], ARRAY['((0,0),(1,1),(2,0))'::polygon], ARRAY['<(1,2),3>'::circle], ARRAY['{1,-1,0}'::line], '{101,010}', '{1,0}'),
 (2, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}'),
 (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
CREATE TABLE t_arrays_null (pk int PRIMARY KEY, b bool[], i2 int2[], i4 int4[], i8 int8[], o oid[], f4 float4[], f8 float8[], n numeric[], n62 numeric(6,2)[], ch char(3)[], vc varchar(5)[], tx text[], ct citext[], by bytea[],
  d date[], ti time[], ti3 time(3)[], tz timetz[], ts timestamp[], ts3 timestamp(3)[], tsz timestamptz[], u uuid[], jb jsonb[], ine inet[], ci cidr[], m macaddr[], r4 int4range[], rn numrange[], rtz tstzrange[], h hstore[], lt ltree[]);
INSERT INTO t_arrays_null VALUES
 (1, '{NULL,f}', '{NULL,-2}', '{NULL,-2}', '{NULL,-9000000000}', '{NULL}', '{NULL}', '{NULL}', '{NULL,22}', '{NULL,2}', '{NULL,bc}', '{NULL}', '{NULL}', '{NULL}', '{NULL}',
  '{NULL,1969-12-31}', '{NULL}', '{NULL}', '{NULL}', '{NULL}', '{NULL}', '{NULL}', '{NULL}', '{NULL}', '{NULL}', '{NULL}', '{NULL}', '{NULL,empty}', '{NULL}', '{NULL}', '{NULL}', '{NULL}');
CREATE TABLE t_arrays_nn (pk int PRIMARY KEY, i4 int4[] NOT NULL, tx text[] NOT NULL, e mood[] NOT NULL, n62 numeric(6,2)[] NOT NULL, h hstore[] NOT NULL, j jsonb[] NOT NULL DEFAULT '{}', i4d int4[] NOT NULL DEFAULT '{1,2}', txd text[] DEFAULT '{a}');
INSERT INTO t_arrays_nn VALUES (1, '{1}', '{a}', '{sad}', '{1.5}', ARRAY['a=>1'::hstore], ARRAY['1'::jsonb], '{3}', '{b}');

-- Domains over every kind of type.
CREATE TABLE t_domains (pk int PRIMARY KEY, p d_price, p2 d_price2, n d_num, tg d_tags, m d_mood, i d_int, idef d_int_def, t d_text, v d_vc, b d_bit, ts3 d_ts3, ts d_ts, tz d_tz, ti d_time, j d_json, u d_uuid, h d_hs, mo d_money, nn d_nn);
INSERT INTO t_domains VALUES (1, 1.5, 2.5, 3.25, '{a,NULL}', 'sad', 4, 6, 't', 'v', B'101', '2020-01-02 03:04:05.678', '2020-01-02 03:04:05.678901', '2020-01-02 03:04:05.67+00', '03:04:05.678', '{"a": 1}', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'a=>1', '1.10', 7),
 (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 8);
CREATE TABLE t_domains_def (pk int PRIMARY KEY, p d_price DEFAULT 1.5, pn d_price NOT NULL DEFAULT 1.5, m d_mood DEFAULT 'ok', mn d_mood NOT NULL DEFAULT 'ok', i d_int DEFAULT 3, inn d_int NOT NULL DEFAULT 3, t d_text DEFAULT 'x', tn d_text NOT NULL DEFAULT 'x', idef d_int_def NOT NULL, jn d_json NOT NULL DEFAULT '{"a": 1}', bn d_bit NOT NULL DEFAULT B'101', nn d_nn DEFAULT 4);
INSERT INTO t_domains_def VALUES (1, 2.5, 2.5, 'sad', 'sad', 4, 4, 'y', 'y', 5, '[]', B'111', 6);

-- Defaults, on columns that may be null and on those that may not.
CREATE TABLE t_def_null (pk int PRIMARY KEY, b bool DEFAULT true, i2 int2 DEFAULT 7, i4 int4 DEFAULT -7, i8 int8 DEFAULT 9000000000, o oid DEFAULT 26, f4 float4 DEFAULT 1.5, f8 float8 DEFAULT -1e-7, f8b float8 DEFAULT 1e21, f8c float8 DEFAULT 100, f8n float8 DEFAULT 'NaN', n62 numeric(6,2) DEFAULT 1.5, n numeric DEFAULT 1.5, n5 numeric(5) DEFAULT 12, mo money DEFAULT '1.10',
  ch char(5) DEFAULT 'ab', vc varchar(10) DEFAULT 'v', tx text DEFAULT 'it''s', txe text DEFAULT '', txn text DEFAULT NULL, txu text DEFAULT 'é"\', bp bpchar DEFAULT 'b', c "char" DEFAULT 'c', na name DEFAULT 'n', ct citext DEFAULT 'C', by bytea DEFAULT '\x00ff', b1 bit DEFAULT B'1', b3 bit(3) DEFAULT B'101', b9 bit(9) DEFAULT B'100000001', v5 varbit(5) DEFAULT B'01', v1 varbit(1) DEFAULT B'1', vu varbit DEFAULT B'101',
  d date DEFAULT '2020-01-02', di date DEFAULT 'infinity', ti time DEFAULT '12:34:56.789012', ti3 time(3) DEFAULT '12:34:56.789', ti0 time(0) DEFAULT '12:34:56', tz timetz DEFAULT '12:34:56+02', ts timestamp DEFAULT '2020-01-02 03:04:05.678901', ts3 timestamp(3) DEFAULT '2020-01-02 03:04:05.678', ts0 timestamp(0) DEFAULT '2020-01-02 03:04:05', tsi timestamp DEFAULT 'infinity', tsz timestamptz DEFAULT '2020-01-02 03:04:05.6789+02', tsz3 timestamptz(3) DEFAULT '2020-01-02 03:04:05.678+00', tsz0 timestamptz(0) DEFAULT '2020-01-02 03:04:05+00',
  iv interval DEFAULT '1 mon 2 days 03:04:05.6', ivy interval year to month DEFAULT '14 months', iv3 interval(3) DEFAULT '1.5 seconds', j json DEFAULT '{"a":  1}', jb jsonb DEFAULT '{"a": 1}', x xml DEFAULT '<a/>', u uuid DEFAULT 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', ine inet DEFAULT '10.0.0.1', ci cidr DEFAULT '10.0.0.0/8', m macaddr DEFAULT '08:00:2b:01:02:03', po point DEFAULT '(1,2)', bo box DEFAULT '(1,1),(0,0)', r4 int4range DEFAULT '[1,5)', e mood DEFAULT 'ok', h hstore DEFAULT 'a=>1', lt ltree DEFAULT 'Top.A', tv tsvector DEFAULT 'a b', isb isbn DEFAULT '978-0-393-04002-9', ia int[] DEFAULT '{1,2}');
CREATE TABLE t_def_nn (pk int PRIMARY KEY, b bool NOT NULL DEFAULT true, i2 int2 NOT NULL DEFAULT 7, i4 int4 NOT NULL DEFAULT -7, i8 int8 NOT NULL DEFAULT 9000000000, o oid NOT NULL DEFAULT 26, f4 float4 NOT NULL DEFAULT 1.5, f8 float8 NOT NULL DEFAULT -1e-7, f8b float8 NOT NULL DEFAULT 1e21, f8c float8 NOT NULL DEFAULT 100, f8n float8 NOT NULL DEFAULT 'NaN', n62 numeric(6,2) NOT NULL DEFAULT 1.5, n numeric NOT NULL DEFAULT 1.5, n5 numeric(5) NOT NULL DEFAULT 12, mo money NOT NULL DEFAULT '1.10',
  ch char(5) NOT NULL DEFAULT 'ab', vc varchar(10) NOT NULL DEFAULT 'v', tx text NOT NULL DEFAULT 'it''s', txe text NOT NULL DEFAULT '', txu text NOT NULL DEFAULT 'é"\', bp bpchar NOT NULL DEFAULT 'b', c "char" NOT NULL DEFAULT 'c', na name NOT NULL DEFAULT 'n', ct citext NOT NULL DEFAULT 'C', by bytea NOT NULL DEFAULT '\x00ff', b1 bit NOT NULL DEFAULT B'1', b3 bit(3) NOT NULL DEFAULT B'101', b9 bit(9) NOT NULL DEFAULT B'100000001', v5 varbit(5) NOT NULL DEFAULT B'01', v1 varbit(1) NOT NULL DEFAULT B'1', vu varbit NOT NULL DEFAULT B'101',
  d date NOT NULL DEFAULT '2020-01-02', di date NOT NULL DEFAULT 'infinity', ti time NOT NULL DEFAULT '12:34:56.789012', ti3 time(3) NOT NULL DEFAULT '12:34:56.789', ti0 time(0) NOT NULL DEFAULT '12:34:56', tz timetz NOT NULL DEFAULT '12:34:56+02', ts timestamp NOT NULL DEFAULT '2020-01-02 03:04:05.678901', ts3 timestamp(3) NOT NULL DEFAULT '2020-01-02 03:04:05.678', ts0 timestamp(0) NOT NULL DEFAULT '2020-01-02 03:04:05', tsi timestamp NOT NULL DEFAULT 'infinity', tsz timestamptz NOT NULL DEFAULT '2020-01-02 03:04:05.6789+02', tsz3 timestamptz(3) NOT NULL DEFAULT '2020-01-02 03:04:05.678+00', tsz0 timestamptz(0) NOT NULL DEFAULT '2020-01-02 03:04:05+00',
  iv interval NOT NULL DEFAULT '1 mon 2 days 03:04:05.6', ivy interval year to month NOT NULL DEFAULT '14 months', iv3 interval(3) NOT NULL DEFAULT '1.5 seconds', j json NOT NULL DEFAULT '{"a":  1}', jb jsonb NOT NULL DEFAULT '{"a": 1}', x xml NOT NULL DEFAULT '<a/>', u uuid NOT NULL DEFAULT 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', ine inet NOT NULL DEFAULT '10.0.0.1', ci cidr NOT NULL DEFAULT '10.0.0.0/8', m macaddr NOT NULL DEFAULT '08:00:2b:01:02:03', po point NOT NULL DEFAULT '(1,2)', bo box NOT NULL DEFAULT '(1,1),(0,0)', r4 int4range NOT NULL DEFAULT '[1,5)', e mood NOT NULL DEFAULT 'ok', h hstore NOT NULL DEFAULT 'a=>1', lt ltree NOT NULL DEFAULT 'Top.A', tv tsvector NOT NULL DEFAULT 'a b', isb isbn NOT NULL DEFAULT '978-0-393-04002-9', ia int[] NOT NULL DEFAULT '{1,2}');
INSERT INTO t_def_null VALUES (1); INSERT INTO t_def_nn VALUES (1);
CREATE TABLE t_def_expr (pk int PRIMARY KEY, now timestamptz NOT NULL DEFAULT now(), nown timestamptz DEFAULT CURRENT_TIMESTAMP, lts timestamp NOT NULL DEFAULT LOCALTIMESTAMP, cd date NOT NULL DEFAULT CURRENT_DATE, ct timetz NOT NULL DEFAULT CURRENT_TIME, lt time NOT NULL DEFAULT LOCALTIME, cu text NOT NULL DEFAULT CURRENT_USER, u uuid NOT NULL DEFAULT gen_random_uuid(), r float8 NOT NULL DEFAULT random(), cc text NOT NULL DEFAULT 'a' || 'b', ii int NOT NULL DEFAULT 1 + 1, iin int DEFAULT 1 + 1, nn numeric(6,2) NOT NULL DEFAULT 1.0 / 3, up text NOT NULL DEFAULT upper('x'), ca int NOT NULL DEFAULT CASE WHEN true THEN 1 ELSE 2 END, iv interval NOT NULL DEFAULT '1 day'::interval * 2, em mood NOT NULL DEFAULT ('o' || 'k')::mood, bo bool NOT NULL DEFAULT 1 = 1, js jsonb NOT NULL DEFAULT jsonb_build_object('a', 1), ar int[] NOT NULL DEFAULT ARRAY[1, 2], neg numeric(6,2) NOT NULL DEFAULT -1.5, i8 bigint NOT NULL DEFAULT '-5'::integer, ep bigint NOT NULL DEFAULT EXTRACT(epoch FROM now()), dn date DEFAULT now(), yd date DEFAULT '2026-11-24', tsn timestamp NOT NULL DEFAULT timezone('utc', now()), by bytea NOT NULL DEFAULT decode('00ff', 'hex'), bi bit(3) NOT NULL DEFAULT 5::bit(3), ine inet NOT NULL DEFAULT inet_client_addr());
INSERT INTO t_def_expr (pk, now, lts, cd, ct, lt, cu, u, r, ep, tsn, ine, nown, dn, yd) VALUES (1, '2020-01-02 03:04:05+00', '2020-01-02 03:04:05', '2020-01-02', '03:04:05+00', '03:04:05', 'me', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 0.5, 7, '2020-01-02 03:04:05', '10.0.0.1', '2020-01-02 03:04:05+00', '2020-01-02', '2020-01-02');
CREATE TABLE t_serials (a serial PRIMARY KEY, b bigserial, c smallserial, d int GENERATED ALWAYS AS IDENTITY, e bigint GENERATED BY DEFAULT AS IDENTITY, f int NOT NULL DEFAULT 3, g smallint NOT NULL);
INSERT INTO t_serials (g) VALUES (1);

-- Keys of many types.
CREATE TABLE t_key_u (u uuid PRIMARY KEY, v int); INSERT INTO t_key_u VALUES ('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 1);
CREATE TABLE t_key_n (n numeric(6,2), d date, ts timestamp(3), tz timestamptz, e mood, b bytea, t time, i inet, bo bool, ch char(4), v int, PRIMARY KEY (n, d, ts, tz, e, b, t, i, bo, ch));
INSERT INTO t_key_n VALUES (1.5, '2020-01-02', '2020-01-02 03:04:05.678', '2020-01-02 03:04:05.6789+02', 'ok', '\x00ff', '12:34:56.789012', '10.0.0.1', true, 'ab', 1);
CREATE TABLE t_key_nv (n numeric PRIMARY KEY, v int); INSERT INTO t_key_nv VALUES (1.5, 1), (100, 2);
CREATE TABLE t_key_def (s serial, t text DEFAULT 'x', v int, PRIMARY KEY (s, t)); INSERT INTO t_key_def (v) VALUES (1);

-- Numbers at their edges.
CREATE TABLE t_edges (pk int PRIMARY KEY, n1 numeric(1,0), n381 numeric(38,1), n1000 numeric(1000,0), n55 numeric(5,5), m money, f4 float4, f8 float8, iv interval, tz timetz, tz0 timetz(0), tsz timestamptz, ts timestamp, d date, b0 bit(17), vb varbit(17));
INSERT INTO t_edges VALUES (1, 9, 1234567890123456789012345678901234567.8, 10::numeric ^ 999, 0.12345, '0.01', 3.4e38, 1.7e308, '-1 mon 3 days -00:00:00.000001', '00:00:00.000001+14', '23:59:59-12', '0001-01-01 00:00:00+00', '0001-01-01 00:00:00', '0001-01-01', B'00000000100000001', B'10000000000000000'),
 (2, -9, -0.1, -1, -0.00001, '-0.01', -1e-45, -5e-324, '178956970 years 7 mons', '12:00:00.5+05:30', '12:00:00+00', '1582-10-10 00:00:00+00', '9999-12-31 23:59:59.999999', '9999-12-31', B'00000000000000000', B''),
 (3, 0, 0, 0, 0, '0', 0, 0, '0', '00:00+00', '00:00+00', '1970-01-01 00:00:00+00', '1970-01-01', '1970-01-01', B'11111111111111111', B'0');

-- What stands in the old row of a delete that tells the key alone: a table for each type.
CREATE TABLE n00 (pk int PRIMARY KEY, v bool NOT NULL); INSERT INTO n00 VALUES (1, true); DELETE FROM n00;
CREATE TABLE n01 (pk int PRIMARY KEY, v int2 NOT NULL); INSERT INTO n01 VALUES (1, 7); DELETE FROM n01;
CREATE TABLE n02 (pk int PRIMARY KEY, v int4 NOT NULL); INSERT INTO n02 VALUES (1, 7); DELETE FROM n02;
CREATE TABLE n03 (pk int PRIMARY KEY, v int8 NOT NULL); INSERT INTO n03 VALUES (1, 7); DELETE FROM n03;
CREATE TABLE n04 (pk int PRIMARY KEY, v oid NOT NULL); INSERT INTO n04 VALUES (1, 7); DELETE FROM n04;
CREATE TABLE n05 (pk int PRIMARY KEY, v float4 NOT NULL); INSERT INTO n05 VALUES (1, 1.5); DELETE FROM n05;
CREATE TABLE n06 (pk int PRIMARY KEY, v float8 NOT NULL); INSERT INTO n06 VALUES (1, 1.5); DELETE FROM n06;
CREATE TABLE n07 (pk int PRIMARY KEY, v numeric(6,2) NOT NULL); INSERT INTO n07 VALUES (1, 1.5); DELETE FROM n07;
CREATE TABLE n08 (pk int PRIMARY KEY, v numeric NOT NULL); INSERT INTO n08 VALUES (1, 1.5); DELETE FROM n08;
CREATE TABLE n09 (pk int PRIMARY KEY, v money NOT NULL); INSERT INTO n09 VALUES (1, '1.10'); DELETE FROM n09;
CREATE TABLE n10 (pk int PRIMARY KEY, v char(5) NOT NULL); INSERT INTO n10 VALUES (1, 'ab'); DELETE FROM n10;
CREATE TABLE n11 (pk int PRIMARY KEY, v varchar(5) NOT NULL); INSERT INTO n11 VALUES (1, 'v'); DELETE FROM n11;
CREATE TABLE n12 (pk int PRIMARY KEY, v text NOT NULL); INSERT INTO n12 VALUES (1, 't'); DELETE FROM n12;
CREATE TABLE n13 (pk int PRIMARY KEY, v bpchar NOT NULL); INSERT INTO n13 VALUES (1, 'b'); DELETE FROM n13;
CREATE TABLE n14 (pk int PRIMARY KEY, v "char" NOT NULL); INSERT INTO n14 VALUES (1, 'c'); DELETE FROM n14;
CREATE TABLE n15 (pk int PRIMARY KEY, v name NOT NULL); INSERT INTO n15 VALUES (1, 'n'); DELETE FROM n15;
CREATE TABLE n16 (pk int PRIMARY KEY, v citext NOT NULL); INSERT INTO n16 VALUES (1, 'C'); DELETE FROM n16;
CREATE TABLE n17 (pk int PRIMARY KEY, v bytea NOT NULL); INSERT INTO n17 VALUES (1, '\x00ff'); DELETE FROM n17;
CREATE TABLE n18 (pk int PRIMARY KEY, v bit NOT NULL); INSERT INTO n18 VALUES (1, B'1'); DELETE FROM n18;
CREATE TABLE n19 (pk int PRIMARY KEY, v bit(9) NOT NULL); INSERT INTO n19 VALUES (1, B'100000001'); DELETE FROM n19;
CREATE TABLE n20 (pk int PRIMARY KEY, v varbit(5) NOT NULL); INSERT INTO n20 VALUES (1, B'01'); DELETE FROM n20;
CREATE TABLE n21 (pk int PRIMARY KEY, v varbit NOT NULL); INSERT INTO n21 VALUES (1, B'101'); DELETE FROM n21;
CREATE TABLE n22 (pk int PRIMARY KEY, v date NOT NULL); INSERT INTO n22 VALUES (1, '2020-01-02'); DELETE FROM n22;
CREATE TABLE n23 (pk int PRIMARY KEY, v time NOT NULL); INSERT INTO n23 VALUES (1, '12:34:56.789012'); DELETE FROM n23;
CREATE TABLE n24 (pk int PRIMARY KEY, v time(3) NOT NULL); INSERT INTO n24 VALUES (1, '12:34:56'); DELETE FROM n24;
CREATE TABLE n25 (pk int PRIMARY KEY, v timetz NOT NULL); INSERT INTO n25 VALUES (1, '12:34:56+02'); DELETE FROM n25;
CREATE TABLE n26 (pk int PRIMARY KEY, v timestamp NOT NULL); INSERT INTO n26 VALUES (1, '2020-01-02 03:04:05'); DELETE FROM n26;
CREATE TABLE n27 (pk int PRIMARY KEY, v timestamp(3) NOT NULL); INSERT INTO n27 VALUES (1, '2020-01-02 03:04:05'); DELETE FROM n27;
CREATE TABLE n28 (pk int PRIMARY KEY, v timestamptz NOT NULL); INSERT INTO n28 VALUES (1, '2020-01-02 03:04:05+00'); DELETE FROM n28;
CREATE TABLE n29 (pk int PRIMARY KEY, v timestamptz(3) NOT NULL); INSERT INTO n29 VALUES (1, '2020-01-02 03:04:05+00'); DELETE FROM n29;
CREATE TABLE n30 (pk int PRIMARY KEY, v interval NOT NULL); INSERT INTO n30 VALUES (1, '1 day'); DELETE FROM n30;
CREATE TABLE n31 (pk int PRIMARY KEY, v json NOT NULL); INSERT INTO n31 VALUES (1, '1'); DELETE FROM n31;
CREATE TABLE n32 (pk int PRIMARY KEY, v jsonb NOT NULL); INSERT INTO n32 VALUES (1, '1'); DELETE FROM n32;
CREATE TABLE n33 (pk int PRIMARY KEY, v xml NOT NULL); INSERT INTO n33 VALUES (1, '<a/>'); DELETE FROM n33;
CREATE TABLE n34 (pk int PRIMARY KEY, v uuid NOT NULL); INSERT INTO n34 VALUES (1, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'); DELETE FROM n34;
CREATE TABLE n35 (pk int PRIMARY KEY, v inet NOT NULL); INSERT INTO n35 VALUES (1, '10.0.0.1'); DELETE FROM n35;
CREATE TABLE n36 (pk int PRIMARY KEY, v cidr NOT NULL); INSERT INTO n36 VALUES (1, '10.0.0.0/8'); DELETE FROM n36;
CREATE TABLE n37 (pk int PRIMARY KEY, v macaddr NOT NULL); INSERT INTO n37 VALUES (1, '08:00:2b:01:02:03'); DELETE FROM n37;
CREATE TABLE n38 (pk int PRIMARY KEY, v point NOT NULL); INSERT INTO n38 VALUES (1, '(1,2)'); DELETE FROM n38;
CREATE TABLE n39 (pk int PRIMARY KEY, v line NOT NULL); INSERT INTO n39 VALUES (1, '{1,-1,0}'); DELETE FROM n39;
CREATE TABLE n40 (pk int PRIMARY KEY, v lseg NOT NULL); INSERT INTO n40 VALUES (1, '[(0,0),(1,1)]'); DELETE FROM n40;
CREATE TABLE n41 (pk int PRIMARY KEY, v box NOT NULL); INSERT INTO n41 VALUES (1, '(1,1),(0,0)'); DELETE FROM n41;
CREATE TABLE n42 (pk int PRIMARY KEY, v path NOT NULL); INSERT INTO n42 VALUES (1, '[(0,0),(1,1)]'); DELETE FROM n42;
CREATE TABLE n43 (pk int PRIMARY KEY, v polygon NOT NULL); INSERT INTO n43 VALUES (1, '((0,0),(1,1),(2,0))'); DELETE FROM n43;
CREATE TABLE n44 (pk int PRIMARY KEY, v circle NOT NULL); INSERT INTO n44 VALUES (1, '<(1,2),3>'); DELETE FROM n44;
CREATE TABLE n45 (pk int PRIMARY KEY, v int4range NOT NULL); INSERT INTO n45 VALUES (1, '[1,5)'); DELETE FROM n45;
CREATE TABLE n46 (pk int PRIMARY KEY, v numrange NOT NULL); INSERT INTO n46 VALUES (1, '[1,5)'); DELETE FROM n46;
CREATE TABLE n47 (pk int PRIMARY KEY, v tstzrange NOT NULL); INSERT INTO n47 VALUES (1, 'empty'); DELETE FROM n47;
CREATE TABLE n48 (pk int PRIMARY KEY, v mood NOT NULL); INSERT INTO n48 VALUES (1, 'ok'); DELETE FROM n48;
CREATE TABLE n49 (pk int PRIMARY KEY, v hstore NOT NULL); INSERT INTO n49 VALUES (1, 'a=>1'); DELETE FROM n49;
CREATE TABLE n50 (pk int PRIMARY KEY, v ltree NOT NULL); INSERT INTO n50 VALUES (1, 'Top'); DELETE FROM n50;
CREATE TABLE n51 (pk int PRIMARY KEY, v tsvector NOT NULL); INSERT INTO n51 VALUES (1, 'a'); DELETE FROM n51;
CREATE TABLE n52 (pk int PRIMARY KEY, v isbn NOT NULL); INSERT INTO n52 VALUES (1, '978-0-393-04002-9'); DELETE FROM n52;
CREATE TABLE n53 (pk int PRIMARY KEY, v d_price NOT NULL); INSERT INTO n53 VALUES (1, 1); DELETE FROM n53;
CREATE TABLE n54 (pk int PRIMARY KEY, v d_int NOT NULL); INSERT INTO n54 VALUES (1, 1); DELETE FROM n54;
CREATE TABLE n55 (pk int PRIMARY KEY, v d_mood NOT NULL); INSERT INTO n55 VALUES (1, 'ok'); DELETE FROM n55;
CREATE TABLE n56 (pk int PRIMARY KEY, v int4[] NOT NULL); INSERT INTO n56 VALUES (1, '{1}'); DELETE FROM n56;
CREATE TABLE n57 (pk int PRIMARY KEY, v text[] NOT NULL); INSERT INTO n57 VALUES (1, '{a}'); DELETE FROM n57;
CREATE TABLE n58 (pk int PRIMARY KEY, v mood[] NOT NULL); INSERT INTO n58 VALUES (1, '{ok}'); DELETE FROM n58;
CREATE TABLE n59 (pk int PRIMARY KEY, v hstore[] NOT NULL); INSERT INTO n59 VALUES (1, '{}'); DELETE FROM n59;
CREATE TABLE n60 (pk int PRIMARY KEY, v bit(3)[] NOT NULL); INSERT INTO n60 VALUES (1, '{101}'); DELETE FROM n60;
CREATE TABLE n61 (pk int PRIMARY KEY, v point[] NOT NULL); INSERT INTO n61 VALUES (1, '{}'); DELETE FROM n61;
CREATE TABLE n62 (pk int PRIMARY KEY, v box[] NOT NULL); INSERT INTO n62 VALUES (1, '{}'); DELETE FROM n62;
CREATE TABLE n63 (pk int PRIMARY KEY, v pg_lsn NOT NULL); INSERT INTO n63 VALUES (1, '0/1'); DELETE FROM n63;
CREATE TABLE n64 (pk int PRIMARY KEY, v addr NOT NULL); INSERT INTO n64 VALUES (1, ROW('a',1)); DELETE FROM n64;
CREATE TABLE n65 (pk int PRIMARY KEY, v addr[] NOT NULL); INSERT INTO n65 VALUES (1, '{}'); DELETE FROM n65;
CREATE TABLE n66 (pk int PRIMARY KEY, v d_price[] NOT NULL); INSERT INTO n66 VALUES (1, '{1}'); DELETE FROM n66;
CREATE TABLE n67 (pk int PRIMARY KEY, v int4multirange NOT NULL); INSERT INTO n67 VALUES (1, '{}'); DELETE FROM n67;
CREATE TABLE n68 (pk int PRIMARY KEY, v money[] NOT NULL); INSERT INTO n68 VALUES (1, '{}'); DELETE FROM n68;
CREATE TABLE n69 (pk int PRIMARY KEY, v tsquery NOT NULL); INSERT INTO n69 VALUES (1, 'a'); DELETE FROM n69;
