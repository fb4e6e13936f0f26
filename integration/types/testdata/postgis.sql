-- The types of PostGIS.
SET client_min_messages = warning;
CREATE SCHEMA gis; CREATE EXTENSION IF NOT EXISTS postgis SCHEMA public; SET search_path = gis, public;
CREATE TABLE t_geom (pk int PRIMARY KEY, g geometry, p geometry(Point, 4326), pn geometry(Point, 3187) NOT NULL, z geometry(PointZ, 4326), ga geometry[], gg geography, gp geography(Point, 4326), gga geography[]);
INSERT INTO t_geom VALUES
 (1, 'LINESTRING(0 0,1 1)', 'SRID=4326;POINT(1 2)', 'SRID=3187;POINT(174.9479 -36.7208)', 'SRID=4326;POINT Z (1 2 3)', ARRAY['POINT(1 2)'::geometry, 'SRID=4326;POINT(3 4)'], 'POINT(5 6)', 'POINT(7 8)', ARRAY['POINT(9 10)'::geography]),
 (2, 'GEOMETRYCOLLECTION EMPTY', 'SRID=4326;POINT EMPTY', 'SRID=3187;POINT(0 0)', NULL, '{}', 'GEOMETRYCOLLECTION(POINT(1 2),LINESTRING(0 0,1 1))', NULL, NULL),
 (3, NULL, NULL, 'SRID=3187;POINT(-0 1e-300)', NULL, NULL, NULL, NULL, NULL),
 (4, 'SRID=4326;MULTIPOLYGON(((0 0,4 0,4 4,0 4,0 0),(1 1,2 1,2 2,1 2,1 1)),((5 5,6 5,6 6,5 5)))', NULL, 'SRID=3187;POINT(1 1)', NULL, NULL, NULL, NULL, NULL);
CREATE TABLE t_geom_nn (pk int PRIMARY KEY, g geometry NOT NULL, gg geography NOT NULL, gd geometry DEFAULT 'POINT(1 2)', bx box2d, bx3 box3d);
INSERT INTO t_geom_nn VALUES (1, 'POINT(1 2)', 'POINT(3 4)', 'POINT(5 6)', 'BOX(1 2,3 4)', 'BOX3D(1 2 3,4 5 6)');
UPDATE t_geom_nn SET g = 'POINT(2 3)'; DELETE FROM t_geom_nn;
