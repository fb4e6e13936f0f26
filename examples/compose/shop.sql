-- Run once by the PostgreSQL container: the shop that is synchronized, and the empty database that becomes its copy.
CREATE DATABASE copy;
CREATE DATABASE shop;
\connect shop
CREATE TABLE orders (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer text NOT NULL,
    total    numeric(12, 2) NOT NULL,
    placed   timestamptz NOT NULL DEFAULT now()
);
INSERT INTO orders (customer, total)
SELECT 'customer ' || i, i * 1.1 FROM generate_series(1, 1000) i;
