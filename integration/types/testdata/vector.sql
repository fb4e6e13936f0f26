-- The types of pgvector.
SET client_min_messages = warning;
CREATE SCHEMA vec; CREATE EXTENSION IF NOT EXISTS vector SCHEMA public; SET search_path = vec, public;
CREATE TABLE t_vec (pk int PRIMARY KEY, v vector(3), vn vector(3) NOT NULL, vu vector, h halfvec(3), hn halfvec NOT NULL, s sparsevec(5), sn sparsevec NOT NULL, va vector[], ha halfvec[], sa sparsevec[], vd vector(2) DEFAULT '[1,2]', sd sparsevec(3) DEFAULT '{1:1}/3');
INSERT INTO t_vec VALUES
 (1, '[1,2.5,-3]', '[0.1,1e-10,3.4e38]', '[1]', '[1,2.5,-3]', '[0.1,65504]', '{1:1,3:2.5,5:-3}/5', '{1:0.1}/1', ARRAY['[1,2]'::vector, '[3]'], ARRAY['[1,2]'::halfvec], ARRAY['{1:1}/2'::sparsevec], '[3,4]', '{2:2}/3'),
 (2, NULL, '[0,-0,0]', NULL, NULL, '[0]', NULL, '{}/3', NULL, NULL, NULL, NULL, NULL),
 (3, NULL, '[1,1,1]', NULL, NULL, '[1]', '{2:3.4028235e+38}/5', '{1:1,16000:2}/16000', NULL, NULL, NULL, NULL, NULL);
UPDATE t_vec SET v = '[4,5,6]' WHERE pk = 1;
CREATE TABLE t_vec_nn (pk int PRIMARY KEY, v vector NOT NULL, h halfvec NOT NULL);
INSERT INTO t_vec_nn VALUES (1, '[1]', '[2]'); DELETE FROM t_vec_nn;
